"""Units, axes and ranks of features, that a few wild values cannot spoil."""

import numpy as np
from scipy.special import ndtri
from sklearn.preprocessing import QuantileTransformer
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

    Attributes
    ----------
    center, scale : ndarray of shape (n_columns,)
    """

    def __init__(self, values):
        median = np.median(values, axis=0)
        spread = _robust_deviation(values, median)
        pulled_in = np.clip(_divide(values - median, spread), -CLIP, CLIP)
        scale = spread * pulled_in.std(axis=0)
        self.center = median + spread * pulled_in.mean(axis=0)
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


class NormalScores:
    """Ranks among reference rows, column by column, as quantiles of a standard normal.

    Between the reference values ranks are interpolated; beyond them they stay half a rank from
    the end.

    Parameters
    ----------
    reference : ndarray of shape (n_rows, n_columns)
    """

    def __init__(self, reference):
        n_rows = len(reference)
        self._largest = ndtri(1 - 0.5 / n_rows)
        self._quantiles = QuantileTransformer(
            n_quantiles=n_rows, output_distribution="normal", subsample=None
        ).fit(reference)

    def __call__(self, values):
        """Scores (n_rows, n_columns) of rows."""
        return np.clip(self._quantiles.transform(values), -self._largest, self._largest)


def principal_axes(inputs, n_axes, rng):
    """Leading right singular vectors (n_axes, n_columns) of rows, as many as there can be."""
    n_axes = min(n_axes, *inputs.shape)
    return randomized_svd(inputs, n_axes, power_iteration_normalizer="QR", random_state=rng)[2]


def _robust_deviation(values, median):
    """Deviation by the deciles, or the largest one where most values of a column are equal."""
    low, high = np.quantile(values, [0.1, 0.9], axis=0)
    largest = np.abs(values - median).max(axis=0)
    return np.where(high > low, (high - low) / _NORMAL_DECILE_RANGE, largest)


def _divide(values, scale):
    return np.divide(values, scale, out=np.zeros_like(values), where=scale > 0)
