"""Checks that the displays share."""

import numpy as np

from ..exceptions import InvalidInputError, InvalidTypeError
from ._colours import PALETTE


def is_spectrum(value):
    """Whether this is a LyapunovSpectrum."""
    from ..spectrum import LyapunovSpectrum

    return isinstance(value, LyapunovSpectrum)


def is_list(value):
    """Whether this has entries, and has them still after one look at them."""
    return np.iterable(value) and hasattr(value, "__len__")


def check_growth(spectrum):
    """Refuse what is no LyapunovSpectrum, or one whose growth was not kept.

    Raises
    ------
    InvalidTypeError, InvalidInputError
    """
    if not is_spectrum(spectrum):
        raise InvalidTypeError(
            f"spectrum: got {type(spectrum).__name__}. It must be a LyapunovSpectrum: pass what "
            'lyapunov_spectrum(..., keep=("growth",)) returns.'
        )
    if spectrum.growth is None:
        raise InvalidInputError(
            "spectrum: its growth was not kept, of which every step is drawn. Compute it with "
            'lyapunov_spectrum(..., keep=("growth",)).'
        )


def check_named(name, named, entries):
    """Refuse what is no dict, or has more entries than there are colours.

    Parameters
    ----------
    name : str
    named : dict
    entries : str
        What stands under each name, in the plural.

    Raises
    ------
    InvalidTypeError, InvalidInputError
    """
    if not isinstance(named, dict):
        raise InvalidTypeError(
            f"{name}: got {type(named).__name__}. It must be a dict of names to {entries}."
        )
    if not 0 < len(named) <= len(PALETTE):
        raise InvalidInputError(
            f"{name}: got {len(named)} entries. It must hold 1 to {len(PALETTE)}, so many colours "
            "can be told apart."
        )


def check_values(values, n_networks, name):
    """`values` as an array with one entry per network, or None.

    Raises
    ------
    InvalidInputError
        If there are more or fewer values than networks.
    """
    if values is None:
        return None
    values = np.asarray(values)
    if values.shape != (n_networks,):
        raise InvalidInputError(
            f"{name} has shape {values.shape} for {n_networks} networks: pass one per network."
        )
    return values


def check_colours(values, n_networks, name):
    """The same of numbers that colours are to tell, of which one at least is finite.

    Raises
    ------
    InvalidTypeError
        If these are no real numbers.
    InvalidInputError
        If there are more or fewer than networks, or none is finite.
    """
    if check_values(values, n_networks, name) is None:
        return None
    values = check_numbers(name, values, (n_networks,), finite=False)
    if not np.isfinite(values).any():
        raise InvalidInputError(f"{name}: none of the {n_networks} is finite. Leave {name} out.")
    return np.where(np.isfinite(values), values, np.nan)


def check_numbers(name, values, shape, *, finite=True, hint="not empty"):
    """`values` as an array of float.

    Parameters
    ----------
    name : str
    values : array-like
    shape : tuple of int or str
        What is allowed; where a name stands for a length, any but 0 will do.
    finite : bool, default=True
        Whether all must be finite.
    hint : str
        What to say beside the shape.

    Raises
    ------
    InvalidTypeError
        If these are no real numbers.
    InvalidInputError
        If there are none, or the shape or a number is not allowed.
    """
    numbers = _as_floats(name, values)
    fits = len(numbers.shape) == len(shape) and all(
        length > 0 if isinstance(allowed, str) else length == allowed
        for length, allowed in zip(numbers.shape, shape, strict=True)
    )
    if not fits:
        wanted = f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"
        raise InvalidInputError(f"{name} has shape {numbers.shape}. It must be {wanted}, {hint}.")
    if finite and not np.isfinite(numbers).all():
        where = tuple(np.argwhere(~np.isfinite(numbers))[0].tolist())
        place = where[0] if len(where) == 1 else where
        raise InvalidInputError(
            f"{name}: entry {place} is {numbers[where]}. All must be finite: leave out what "
            "failed or diverged."
        )
    return numbers


def _as_floats(name, values):
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biufO":
            raise TypeError(f"of dtype {array.dtype}")
        return array.astype(float)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidTypeError(
            f"{name}: got {type(values).__name__} that is no array of real numbers ({error})."
        ) from error
