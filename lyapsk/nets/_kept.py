"""Spectra on disk, each under all that it depends on."""

import json
from dataclasses import fields, is_dataclass
from hashlib import sha256
from os import PathLike
from pathlib import Path

import numpy as np
import torch

from .._array_file import ArrayFile
from .._files import writable_directory
from .._version import __version__
from ..exceptions import InvalidTypeError
from ..spectrum import LyapunovSpectrum

IRRELEVANT = ("batch_size", "local")
"""Options on which the numbers do not depend."""


class KeptSpectra:
    """Spectra in a directory, one file each.

    Several processes may use one directory at a time: files are written as a whole, and what is
    damaged is found out, told and taken again.

    Parameters
    ----------
    memory : str, Path or joblib.Memory
        The directory, made if missing; of a Memory its location.
    options : Options
    """

    def __init__(self, memory, options):
        location = getattr(memory, "location", memory)
        if not (location and isinstance(location, str | PathLike)):
            raise InvalidTypeError(
                f"memory: got {memory!r}. It must be a directory, or a joblib.Memory with one."
            )
        self._directory = writable_directory("memory", Path(location) / "lyapsk-spectra")
        self._options = options

    def read(self, problem):
        """The spectrum of a problem, or None where it is not there."""
        arrays = self._file(problem).read("its spectrum is taken again")
        return None if arrays is None else _spectrum(arrays)

    def write(self, problem, spectrum):
        """Keep a spectrum."""
        self._file(problem).write(_arrays(spectrum))

    def _file(self, problem):
        key = fingerprint(__version__, self._relevant, problem)
        return ArrayFile(self._directory / f"{key}.safetensors", key)

    @property
    def _relevant(self):
        options = {f.name: getattr(self._options, f.name) for f in fields(self._options)}
        told = {name: str(value) for name, value in options.items() if name not in IRRELEVANT}
        return json.dumps(told | {"device": self._options.device.type}, sort_keys=True)


def fingerprint(*parts):
    """One for nested tensors and values, wherever they lie in memory."""
    told = sha256()
    _tell(parts, told.update)
    return told.hexdigest()


def _tell(part, update):
    if torch.is_tensor(part):
        array = np.ascontiguousarray(part.detach().cpu().resolve_conj().resolve_neg())
        update(f"{array.dtype} {array.shape} ".encode())
        update(array)
    elif is_dataclass(part):
        update(f"{type(part).__module__}.{type(part).__qualname__} ".encode())
        for field in fields(part):
            if field.compare:
                _tell(getattr(part, field.name), update)
    elif isinstance(part, list | tuple):
        update(f"{len(part)} ".encode())
        for entry in part:
            _tell(entry, update)
    elif isinstance(part, dict):
        _tell(list(part.items()), update)
    else:
        update(f"{part!r} ".encode())


def _arrays(spectrum):
    """A spectrum as arrays by name; what it lacks is left out."""
    values = {field.name: getattr(spectrum, field.name) for field in fields(spectrum)}
    if values["layers"] is not None:
        values["layers"] = np.frombuffer(json.dumps(list(values["layers"])).encode(), np.uint8)
    return {n: np.asarray(v, order="C") for n, v in values.items() if v is not None}


def _spectrum(arrays):
    values = {name: array if array.ndim else array.item() for name, array in arrays.items()}
    if "layers" in values:
        values["layers"] = np.array(json.loads(values["layers"].tobytes()), str)
    return LyapunovSpectrum(**values)
