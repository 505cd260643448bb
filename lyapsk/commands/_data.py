"""Driving sequences in a file."""

import numpy as np
import torch
from safetensors import safe_open

from ..exceptions import InvalidInputError, LyapskError
from ._inference import in_words


def read_data(path, key=None):
    """The array in a file, without ever unpickling.

    Parameters
    ----------
    path : Path
        ``.npy``, ``.npz``, ``.safetensors``, or ``.csv`` and ``.txt`` with one row for each step
        and an optional header.
    key : str, optional
        The array, where the file holds several.

    Returns
    -------
    ndarray or Tensor
        Whole numbers stay whole.

    Raises
    ------
    InvalidInputError
        Naming the file and what is wrong with it.
    """
    if path.suffix not in _READERS:
        raise InvalidInputError(
            f"{path}: the name of a data file must end in one of {', '.join(_READERS)}."
        )
    check_file(path)
    if key is not None and path.suffix not in _SEVERAL:
        raise InvalidInputError(f"--key {key}: {path} holds a single array. Leave it out.")
    try:
        data = _READERS[path.suffix](path, key)
    except LyapskError:
        raise
    except Exception as error:
        raise InvalidInputError(
            f"{path} cannot be read as data: {type(error).__name__}: {error}"
        ) from error
    is_real = not data.is_complex() if torch.is_tensor(data) else data.dtype.kind in "biuf"
    if not is_real:
        raise InvalidInputError(f"{path} holds an array of {data.dtype}. It must be real numbers.")
    return data


def check_file(path):
    """Refuse what is not there, and what is no file."""
    if path.is_dir():
        raise InvalidInputError(f"{path} is a directory. Give a file.")
    if not path.exists():
        raise InvalidInputError(f"{path}: there is no such file.")
    if not path.is_file():
        raise InvalidInputError(f"{path} is no regular file. Give one that can be read twice.")


def check_width(sequences, layer, path):
    """Refuse sequences that a bare layer cannot read.

    Raises
    ------
    InvalidInputError
        Naming the file, its shape and what the layer wants.
    """
    shape, width = tuple(sequences.shape), getattr(layer, "input_size", None)
    has_steps = len(shape) in (2, 3)
    if has_steps and width in (None, shape[-1]):
        return
    has = f" and so {shape[-1]} inputs at each step" if has_steps else ""
    wanted = width or "n_inputs"
    raise InvalidInputError(
        f"{path}: its array has shape {shape}{has}, and this {in_words(layer)} is to be driven by "
        f"(n_sequences, n_steps, {wanted}), or by (n_steps, {wanted}) for one sequence. Give what "
        "reaches the layer; or run the module around it, with what that takes, by --module."
    )


def _npy(path, key):
    with path.open("rb") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _npz(path, key):
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return arrays[_one_of(path, arrays.files, key)]


def _safetensors(path, key):
    with safe_open(path, framework="pt") as arrays:
        return arrays.get_tensor(_one_of(path, list(arrays.keys()), key))


def _one_of(path, names, key):
    told = ", ".join(map(repr, names))
    if key is not None and key not in names:
        raise InvalidInputError(f"--key {key}: {path} holds {told or 'no array'}.")
    if key is None and len(names) != 1:
        raise InvalidInputError(
            f"{path} holds {len(names)} arrays{': ' if names else ''}{told}. It must be one, or "
            "say which with --key."
        )
    return names[0] if key is None else key


def _text(path, key):
    """One sequence: numbers with commas, semicolons or spaces between, a step in each row."""
    lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    separator = next((mark for mark in ",;\t" if lines and mark in lines[0]), None)
    rows = [line.split(separator) for line in lines]
    # A first step that lacks a number is no header.
    if rows and not any(_are_numbers([cell]) for cell in rows[0]):
        rows = rows[1:]
    if not rows:
        raise InvalidInputError(f"{path} holds no numbers.")
    for index, row in enumerate(rows):
        if len(row) != len(rows[0]) or not _are_numbers(row):
            raise InvalidInputError(
                f"{path}: row {index + 1} of its numbers is {' '.join(row)[:40]!r}. Each row "
                f"must hold {len(rows[0])} numbers."
            )
    try:
        return np.array(rows).astype(np.int64)
    except (ValueError, OverflowError):
        return np.array(rows).astype(np.float64)


def _are_numbers(cells):
    try:
        return bool([float(cell) for cell in cells])
    except ValueError:
        return False


TEXTS = (".csv", ".txt")
_READERS = {
    ".npy": _npy,
    ".npz": _npz,
    ".safetensors": _safetensors,
    **dict.fromkeys(TEXTS, _text),
}
_SEVERAL = (".npz", ".safetensors")
