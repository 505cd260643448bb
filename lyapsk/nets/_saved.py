"""Networks from files."""

import os
import pickle
import zipfile
from contextlib import contextmanager
from inspect import signature
from pathlib import Path

import joblib
import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from .._message import message_of
from ..exceptions import InvalidInputError, LyapskError
from ..tangent import n_required
from ._weights import load_weights


def _unpickled(path):
    return pickle.loads(path.read_bytes())


def _loaded(path):
    return torch.load(path, map_location="cpu", weights_only=False)


TORCHS = (".pt", ".pth", ".ckpt", ".bin")
WEIGHTS = (".safetensors", *TORCHS)
PICKLES = {
    ".pkl": _unpickled,
    ".pickle": _unpickled,
    ".joblib": joblib.load,
    **dict.fromkeys(TORCHS, _loaded),
}

ARCHIVE = b"PK\x03\x04"
"""How zip archives begin."""


def opened(network, module, trusted):
    """The network itself, or what a path leads to.

    Parameters
    ----------
    network : network, str or Path
        A path of weights (``.safetensors``, or ``.pt``, ``.pth``, ``.ckpt`` and ``.bin`` with a
        state dict, alone or among other things), or with ``trusted`` of a whole network (those
        of torch, ``.pkl``, ``.pickle``, ``.joblib``).
    module : class, function or None
        Makes the module whose weights the file holds. It is called with nothing; or, if there is
        one argument that it needs or one called ``metadata``, with the file's metadata, a dict of
        str with the path under ``"path"``.
    trusted : bool
        Whether files may be unpickled, which can run any code that their author wished.

    Raises
    ------
    InvalidInputError
        Naming the file and what is wrong with it.
    """
    check_module(module)
    if not isinstance(network, str | os.PathLike):
        return network
    path = Path(network)
    with _reading(path):
        if path.suffix in WEIGHTS and module is not None:
            metadata, state = _weights(path, trusted)
            made = _made(module, metadata | {"path": str(path)})
            load_weights(made, state, path)
            return made.eval()
        if path.suffix in PICKLES and trusted:
            return PICKLES[path.suffix](path)
    raise InvalidInputError(_advice(path))


def read_weights(path):
    """What a file of weights holds, without ever unpickling; errors are those of ``opened``."""
    with _reading(path):
        _, state = _weights(path, trusted=False)
        return state


def check_module(module):
    """Refuse a module itself in place of what makes it."""
    if isinstance(module, nn.Module):
        kind = type(module).__name__
        raise InvalidInputError(
            f"module: got a {kind} itself. Each file needs a new one: pass the class or a function "
            f"that makes it, for example module=lambda: {kind}(...)."
        )


@contextmanager
def _reading(path):
    """Errors name the file, and what to do about it."""
    try:
        _check_archive(path)
        yield
    except LyapskError:
        raise
    except FileNotFoundError as error:
        raise InvalidInputError(f"X: there is no file {path}. Leave it out, or find it.") from error
    except Exception as error:
        raise InvalidInputError(
            f"X: {path} cannot be read as a network: {type(error).__name__}: {message_of(error)}. "
            f"{_remedy(error)}"
        ) from error


def _remedy(error):
    if isinstance(error, AttributeError) and "__main__" in str(error):
        return (
            "Its class was defined in a script, where only that script finds it. Put it in a "
            "module that can be imported and save the network again; or save its state_dict(), "
            "and name what makes the network by module, on the command line by --module."
        )
    return "Save it again, or leave it out."


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


def _weights(path, trusted):
    """Metadata and state dict."""
    if path.suffix != ".safetensors":
        return {}, torch.load(path, map_location="cpu", weights_only=not trusted)
    try:
        with safe_open(path, framework="pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return dict(file.metadata() or {}), weights
    except SafetensorError as error:
        raise InvalidInputError(
            f"X: {path} is damaged, or no safetensors file: {message_of(error)}. "
            "Save it again, or leave it out."
        ) from error


def _made(make, metadata):
    """The module for a file, by one rule for programs and for the command line."""
    told = n_required(make) == 1 or "metadata" in signature(make).parameters
    try:
        module = make(metadata) if told else make()
    except Exception as error:
        raise InvalidInputError(
            f"module: {getattr(make, '__name__', make)} failed with {type(error).__name__}: "
            f"{message_of(error)}. "
            f"It was called with {'the metadata, a dict,' if told else 'nothing'} for "
            f"{metadata['path']}, and must make the torch module whose weights the file holds: "
            "for example module=lambda: MyModule(8), or on the command line a function of your "
            "own."
        ) from error
    if not isinstance(module, nn.Module):
        raise InvalidInputError(
            f"module: gave {module!r} for {metadata['path']}. It must give the torch module whose "
            "weights the file holds."
        )
    return module


def _advice(path):
    if path.suffix in WEIGHTS:
        return (
            f"X: {path} holds weights. Say of which module: module=MyModule, or a "
            "function that makes it; or, if it is a pickle whose author you trust, trusted=True."
        )
    if path.suffix in PICKLES:
        return (
            f"X: {path} is a pickle, and to open one can run any code that its author wished. If "
            "you trust it pass trusted=True; or save weights as safetensors, and pass module."
        )
    known = ", ".join(dict.fromkeys([*WEIGHTS, *PICKLES]))
    return f"X: {path} is no file of a network that is known. Its name must end in one of {known}."
