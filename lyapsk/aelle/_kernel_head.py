"""Kernel ridge regression on latent codes, chosen and measured by leaving one out."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import eigh, solve
from scipy.spatial.distance import cdist

BANDWIDTHS = (0.5, 1, 2, 4, 8, 16)
"""Candidates, in units of the mean distance between codes."""

RIDGES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Candidates, in units of the kernel's value at distance 0."""


@dataclass(frozen=True)
class KernelHead:
    """Prediction ``offset + k(z) @ weights`` with ``k_i(z) = exp(-|z - codes_i| / bandwidth)``.

    The same formulas are those of a Gaussian process with this kernel and noise `ridge`, from
    which the variance comes, in units of the kernel's value at distance 0.

    Attributes
    ----------
    codes : ndarray of shape (n_rows, latent_dim)
    offset : ndarray of shape (n_targets,)
        What is predicted far from all codes: the targets' mean.
    weights : ndarray of shape (n_rows, n_targets)
    bandwidth, ridge : float
    residuals : ndarray of shape (n_rows, n_targets)
        Each row's target minus its prediction by the other rows.
    variances : ndarray of shape (n_rows,)
        Variance of each row's target given the other rows.
    """

    codes: np.ndarray
    offset: np.ndarray
    weights: np.ndarray
    bandwidth: float
    ridge: float
    residuals: np.ndarray
    variances: np.ndarray

    def predict(self, codes):
        """Return the predicted targets, (n_rows, n_targets)."""
        return self.offset + self._similarity(codes) @ self.weights

    def variance(self, codes):
        """Return the variance of new targets, (n_rows,), from `ridge` up to ``1 + ridge``."""
        similarity = self._similarity(codes)
        gram = self._similarity(self.codes) + self.ridge * np.eye(len(self.codes))
        explained = np.sum(similarity.T * solve(gram, similarity.T, assume_a="pos"), axis=0)
        return np.maximum(1 - explained, 0) + self.ridge

    def refitted(self, codes, targets):
        """Predictor with the same bandwidth and ridge from other rows."""
        offset = targets.mean(axis=0)
        gram = np.exp(-cdist(codes, codes) / self.bandwidth) + self.ridge * np.eye(len(codes))
        weights = solve(gram, targets - offset, assume_a="pos")
        return replace(self, codes=codes, offset=offset, weights=weights)

    def _similarity(self, codes):
        return np.exp(-cdist(codes, self.codes) / self.bandwidth)


def fit_kernel_head(codes, targets):
    """Return the `KernelHead` with the smallest leave-one-out error among the candidates."""
    distances = cdist(codes, codes)
    unit = distances.mean() or 1.0
    heads = (
        head
        for bandwidth in BANDWIDTHS
        for head in _ridge_path(codes, targets, distances, bandwidth * unit)
    )
    return min(heads, key=lambda head: np.mean(head.residuals**2))


def _ridge_path(codes, targets, distances, bandwidth):
    """Yield one head for each ridge, from one eigendecomposition ``K = U diag(s) U^T``.

    With ``P = (K + ridge I)^-1`` the leave-one-out residuals are ``(P y)_i / P_ii`` and the
    variances ``1 / P_ii`` (Rasmussen and Williams, "Gaussian Processes for Machine Learning",
    section 5.4.2).
    """
    s, U = eigh(np.exp(-distances / bandwidth))
    offset = targets.mean(axis=0)
    projected = U.T @ (targets - offset)
    for ridge in RIDGES:
        shrinkage = 1 / (np.maximum(s, 0) + ridge)
        weights = U @ (shrinkage[:, None] * projected)
        variances = 1 / (U**2 @ shrinkage)
        residuals = weights * variances[:, None]
        yield KernelHead(codes, offset, weights, bandwidth, ridge, residuals, variances)
