"""Arrays on disk: files that are whole and checked, or not there."""

import warnings
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ._files import write_atomically
from .exceptions import LyapskWarning


@dataclass(frozen=True)
class ArrayFile:
    """Arrays by name in one safetensors file.

    Attributes
    ----------
    path : Path
    description : str
        Of what the arrays are; a file that says otherwise is not taken for this one.
    """

    path: Path
    description: str

    def write(self, arrays):
        """Keep arrays; their file is there as a whole or not at all."""
        write_atomically(self.path, save(arrays, metadata=self._metadata(arrays)))

    def read(self, remedy):
        """The arrays, or None where there is no file or, with a warning, a damaged one.

        Parameters
        ----------
        remedy : str
            What is done about a damaged file, for the warning.
        """
        try:
            with safe_open(self.path, framework="np") as file:
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                intact = file.metadata() == self._metadata(arrays)
        except FileNotFoundError:
            return None
        except (SafetensorError, OSError, ValueError, TypeError):
            intact = False
        if intact:
            return arrays
        warnings.warn(f"{self.path} is damaged: {remedy}.", LyapskWarning, stacklevel=4)
        return None

    def _metadata(self, arrays):
        return {"lyapsk": self.description, "sha256": digest(arrays)}


def digest(arrays):
    """A fingerprint of arrays by name."""
    told = sha256()
    for name, array in sorted(arrays.items()):
        told.update(f"{name} {array.dtype} {array.shape} ".encode())
        told.update(np.ascontiguousarray(array))
    return told.hexdigest()
