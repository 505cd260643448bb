"""How faults end, and what counts as a good end."""

import re
import traceback
import warnings
from dataclasses import dataclass

import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings

from lyapsk.exceptions import LyapskError, LyapskWarning


@dataclass(frozen=True)
class Outcome:
    """How the cases of a fault ended.

    Attributes
    ----------
    cases : int
    failures : list of str
        The cases that ended in anything but a clear error or the right answer.
    lost : int
        Results of innocent networks that were lost or changed.
    """

    cases: int
    failures: list
    lost: int = 0


def attempted(function, *args):
    """What a function gives, or its error; warnings that are not lyapsk's are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", LyapskWarning)
        # torch.func.jvp itself still calls it.
        warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated")
        # scikit-learn's own, by its conventions.
        warnings.filterwarnings("ignore", "X .* feature names")
        try:
            return function(*args)
        except Exception as error:
            return error


def is_clear(error):
    """Whether it is an error of lyapsk's, scikit-learn's about what it validates, or torch's about
    a tensor that is no array."""
    validated = re.search("sklearn.(utils|externals)|torch._tensor", place(error))
    return isinstance(error, LyapskError) or bool(validated)


def place(error):
    """Where an error was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def wrong(found, expected, *, must_work=False, atol=1e-9):
    """What is wrong with what a case gave, arrays or an error; None where nothing is."""
    if isinstance(found, Exception):
        if is_clear(found) and not must_work:
            return None
        return f"{type(found).__name__} at {place(found)}: {str(found)[:200]}"
    if isinstance(expected, Warning):
        return None
    if isinstance(expected, Exception):
        return f"accepted, though as a plain array it is refused: {str(expected)[:200]}"
    if len(found) == len(expected) and all(map(_close(atol), found, expected)):
        return None
    return f"wrong numbers: {found} instead of {expected}"


def _close(atol):
    def close(one, other):
        one, other = np.asarray(one), np.asarray(other)
        return one.shape == other.shape and np.allclose(one, other, 1e-9, atol, equal_nan=True)

    return close


def drawn(case, strategy, n_cases, seed):
    """Outcome of ``case``, which tells what went wrong or gives None, over draws of a strategy."""
    told = []

    @hypothesis.seed(seed)
    @settings(
        max_examples=n_cases,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def run(value):
        fault = case(value)
        told.append(fault and f"{value}: {fault}")

    run()
    return Outcome(len(told), [fault for fault in told if fault])
