"""What scores at a few epochs say of every candidate's score at the last one."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import cdist
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

SHARED = 4.0
"""Prior variance of what all candidates share, in units of what tells them apart."""

NOISE = 0.01
"""Variance of what nothing explains, in the same units."""

TINY = 1e-6
"""Variance of scores that are all the same."""

NEXT_TO_NOTHING = 1e-280
"""Size below which a score counts as zero."""

LENGTHS = (0.5, 2.0, 8.0)
"""Of the kernels, in median distances."""

WEIGHTS = (0.2, 0.5, 0.8)
"""Of the first kind of features beside the second."""

LATE = 0.5
"""Share, of what early features do not tell, that later ones do."""

SHARES = (0.3, 0.6, 0.85)
"""Of a score that features tell."""

MEMORIES = (1.0, 4.0)
"""Over how many factors of e in the number of epochs scores change."""


@dataclass(frozen=True)
class Forecast:
    """Scores at the last epoch, predicted on a scale on which those seen are normal.

    Attributes
    ----------
    mean, std : ndarray of shape (n_candidates,)
    seen, normal : ndarray of shape (n_scores,)
        Scores that were seen, from the lowest, and where they lie on the scale.
    """

    mean: np.ndarray
    std: np.ndarray
    seen: np.ndarray
    normal: np.ndarray

    def scores(self):
        """Median of each candidate's score; never outside those that were seen."""
        return np.interp(self.mean, self.normal, self.seen)

    def chance(self, bar):
        """Probability that each candidate's score is above a bar."""
        return ndtr(self._ahead(bar))

    def improvement(self, bar):
        """Expected improvement on a score, on the scale."""
        ahead = self._ahead(bar)
        return self.std * (ahead * ndtr(ahead) + np.exp(-(ahead**2) / 2) / np.sqrt(2 * np.pi))

    def _ahead(self, bar):
        return (self.mean - np.interp(bar, self.seen, self.normal)) / self.std


class Forecaster:
    """A Gaussian process over candidates and epochs, as in freeze-thaw optimisation [1]_.

    Scores are alike where features are, and where they belong to one candidate, the less the
    further apart their epochs are. What all candidates share at an epoch is left open. The
    process sees the ranks of the scores, so that any increasing function of them leads to the
    same forecast, and has those parameters of a small grid under which they are likeliest.

    Parameters
    ----------
    features : list of ndarray of shape (n_candidates, n_features)
        One kind or two, standardised.

    References
    ----------
    .. [1] K. Swersky, J. Snoek and R. P. Adams, "Freeze-Thaw Bayesian Optimization", arXiv
       1406.3896.
    """

    def __init__(self, features):
        self.distances = [distances(X) for X in features]

    def __call__(self, candidates, epochs, scores, last_epoch, late=None):
        """Look ahead from scores, the greater the better.

        Parameters
        ----------
        candidates, epochs, scores : array-like of shape (n_scores,)
        last_epoch : int
        late : ndarray of shape (n_candidates, n_features), optional
            Features after the first epochs, standardised; rows of NaN for candidates without.

        Returns
        -------
        forecast : Forecast
        """
        candidates, times = np.asarray(candidates), np.log(epochs)
        # Where scores differ by less than this, slopes between them overflow.
        scores = np.where(np.abs(scores) < NEXT_TO_NOTHING, 0.0, scores)
        normal = ndtri((rankdata(scores) - 0.5) / len(scores))
        gaps, to_last = np.abs(np.subtract.outer(times, times)), np.abs(np.log(last_epoch) - times)
        fits = [
            (_fit(_over_epochs(alike[candidates], gaps, memory), normal), alike, memory)
            for alike, memory in self._kernels(candidates, late)
        ]
        fit, alike, memory = max(fits, key=lambda each: each[0].likelihood)
        mean, std = fit.predict(_over_epochs(alike, to_last, memory))
        order = np.argsort(scores)
        return Forecast(mean, std, scores[order], normal[order])

    def _kernels(self, candidates, late):
        """How alike all candidates are to those that have scores, and for how long."""
        own = np.equal.outer(np.arange(len(self.distances[0])), candidates).astype(float)
        early = [distance[:, candidates] for distance in self.distances]
        later = None if late is None else distances(late)[:, candidates]
        weights = WEIGHTS if len(early) == 2 else (1.0,)
        for length, weight in product(LENGTHS, weights):
            kernels = [np.exp(-distance / length) for distance in early]
            told = sum(w * k for w, k in zip((weight, 1 - weight), kernels, strict=False))
            rest = own
            if late is not None:
                told_late = (1 - LATE) * own + LATE * np.exp(-later / length)
                rest = np.where(np.isnan(later), own, told_late)
            for share, memory in product(SHARES, MEMORIES):
                yield share * told + (1 - share) * rest, memory


def distances(X):
    """Distances between rows (n, n), in units of their median; NaN for rows of NaN."""
    apart = cdist(X, X)  # Equal rows are 0 apart, exactly: they must not weigh on the median.
    known = apart[apart > 0]
    return apart / np.median(known) if len(known) else apart


@dataclass(frozen=True)
class _Fit:
    """A Gaussian process with one covariance, in units of `variance`."""

    likelihood: float
    factor: tuple
    weights: np.ndarray
    variance: float

    def predict(self, cross):
        """Mean and standard deviation, from the covariance with what was seen."""
        told = np.einsum("ij,ji->i", cross, cho_solve(self.factor, cross.T))
        left = np.maximum(1 + 2 * SHARED - told, NOISE)
        return cross @ self.weights, np.sqrt(self.variance * left)


def _fit(covariance, normal):
    n = len(normal)
    factor = cho_factor(covariance + NOISE * np.eye(n), lower=True, check_finite=False)
    weights = cho_solve(factor, normal, check_finite=False)
    variance = max(normal @ weights / n, TINY)
    likelihood = -n / 2 * np.log(variance) - np.log(np.diag(factor[0])).sum()
    return _Fit(likelihood, factor, weights, variance)


def _over_epochs(alike, gaps, memory):
    """Covariance of scores whose epochs are so many factors of e apart."""
    lasting = (1 + np.exp(-gaps / memory)) / 2
    return alike * lasting + SHARED * (gaps == 0) + SHARED
