"""The NARMA-10 benchmark."""

from functools import partial

import numpy as np
from torch import nn

from .._checks import check_count
from .._random_state import random_numbers
from ..exceptions import InvalidInputError
from ._base import SequenceTask
from ._metrics import NRMSE
from ._modules import SequenceNetwork

_ORDER = 10
# The recursion has an unstable fixed point, at 1.24 or below whatever the input: beyond it, outputs
# are on their way to infinity.
_LARGEST = 1.25


def narma10(n_train=2048, n_valid=256, n_steps=100, washout=30, random_state=0):
    """Follow a nonlinear autoregressive moving average of order ten.

    From inputs u, uniform in [0, 0.5], a network computes at every step t

    ``y_{t+1} = 0.3 y_t + 0.05 y_t (y_t + ... + y_{t-9}) + 1.5 u_{t-9} u_t + 0.1``,

    where all is zero before the first step. Sequences that diverge are drawn anew.

    Parameters
    ----------
    n_train, n_valid : int, default=2048 and 256
        Number of sequences.
    n_steps : int, default=100
        Steps of each sequence.
    washout : int, default=30
        First steps without a target: until then the start from zero shows.
    random_state : int, RandomState instance or None, default=0
        Draws the inputs.

    Returns
    -------
    task : SequenceTask
        1 input and 1 output; targets (n_sequences, n_steps - washout, 1).

    References
    ----------
    A. F. Atiya and A. G. Parlos (2000), "New results on recurrent network training: unifying the
    algorithms and accelerating convergence", IEEE Transactions on Neural Networks 11(3).

    Examples
    --------
    >>> from lyapsk.tasks import narma10
    >>> task = narma10(n_train=20, n_valid=10)
    >>> task.X_train.shape, task.y_train.shape
    ((20, 100, 1), (20, 70, 1))
    """
    check_count("n_train", n_train)
    check_count("n_valid", n_valid)
    check_count("n_steps", n_steps)
    if check_count("washout", washout, least=0) >= n_steps:
        raise InvalidInputError(
            f"washout: got {washout!r} of n_steps={n_steps}. It must leave at least one step."
        )
    u, y = _draw(n_train + n_valid, n_steps, random_numbers(random_state))
    X = u[:, :, np.newaxis].astype(np.float32)
    targets = y[:, washout + 1 :, np.newaxis].astype(np.float32)
    return SequenceTask.split(
        name="NARMA-10",
        X=X,
        y=targets,
        n_train=n_train,
        module=partial(SequenceNetwork, read_from=washout),
        criterion=nn.MSELoss,
        metric=NRMSE,
    )


def _draw(n_sequences, n_steps, rng):
    """Inputs (n_sequences, n_steps), and outputs with one step more, none diverging."""
    u = np.empty((n_sequences, n_steps))
    y = np.full((n_sequences, n_steps + 1), np.inf)
    while (diverged := y.max(axis=1) > _LARGEST).any():
        u[diverged] = rng.uniform(0, 0.5, size=(diverged.sum(), n_steps))
        y[diverged] = _outputs(u[diverged])
    return u, y


def _outputs(u):
    """The recursion, clipped where it has left for infinity."""
    n_sequences, n_steps = u.shape
    y = np.zeros((n_sequences, n_steps + 1))
    for t in range(n_steps):
        now, last_ten = y[:, t], y[:, max(0, t - _ORDER + 1) : t + 1].sum(axis=1)
        oldest = u[:, t - _ORDER + 1] if t >= _ORDER - 1 else 0
        following = 0.3 * now + 0.05 * now * last_ten + 1.5 * oldest * u[:, t] + 0.1
        y[:, t + 1] = np.minimum(following, 2 * _LARGEST)
    return y
