"""Kernel ridge regression, chosen and measured by leaving one out."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import eigh, solve

from ._kernels import Exponential, Linear

RIDGES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Candidates, in units of the kernel of a usual row with itself."""


@dataclass(frozen=True)
class KernelHead:
    """Prediction ``offset + k(z) @ weights`` with ``k_i(z) = kernel(z, rows_i)``.

    The same formulas are those of a Gaussian process with this kernel and noise `ridge`, from
    which the variance comes, in units of the kernel.

    Attributes
    ----------
    kernel : Exponential or Linear
    rows : ndarray of shape (n_rows, n_columns)
    offset : ndarray of shape (n_targets,)
        The targets' mean.
    weights : ndarray of shape (n_rows, n_targets)
    ridge : float
    residuals : ndarray of shape (n_rows, n_targets)
        Each row's target minus its prediction by the other rows.
    variances : ndarray of shape (n_rows,)
        Variance of each row's target given the other rows.
    """

    kernel: Exponential | Linear
    rows: np.ndarray
    offset: np.ndarray
    weights: np.ndarray
    ridge: float
    residuals: np.ndarray
    variances: np.ndarray

    def predict(self, rows):
        """Return the predicted targets, (n_rows, n_targets)."""
        return self.offset + self.kernel(rows, self.rows) @ self.weights

    def variance(self, rows):
        """Return the variance of new targets, (n_rows,), at least `ridge`."""
        similarity = self.kernel(rows, self.rows)
        explained = np.sum(similarity.T * _solve(self, similarity.T), axis=0)
        return np.maximum(self.kernel.with_itself(rows) - explained, 0) + self.ridge

    def refitted(self, rows, targets):
        """Predictor with the same kernel and ridge from other rows."""
        moved = replace(self, rows=rows, offset=targets.mean(axis=0))
        return replace(moved, weights=_solve(moved, targets - moved.offset))


def fit_kernel_head(rows, targets, kernels):
    """Return the `KernelHead` with the smallest leave-one-out error for any kernel and ridge."""
    heads = (head for kernel in kernels for head in _ridge_path(rows, targets, kernel))
    return min(heads, key=lambda head: np.mean(head.residuals**2))


def _ridge_path(rows, targets, kernel):
    """Yield one head for each ridge, from one eigendecomposition ``K = U diag(s) U^T``.

    With ``P = (K + ridge I)^-1`` the leave-one-out residuals are ``(P y)_i / P_ii`` and the
    variances ``1 / P_ii`` (Rasmussen and Williams, "Gaussian Processes for Machine Learning",
    section 5.4.2).
    """
    s, U = eigh(kernel(rows, rows))
    offset = targets.mean(axis=0)
    projected = U.T @ (targets - offset)
    for ridge in RIDGES:
        shrinkage = 1 / (np.maximum(s, 0) + ridge)
        weights = U @ (shrinkage[:, None] * projected)
        variances = 1 / (U**2 @ shrinkage)
        residuals = weights * variances[:, None]
        yield KernelHead(kernel, rows, offset, weights, ridge, residuals, variances)


def _solve(head, values):
    """``(K + ridge I)^-1 values`` for the rows of a head."""
    gram = head.kernel(head.rows, head.rows) + head.ridge * np.eye(len(head.rows))
    return solve(gram, values, assume_a="pos")
