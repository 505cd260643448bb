"""Units and axes of features, that a few wild values cannot spoil."""

import numpy as np
from sklearn.utils.extmath import randomized_svd

CLIP = 5.0
"""Standardised values live in [-CLIP, CLIP]."""

_NORMAL_DECILE_RANGE = 2.5631
"""Distance between the first and last decile of a standard normal."""


class WinsorizedScaler:
    """Shift and scale every column to mean 0 and standard deviation 1, then clip.

    Mean and deviation are taken after values further than ``CLIP`` robust deviations from the
    median have been pulled in, so one diverged network does not flatten the others. A column
    that does not vary has scale 0: it standardises to 0 whatever comes, and is restored exactly.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
        The rows that define the columns' units.
    shares : ndarray of shape (n_rows,)
        What each row counts.
    few : float, optional
        Share of rows beyond which those that lie far off are no few wild ones, but a kind of
        their own: then the unit is so large that they are not pulled in. A single row of average
        weight is always taken for wild.

    Attributes
    ----------
    center, scale : ndarray of shape (n_columns,)
    """

    def __init__(self, values, shares, few=None):
        low, median, high = quantiles(values, shares, [0.1, 0.5, 0.9])
        largest = np.abs(values - median).max(axis=0)
        # Where most values of a column are equal, the largest deviation is its unit.
        spread = np.where(high > low, (high - low) / _NORMAL_DECILE_RANGE, largest)
        if few is not None:
            few = max(few, 1 / len(values))
            far = [_but_for_few(column, shares, few) for column in np.abs(values - median).T]
            spread = np.maximum(spread, np.array(far) / CLIP)
        pulled_in = np.clip(_divide(values - median, spread), -CLIP, CLIP)
        mean = np.average(pulled_in, axis=0, weights=shares)
        scale = spread * np.sqrt(np.average((pulled_in - mean) ** 2, axis=0, weights=shares))
        self.center = median + spread * mean
        varies = scale > 10 * np.finfo(float).eps * np.abs(self.center)
        self.scale = np.where(varies, scale, 0.0)

    def standardize(self, values):
        """Return `values` in units of the columns' deviation, clipped to [-CLIP, CLIP]."""
        return np.clip(self.in_units(values - self.center), -CLIP, CLIP)

    def in_units(self, differences):
        """Divide `differences` by the columns' scale; 0 where a column does not vary."""
        return _divide(differences, self.scale)

    def restore(self, standardized):
        """Undo `standardize`, up to the clipping."""
        return self.center + self.scale * standardized


def quantiles(values, shares, orders):
    """Quantiles (n_orders, n_columns) of rows, linear between the middles of their shares."""
    return np.array([_quantiles_of(column, shares, orders) for column in values.T]).T


def _quantiles_of(column, shares, orders):
    order = np.argsort(column)
    shares = shares[order]
    middles = (np.cumsum(shares) - shares / 2) / shares.sum()
    return np.interp(orders, middles, column[order])


def _but_for_few(column, shares, few):
    """The largest value that more than a share of the rows reach; 0 where there is none."""
    order = np.argsort(-column)
    reach = np.cumsum(shares[order]) / shares.sum()
    more = np.flatnonzero(reach > few * (1 + 1e-9))
    return column[order][more[0]] if len(more) else 0.0


def principal_axes(inputs, shares, n_axes, rng):
    """Leading right singular vectors (n_axes, n_columns) of rows, as many as there can be."""
    n_axes = min(n_axes, *inputs.shape)
    weighted = np.sqrt(shares)[:, None] * inputs
    return randomized_svd(weighted, n_axes, power_iteration_normalizer="QR", random_state=rng)[2]


def _divide(values, scale):
    return np.divide(values, scale, out=np.zeros_like(values), where=scale > 0)
