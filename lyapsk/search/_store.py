"""Where a search keeps its networks, so that it can go on after it was stopped."""

import json
import re
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import joblib
import torch
from skorch.dataset import Dataset, get_len
from torch.utils.data import Subset

from .._files import writable_directory, write_atomically
from .._version import __version__
from ..exceptions import InvalidInputError

NAME = "search.json"

NOT_TOLD = {"callbacks", "train_split", "verbose", "_params_to_validate"}
"""What a net's `get_params` holds that may change, or is told elsewhere."""


@contextmanager
def search_directory(directory, resume, description):
    """A directory for a search that is described so; a temporary one where none is given.

    Raises
    ------
    InvalidInputError
        If the directory holds another search, or one that may not be resumed.
    OSError
        If it cannot be made or written to.
    """
    if directory is None:
        with TemporaryDirectory(prefix="lyapsk-search-") as temporary:
            yield Path(temporary)
        return
    directory = writable_directory("directory", directory)
    path = directory / NAME
    if path.exists():
        _check_resumable(path, resume, description)
    else:
        write_atomically(path, json.dumps(description, indent=1, sort_keys=True).encode())
    yield directory


def described(net, settings, seeds, datasets, **others):
    """What tells one search from another, in values that JSON knows."""
    own = [item for item in net.get_params(deep=False).items() if item[0] not in NOT_TOLD]
    return {
        "lyapsk": __version__,
        "net": [type(net).__qualname__, *(f"{name}={_told(value)}" for name, value in own)],
        "candidates": [
            f"{_told(params)}, seed {seed}" for params, seed in zip(settings, seeds, strict=True)
        ],
        "data": [fingerprint(dataset) for dataset in datasets],
        **{name: _told(value) for name, value in others.items()},
    }


def _check_resumable(path, resume, description):
    if not resume:
        raise InvalidInputError(
            f"directory: {path.parent} holds a search. To go on with it pass resume=True, which "
            "unpickles its networks: do so only if you trust these files. Or give another "
            "directory."
        )
    try:
        found = dict(json.loads(path.read_text()))
    except (TypeError, ValueError):
        found = {}
    different = [name for name in description if found.get(name) != description[name]]
    if different:
        raise InvalidInputError(
            f"directory: {path.parent} holds a search that differs from this one in "
            f"{', '.join(different)}. Give each search a directory of its own."
        )


def _told(value):
    """A value's text without the addresses of functions and objects, new in each process."""
    if isinstance(value, type):
        return value.__qualname__
    return re.sub(r" at 0x[0-9A-Fa-f]+", "", repr(value))


def fingerprint(data):
    """A hash of arrays, nested in any way, or of a data set.

    Of data sets that hold neither arrays nor a part of one that does: their number of rows, and
    the first and the last of these.
    """
    if isinstance(data, Subset):
        return f"{fingerprint(data.dataset)} {joblib.hash(list(data.indices))}"
    if isinstance(data, Dataset):
        return joblib.hash(_arrays([data.X, data.y]))
    if isinstance(data, torch.utils.data.Dataset):
        n_rows = get_len(data)
        return joblib.hash([n_rows, *(_arrays(data[i]) for i in (0, n_rows - 1))])
    return joblib.hash(_arrays(data))


def _arrays(item):
    """Nested tensors as arrays, which say the same wherever they lie in memory."""
    if torch.is_tensor(item):
        return item.cpu().numpy()
    if isinstance(item, list | tuple):
        return [_arrays(part) for part in item]
    if isinstance(item, dict):
        return {name: _arrays(part) for name, part in item.items()}
    return item
