"""Named numbers that sum up a spectrum."""

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from .._checks import check_rows
from .._persistence import Persistent
from ..exceptions import InvalidInputError
from ..spectrum import entropy_rate, kaplan_yorke_dimension

FLOOR = -10.0
LARGEST = 1e100
"""Sums of squares of what is no larger do not overflow."""
_LARGEST_EXP = 50.0
_RESOLUTION = 0.01
"""Nats per step that an exponent is usually known to."""


class SpectrumStatistics(Persistent, TransformerMixin, BaseEstimator):
    """Statistics of spectra: counts and shares above thresholds, extremes, moments, sums.

    A quantile grid forgets how many directions a network has and where its exponents lie; these
    statistics keep both. Each row may have its own number of exponents. In order:

    ``count_above_...``, ``share_above_...``
        Number and share of exponents above each threshold.
    ``size``, ``largest``, ``smallest``, ``mean``, ``median``, ``standard_deviation``, ``sum``
        Of the exponents; size is their number, all others are in nats per step.
    ``sum_exp``, ``mean_exp``
        Of ``exp(exponent)``, the factors by which a step stretches.
    ``entropy_rate``, ``kaplan_yorke_dimension``
        As in :class:`LyapunovSpectrum`.
    ``signed_log_largest``, ``signed_log_smallest``, ``signed_log_sum``
        ``sign(x) log(1 + abs(x) / 0.01)`` of these three: near 0 it is the ratio that matters, as
        -0.01 and -0.02 stand for gradients that last 100 steps and 50.

    Parameters
    ----------
    thresholds : sequence of float, default=(-0.02, -0.1, -0.2, -0.5, -1.0, -2.0)
        In nats per step. For each, the number and the share of exponents above it.
    floor : float, default=-10.0
        Exponents below it, also minus infinity, are set to it.

    Attributes
    ----------
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only if ``X`` has column names.

    See Also
    --------
    LyapunovSpectrumTransformer : Gives these as its block ``"statistics"``.

    Examples
    --------
    >>> import numpy as np
    >>> from lyapsk import SpectrumStatistics
    >>> spectra = np.array([[0.1, -0.3, -np.inf], [-0.05, -0.3, np.nan]])
    >>> statistics = SpectrumStatistics(thresholds=[-0.1]).set_output(transform="pandas")
    >>> statistics.fit_transform(spectra)[["count_above_-0.1", "share_above_-0.1", "size"]]
       count_above_-0.1  share_above_-0.1  size
    0               1.0          0.333333   3.0
    1               1.0          0.500000   2.0
    """

    _parameter_constraints = {
        "thresholds": ["array-like"],
        "floor": [Interval(Real, -LARGEST, 0, closed="left")],
    }

    def __init__(self, thresholds=(-0.02, -0.1, -0.2, -0.5, -1.0, -2.0), floor=FLOOR):
        self.thresholds = thresholds
        self.floor = floor

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Check parameters and spectra; nothing is learned.

        Parameters
        ----------
        X : array-like of shape (n_networks, n_exponents)
            Exponents in nats per step, in any order. NaN stands for "no such exponent" in rows
            of smaller networks.
        y : ignored

        Returns
        -------
        self
        """
        _check_thresholds(self.thresholds)
        self._validated(X, reset=True)
        return self

    def transform(self, X):
        """Statistics of each spectrum.

        Parameters
        ----------
        X : array-like of shape (n_networks, n_exponents)

        Returns
        -------
        ndarray of shape (n_networks, n_statistics)
        """
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        return np.stack([self._row(row[~np.isnan(row)]) for row in X])

    def get_feature_names_out(self, input_features=None):
        """Names of the statistics."""
        above = [f"{kind}_above_{t:g}" for kind in ("count", "share") for t in self._thresholds]
        return np.array(above + list(_STATISTICS), dtype=object)

    def _row(self, exponents):
        counts = (exponents > self._thresholds[:, None]).sum(1)
        rest = [statistic(exponents) for statistic in _STATISTICS.values()]
        return np.concatenate([counts, counts / len(exponents), rest])

    @property
    def _thresholds(self):
        return np.array([float(threshold) for threshold in self.thresholds])

    def _validated(self, X, *, reset):
        check_rows(X)
        X = validate_data(self, X, reset=reset, dtype=float, ensure_all_finite=False)
        if (X > LARGEST).any() or np.isnan(X).all(1).any():
            raise InvalidInputError(
                f"X: a row holds infinity, a number above {LARGEST:g}, or nothing but NaN. Each "
                "row must hold at least one exponent, finite or minus infinity; NaN pads the rows "
                "of smaller networks."
            )
        return np.maximum(X, self.floor)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "n_features_in_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _check_thresholds(thresholds):
    try:
        names = {f"{float(threshold):g}" for threshold in thresholds}
        usable = len(names) == len(thresholds) and np.isfinite(np.asarray(thresholds, float)).all()
    except (TypeError, ValueError):
        usable = False
    if not usable:
        raise InvalidInputError(
            f"thresholds: got {thresholds!r}. Pass finite numbers that differ in six digits."
        )


def _signed_log(exponent):
    return np.sign(exponent) * np.log1p(np.abs(exponent) / _RESOLUTION)


_STATISTICS = {
    "size": len,
    "largest": np.max,
    "smallest": np.min,
    "mean": np.mean,
    "median": np.median,
    "standard_deviation": np.std,
    "sum": np.sum,
    "sum_exp": lambda exponents: np.exp(np.minimum(exponents, _LARGEST_EXP)).sum(),
    "mean_exp": lambda exponents: np.exp(np.minimum(exponents, _LARGEST_EXP)).mean(),
    "entropy_rate": entropy_rate,
    "kaplan_yorke_dimension": lambda exponents: kaplan_yorke_dimension(np.sort(exponents)[::-1]),
    "signed_log_largest": lambda exponents: _signed_log(exponents.max()),
    "signed_log_smallest": lambda exponents: _signed_log(exponents.min()),
    "signed_log_sum": lambda exponents: _signed_log(exponents.sum()),
}
