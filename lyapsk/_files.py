"""Files that are either whole or not there."""

import os
from pathlib import Path
from tempfile import TemporaryFile
from uuid import uuid4

from ._message import message_of


def write_atomically(path, content):
    """Write bytes to `path` so that nobody ever finds them half written."""
    # Threads, and processes on several machines, may write one file at a time.
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def writable_directory(name, directory):
    """Make a directory and try it now rather than after minutes of training.

    Raises
    ------
    OSError
        Naming the argument.
    """
    directory = Path(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=directory).close()
    except OSError as error:
        raise OSError(
            f"{name}: {directory} cannot be made or written to: {message_of(error)}. "
            "Give another directory."
        ) from error
    return directory
