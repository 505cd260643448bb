"""Refuse arguments that no task or population can be made from."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state

from ..exceptions import InvalidInputError


def check_count(name, value, least=1):
    """A whole number of at least `least`, as int."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise InvalidInputError(
            f"{name}: got {value!r}. It must be a whole number of at least {least}."
        )
    return int(value)


def check_positive(name, value):
    """A finite number above zero, as float."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not 0 < value < np.inf:
        raise InvalidInputError(f"{name}: got {value!r}. It must be a finite number above 0.")
    return float(value)


def check_range(name, bounds, check):
    """Low and high bound as `check(name, value)` gives them; one number stands for both."""
    pair = bounds if isinstance(bounds, tuple | list) else (bounds, bounds)
    if len(pair) != 2:
        raise InvalidInputError(f"{name}: got {bounds!r}. It must be a number or (low, high).")
    low, high = (check(name, bound) for bound in pair)
    if low > high:
        raise InvalidInputError(f"{name}: got {bounds!r}. The low bound must come first.")
    return low, high


def random_numbers(random_state):
    """A numpy generator; None makes a fresh one and leaves the global one alone."""
    try:
        return check_random_state(np.random.RandomState() if random_state is None else random_state)
    except ValueError as error:
        raise InvalidInputError(
            f"random_state: got {random_state!r}. It must be None, a whole number or a numpy "
            "RandomState."
        ) from error
