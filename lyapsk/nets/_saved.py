"""Networks from files."""

import os
import pickle
import zipfile
from pathlib import Path

import joblib
import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from ..exceptions import InvalidInputError, LyapskError

WEIGHTS = (".safetensors", ".pt", ".pth")
PICKLES = {
    ".pkl": lambda path: pickle.loads(path.read_bytes()),
    ".pickle": lambda path: pickle.loads(path.read_bytes()),
    ".joblib": joblib.load,
    ".pt": lambda path: torch.load(path, map_location="cpu", weights_only=False),
    ".pth": lambda path: torch.load(path, map_location="cpu", weights_only=False),
}

ARCHIVE = b"PK\x03\x04"
"""How zip archives begin."""


def opened(network, module, trusted):
    """The network itself, or what a path leads to.

    Parameters
    ----------
    network : network, str or Path
        A path of weights (``.safetensors``, or ``.pt`` and ``.pth`` with a state dict), or with
        ``trusted`` of a whole network (``.pkl``, ``.pickle``, ``.joblib``, ``.pt``, ``.pth``).
    module : callable or None
        Given the file's metadata, a dict of str with the path under ``"path"``, it makes the
        module whose weights the file holds.
    trusted : bool
        Whether files may be unpickled, which can run any code that their author wished.

    Raises
    ------
    InvalidInputError
        Naming the file and what is wrong with it.
    """
    if not isinstance(network, str | os.PathLike):
        return network
    path = Path(network)
    try:
        _check_archive(path)
        if path.suffix in WEIGHTS and module is not None:
            return _from_weights(path, module)
        if path.suffix in PICKLES and trusted:
            return PICKLES[path.suffix](path)
    except LyapskError:
        raise
    except FileNotFoundError as error:
        raise InvalidInputError(f"X: there is no file {path}. Leave it out, or find it.") from error
    except Exception as error:
        raise InvalidInputError(
            f"X: {path} cannot be read as a network: {type(error).__name__}: {error}. Save it "
            "again, or leave it out."
        ) from error
    raise InvalidInputError(_advice(path))


def _check_archive(path):
    """Refuse archives, as torch writes them, with parts that are not what was written."""
    with path.open("rb") as file:
        if file.read(len(ARCHIVE)) != ARCHIVE:
            return
    # torch itself does not look at their check sums. It can be told to write none, which are 0.
    with zipfile.ZipFile(path) as archive:
        damaged = any(part.CRC for part in archive.infolist()) and archive.testzip()
    if damaged:
        raise InvalidInputError(
            f"X: {path} is damaged: {damaged!r} in it is not what was written. Save it again, or "
            "leave it out."
        )


def _from_weights(path, make_module):
    """A module in eval mode, with the weights in a file that holds nothing but tensors."""
    if path.suffix == ".safetensors":
        try:
            with safe_open(path, framework="pt") as file:
                metadata = dict(file.metadata() or {})
                weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except SafetensorError as error:
            raise InvalidInputError(
                f"X: {path} is damaged, or no safetensors file: {error}. Save it again, or leave "
                "it out."
            ) from error
    else:
        metadata, weights = {}, torch.load(path, map_location="cpu", weights_only=True)
    network = make_module(metadata | {"path": str(path)})
    if not isinstance(network, nn.Module):
        raise InvalidInputError(
            f"module: gave {network!r} for {path}. It must give the torch module whose weights "
            "the file holds."
        )
    network.load_state_dict(weights)
    return network.eval()


def _advice(path):
    if path.suffix in WEIGHTS:
        return (
            f"X: {path} holds weights. Say of which module: module=lambda metadata: MyModule(), "
            "with the file's own metadata; or, if it is a pickle whose author you trust, "
            "trusted=True."
        )
    if path.suffix in PICKLES:
        return (
            f"X: {path} is a pickle, and to open one can run any code that its author wished. If "
            "you trust it pass trusted=True; or save weights as safetensors, and pass module."
        )
    known = ", ".join(dict.fromkeys([*WEIGHTS, *PICKLES]))
    return f"X: {path} is no file of a network that is known. Its name must end in one of {known}."
