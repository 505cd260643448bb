"""Refuse arguments, naming each, its value and what is allowed."""

import math
from numbers import Integral, Real

import numpy as np

from .exceptions import InvalidInputError, InvalidTypeError


def refusal(name, value, allowed):
    """The error to raise for an argument that is not what it must be."""
    return InvalidInputError(f"{name}: got {value!r}. It must be {allowed}.")


def is_count(value, least=1, most=math.inf):
    """Whether a value is a whole number in a range."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    return whole and least <= value <= most


def check_count(name, value, least=1, most=math.inf, *, also=""):
    """A whole number in a range, as int; ``also`` says what ``most`` is, or what else will do."""
    if not is_count(value, least, most):
        raise refusal(name, value, f"a whole number of at least {least}{also}")
    return int(value)


def check_positive(name, value, *, also=""):
    """A finite number above zero, as float; ``also`` says of what."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not (number and 0 < value < math.inf):
        raise refusal(name, value, f"a finite number above 0{also}")
    return float(value)


def check_not_negative(name, value):
    """A finite number of at least zero, as float."""
    return (
        0.0 if isinstance(value, Real) and value == 0 else check_positive(name, value, also=" or 0")
    )


def check_range(name, bounds, check):
    """Low and high bound as `check(name, value)` gives them; one number stands for both."""
    pair = bounds if isinstance(bounds, tuple | list) else (bounds, bounds)
    if len(pair) != 2:
        raise refusal(name, bounds, "a number or (low, high)")
    low, high = (check(name, bound) for bound in pair)
    if low > high:
        raise InvalidInputError(f"{name}: got {bounds!r}. The low bound must come first.")
    return low, high


def check_choice(name, value, choices):
    """One of several choices."""
    if not any(isinstance(value, type(choice)) and value == choice for choice in choices):
        raise refusal(name, value, " or ".join(map(repr, choices)))


def check_rows(X):
    """Refuse lists of networks, of spectra, or of rows of unequal lengths in place of rows."""
    if not isinstance(X, list | tuple) or not len(X):
        return
    make = (
        "LyapunovSpectrumTransformer makes rows of one length of networks (fit_transform) and of "
        "their spectra (from_spectra)."
    )
    first = X[0]
    if hasattr(first, "state_dict") or not (isinstance(first, Real) or np.iterable(first)):
        raise InvalidTypeError(f"X: its entries are {type(first).__name__}s, not numbers. {make}")
    lengths = {len(row) for row in X if np.iterable(row)}
    if len(lengths) > 1:
        raise InvalidInputError(
            f"X: its rows have {min(lengths)} to {max(lengths)} entries. They must be of one "
            f"length. {make}"
        )
