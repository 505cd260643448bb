"""What the networks of a population are made from."""

from dataclasses import dataclass
from math import exp, log

import numpy as np

from .._checks import check_count, check_positive, check_range
from ..exceptions import InvalidInputError
from ._modules import check_kind

LARGEST_SEED = 2**31


@dataclass(frozen=True)
class Recipe:
    """All that one network is made from.

    Attributes
    ----------
    kind : str
        Recurrent layer, as for :class:`SequenceNetwork`.
    hidden_size : int
        Number of hidden units.
    half_width : float
        Bound of the recurrent weights before training.
    learning_rate : float
        Step size of the optimizer.
    seed : int
        Draws the weights and the order of training.
    """

    kind: str
    hidden_size: int
    half_width: float
    learning_rate: float
    seed: int


def draw_recipes(n_networks, kinds, hidden_sizes, half_widths, learning_rates, random_state):
    """Recipes as :func:`make_population` describes them, one after the other.

    Returns
    -------
    list of Recipe
        The first of them are the same whatever their number.

    Raises
    ------
    InvalidInputError
        Naming the argument that is out of range.
    """
    check_count("n_networks", n_networks)
    kinds = _checked_kinds(kinds)
    hidden_sizes = check_range("hidden_sizes", hidden_sizes, check_count)
    half_widths = check_range("half_widths", half_widths, check_positive)
    learning_rates = check_range("learning_rates", learning_rates, check_positive)
    rng = np.random.default_rng(check_count("random_state", random_state, least=0))
    return [
        Recipe(
            kind=kinds[i % len(kinds)],
            hidden_size=int(rng.integers(*hidden_sizes, endpoint=True)),
            half_width=_log_uniform(half_widths, rng),
            seed=int(rng.integers(LARGEST_SEED)),
            learning_rate=_log_uniform(learning_rates, rng),
        )
        for i in range(n_networks)
    ]


def _checked_kinds(kinds):
    several = np.iterable(kinds) and not isinstance(kinds, str)
    kinds = tuple(kinds) if several else (kinds,)
    if not kinds:
        raise InvalidInputError("kinds: got none. Name at least one kind of layer.")
    for kind in kinds:
        check_kind("kinds", kind)
    return kinds


def _log_uniform(bounds, rng):
    low, high = bounds
    return low if low == high else exp(rng.uniform(log(low), log(high)))
