"""A sum of four sine waves, to be generated."""

from functools import partial

import numpy as np
from torch import nn

from .._checks import check_count, check_positive
from .._random_state import random_numbers
from ..exceptions import InvalidInputError
from ._base import SequenceTask
from ._metrics import NRMSE
from ._modules import SequenceNetwork

_AMPLITUDES = np.array([1, 1 / 2, 1 / 6, 1 / 3])


def four_sines(n_train=1024, n_valid=256, n_cue=20, n_free=40, period=40, random_state=0):
    """Carry on a sum of four sine waves after it was heard for a while.

    The wave has a fundamental and three overtones with amplitudes 1, 1/2, 1/6 and 1/3, and is
    scaled to a maximum of 1. Each sequence starts at a phase of its own. The network hears the
    wave for ``n_cue`` steps and silence from then on, where it must generate what would have
    followed.

    Parameters
    ----------
    n_train, n_valid : int, default=1024 and 256
        Number of sequences.
    n_cue : int, default=20
        Steps with the wave as input.
    n_free : int, default=40
        Steps with zero as input, and the wave as target.
    period : float, default=40
        Steps of one period of the fundamental, above 8 so that the last overtone shows.
    random_state : int, RandomState instance or None, default=0
        Draws the phases.

    Returns
    -------
    task : SequenceTask
        ``n_cue + n_free`` steps, 1 input and 1 output; targets (n_sequences, n_free, 1).

    Notes
    -----
    The wave is the target that D. Sussillo and L. F. Abbott taught chaotic networks by FORCE
    learning, and that R. Vogt, Y. Zheng and E. Shlizerman took as the target of their
    four-sine task. Their networks generate it without any input from a state that FORCE learning
    leaves on the target. Networks that are trained by gradients start from zero: the cue tells
    them the phase.

    References
    ----------
    D. Sussillo and L. F. Abbott (2009), "Generating coherent patterns of activity from chaotic
    neural networks", Neuron 63(4), figure 2D. R. Vogt, Y. Zheng and E. Shlizerman (2022),
    "Lyapunov-guided representation of recurrent neural network performance", arXiv 2204.04876.

    Examples
    --------
    >>> from lyapsk.tasks import four_sines
    >>> task = four_sines(n_train=20, n_valid=10)
    >>> task.X_train.shape, task.y_train.shape
    ((20, 60, 1), (20, 40, 1))
    """
    check_count("n_train", n_train)
    check_count("n_valid", n_valid)
    check_count("n_cue", n_cue)
    check_count("n_free", n_free)
    if check_positive("period", period) <= 8:
        raise InvalidInputError(f"period: got {period!r}. It must be above 8 steps.")
    start = random_numbers(random_state).uniform(0, period, size=(n_train + n_valid, 1, 1))
    wave = _wave((start + np.arange(n_cue + n_free)[:, np.newaxis]) / period).astype(np.float32)
    X, y = wave.copy(), wave[:, n_cue:]
    X[:, n_cue:] = 0
    return SequenceTask.split(
        name="four sines",
        X=X,
        y=y,
        n_train=n_train,
        module=partial(SequenceNetwork, read_from=n_cue),
        criterion=nn.MSELoss,
        metric=NRMSE,
    )


def _wave(periods):
    """The wave at times counted in periods, any shape."""
    return _unscaled(periods) / _unscaled(np.linspace(0, 1, 10_001)).max()


def _unscaled(periods):
    harmonics = np.arange(1, len(_AMPLITUDES) + 1)
    return np.sin(2 * np.pi * np.multiply.outer(periods, harmonics)) @ _AMPLITUDES
