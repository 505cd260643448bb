"""Parameters of networks: their names, and what they are in numbers."""

import warnings
from itertools import cycle, islice
from numbers import Real

import numpy as np
from sklearn.base import clone
from sklearn.feature_extraction import DictVectorizer
from sklearn.model_selection import ParameterSampler

from .._random import seeded
from ..exceptions import InvalidInputError, LyapskError

DECIDED = {
    "max_epochs": "How long each network is trained is what the search decides: give the net "
    "itself the largest max_epochs instead.",
    "train_split": "All networks are scored on the same data: give the net itself a train_split.",
    "verbose": "Candidates are trained in silence: set verbose of the search.",
}
"""Parameters of nets that are not for candidates to vary, and what to do."""

N_TRIED = 3
"""Networks that may fail before the fault is looked for in what all of them share."""

DECADE = 10
"""Positive numbers that spread further than this are compared by their logarithms."""


def draw(distributions, n, random_state):
    """So many settings; where there are fewer combinations, each comes again."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The total space of parameters", UserWarning)
        drawn = list(ParameterSampler(distributions, n, random_state=random_state))
    return list(islice(cycle(drawn), n))


def check_names(net, params):
    """Refuse parameters that a net lacks.

    Raises
    ------
    InvalidInputError
    """
    for name, remedy in DECIDED.items():
        if name in params:
            raise InvalidInputError(f"param_distributions: names {name!r}. {remedy}")
    try:
        made(net, params)
    except Exception as error:
        lacking = isinstance(error, TypeError) and "unexpected" in str(error)
        if not (lacking or "Invalid parameter" in str(error)):
            return  # The fault of a value, and so of one candidate.
        raise InvalidInputError(
            f"param_distributions: got {sorted(params)}, not all of which the net has: {error}"
        ) from error


def check_readable(net, settings, transformer):
    """Refuse what keeps the spectrum of every net from being read; fits the transformer.

    Raises
    ------
    LyapskError
        If none of the nets can be made, or none of the first that can be made can be read.
    """
    n_tried, error = 0, None
    for params in settings:
        try:
            nets = [made(net, params)]
        except Exception as failure:
            error = failure
            continue
        try:
            transformer.fit_transform(nets)
            return
        except LyapskError as failure:
            error, n_tried = failure, n_tried + 1
            if n_tried == N_TRIED:
                raise
    raise InvalidInputError(
        f"param_distributions: none of {len(settings)} candidates can be made and read; the last "
        f"fails with {type(error).__name__}: {error}"
    ) from error


def made(net, params):
    """The net with some parameters, initialised."""
    with seeded(0):
        return clone(net).set_params(**params).initialize()


def in_numbers(settings):
    """Settings as columns, (n_settings, n_columns).

    Numbers stay numbers, or become logarithms where they are positive and spread over more than a
    decade; of anything else there is a column for each value.
    """
    names = sorted({name for params in settings for name in params})
    logarithmic = {name for name in names if _spreads([s[name] for s in settings if name in s])}
    rows = [{name: _told(v, name in logarithmic) for name, v in s.items()} for s in settings]
    return DictVectorizer(sparse=False).fit_transform(rows)


def _spreads(values):
    if not all(map(_is_number, values)) or min(values) <= 0:
        return False
    return max(values) > DECADE * min(values)


def _told(value, logarithmic):
    if logarithmic:
        return float(np.log(value))
    return float(value) if _is_number(value) else repr(value)


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool) and np.isfinite(value)
