"""The command line, ``python -m lyapsk``."""

import argparse
import os
import sys
import warnings
from contextlib import contextmanager

from . import __version__
from .commands import COMMANDS
from .exceptions import LyapskError, LyapskWarning

_DESCRIPTION = """\
Lyapunov spectra of recurrent networks, and what they say about performance.
Results go to stdout, progress and errors to stderr."""

_EPILOG = """\
python -m lyapsk COMMAND --help tells more, with an example and the exit codes."""


def main(arguments=None):
    """Run one command; the exit code is what its help says."""
    parser = argparse.ArgumentParser(
        prog="python -m lyapsk",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"lyapsk {__version__}")
    commands = parser.add_subparsers(metavar="command", required=True)
    for command in COMMANDS:
        command.add_command(commands)
    options = parser.parse_args(arguments)
    try:
        with _warnings_in_one_line():
            code = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Who reads has enough. What is left to write must not fail again as Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (LyapskError, ImportError, OSError) as error:
        _tell(error)
        return 1
    except KeyboardInterrupt:
        _tell("interrupted")
        return 130
    return code


@contextmanager
def _warnings_in_one_line():
    """Show lyapsk's own warnings without the place in the code."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", LyapskWarning)
        show = warnings.showwarning

        def show_own(message, category, *place, **more):
            if issubclass(category, LyapskWarning):
                _tell(f"warning: {message}")
            else:
                show(message, category, *place, **more)

        warnings.showwarning = show_own
        yield


def _tell(message):
    """On stderr, in one line."""
    print(f"lyapsk: {' '.join(str(message).split())}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
