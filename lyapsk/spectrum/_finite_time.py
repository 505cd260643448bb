"""Finite-time exponents: growth averaged over part of a sequence."""

import numpy as np


def mean_growth_to_end(growth, n_steps):
    """Mean growth over the steps that follow each step.

    Parameters
    ----------
    growth : ndarray of shape (n_sequences, n_steps, ...)
        Growth of every step.
    n_steps : array-like of int of shape (n_sequences,)
        Steps of each sequence; those after it do not count.

    Returns
    -------
    ndarray of the shape of ``growth``
        NaN from a sequence's last step on, which nothing follows.
    """
    trailing = (1,) * (growth.ndim - 2)
    step = np.arange(growth.shape[1]).reshape(1, -1, *trailing)
    last = np.asarray(n_steps).reshape(-1, 1, *trailing) - 1
    own = np.where(step <= last, growth, 0)
    following = np.flip(np.cumsum(np.flip(own, 1), 1), 1)[:, 1:]
    following = np.concatenate([following, np.zeros_like(growth[:, :1])], 1)
    count = np.where(step < last, last - step, np.nan)
    return following / count
