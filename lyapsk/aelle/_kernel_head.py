"""Kernel ridge regression, chosen and measured by leaving one out."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import eigh, solve

from ._kernels import Exponential, Linear

RIDGES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Candidates, in units of the kernel of a usual row with itself."""


@dataclass(frozen=True)
class KernelHead:
    """Prediction ``offset + k(z) @ weights`` with ``k_i(z) = kernel(z, rows_i)``.

    The same formulas are those of a Gaussian process with this kernel and noise ``ridge / share``
    in a row, from which the variance comes, in units of the kernel.

    Attributes
    ----------
    kernel : Exponential or Linear
    rows : ndarray of shape (n_rows, n_columns)
    shares : ndarray of shape (n_rows,)
        What each row counts.
    offset : ndarray of shape (n_targets,)
        The targets' mean.
    weights : ndarray of shape (n_rows, n_targets)
    ridge : float
    residuals : ndarray of shape (n_rows, n_targets)
        Each row's target minus its prediction by the other rows.
    variances : ndarray of shape (n_rows,)
        Variance of a target that counts 1 in each row, given the other rows.
    """

    kernel: Exponential | Linear
    rows: np.ndarray
    shares: np.ndarray
    offset: np.ndarray
    weights: np.ndarray
    ridge: float
    residuals: np.ndarray
    variances: np.ndarray

    @property
    def error(self):
        """Mean squared leave-one-out residual, of all targets together."""
        return np.average(np.sum(self.residuals**2, axis=1), weights=self.shares)

    def predict(self, rows):
        """Return the predicted targets, (n_rows, n_targets)."""
        return self.offset + self.kernel(rows, self.rows) @ self.weights

    def variance(self, rows):
        """Return the variance of new targets that count 1, (n_rows,), at least `ridge`."""
        similarity = self.kernel(rows, self.rows)
        explained = np.sum(similarity.T * _solve(self, similarity.T), axis=0)
        return np.maximum(self.kernel.with_itself(rows) - explained, 0) + self.ridge

    def of(self, group):
        """The same for some of the targets."""
        offset, weights, residuals = (
            part[..., group] for part in (self.offset, self.weights, self.residuals)
        )
        return replace(self, offset=offset, weights=weights, residuals=residuals)

    def refitted(self, rows, targets, shares):
        """Predictor with the same kernel and ridge from other rows."""
        offset = np.average(targets, axis=0, weights=shares)
        moved = replace(self, rows=rows, shares=shares, offset=offset)
        return replace(moved, weights=_solve(moved, targets - offset))


def fit_kernel_heads(rows, targets, shares, kernels, groups):
    """For each group of targets, the `KernelHead` with the smallest leave-one-out error for any
    kernel and ridge.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_columns)
    targets : ndarray of shape (n_rows, n_targets)
    shares : ndarray of shape (n_rows,)
        What each row counts: its target is the mean of so many.
    kernels : list of Exponential or Linear
    groups : list of slice
        Columns of the targets that share kernel and ridge.

    Returns
    -------
    list of KernelHead
    """
    heads = [head for kernel in kernels for head in _ridge_path(rows, targets, shares, kernel)]
    return [
        min((head.of(group) for head in heads), key=lambda head: head.error) for group in groups
    ]


def _ridge_path(rows, targets, shares, kernel):
    """Yield one head for each ridge, from one eigendecomposition ``S K S = U diag(s) U^T``.

    ``S`` holds the square roots of the shares, so that ``S y`` has noise `ridge` everywhere. With
    ``P = (S K S + ridge I)^-1`` the leave-one-out residuals of ``S y`` are ``(P S y)_i / P_ii`` and
    the variances ``1 / P_ii`` (Rasmussen and Williams, "Gaussian Processes for Machine Learning",
    section 5.4.2).
    """
    roots = np.sqrt(shares)[:, None]
    s, U = eigh(roots * kernel(rows, rows) * roots.T)
    offset = np.average(targets, axis=0, weights=shares)
    projected = U.T @ (roots * (targets - offset))
    for ridge in RIDGES:
        shrinkage = 1 / (np.maximum(s, 0) + ridge)
        solved = U @ (shrinkage[:, None] * projected)
        spread = 1 / (U**2 @ shrinkage)
        residuals = solved * spread[:, None] / roots
        variances = spread / shares + ridge * (1 - 1 / shares)
        weights = roots * solved
        yield KernelHead(kernel, rows, shares, offset, weights, ridge, residuals, variances)


def _solve(head, values):
    """``(K + ridge diag(1 / shares))^-1 values`` for the rows of a head."""
    gram = head.kernel(head.rows, head.rows) + np.diag(head.ridge / head.shares)
    return solve(gram, values, assume_a="pos")
