"""The mean of kernel regressions on several views of the same rows."""

from dataclasses import dataclass

import numpy as np

from ._kernel_head import KernelHead, fit_kernel_heads
from ._kernels import exponential_kernels, linear_kernel

SMALLEST_ERROR = 1e-12
"""Leave-one-out error below which regressions count the same."""


@dataclass(frozen=True)
class Blend:
    """Predicts by a weighted mean of regressions.

    Attributes
    ----------
    heads : list of KernelHead
        One for each view; views are lists of ndarrays of shape (n_rows, n_columns).
    weights : ndarray of shape (n_heads,)
        What each regression counts.
    """

    heads: list[KernelHead]
    weights: np.ndarray

    @classmethod
    def of(cls, heads):
        """The mean that counts each regression by its leave-one-out error."""
        return cls(heads, 1 / np.maximum([head.error for head in heads], SMALLEST_ERROR))

    def predict(self, views):
        """Return the predicted targets, (n_rows, n_targets)."""
        return self._mean(head.predict(view) for head, view in self._pairs(views))

    def variance(self, views):
        """Return the variance of new targets, (n_rows, 1), in units of the kernels."""
        return self._mean(head.variance(view) for head, view in self._pairs(views))[:, None]

    def left_out(self):
        """Residuals (n_rows, n_targets) and variances (n_rows, 1) of rows by the other rows."""
        residuals = self._mean(head.residuals for head in self.heads)
        return residuals, self._mean(head.variances for head in self.heads)[:, None]

    def refitted(self, views, targets, shares):
        """The same kernels, ridges and weights, with other rows."""
        heads = [head.refitted(view, targets, shares) for head, view in self._pairs(views)]
        return Blend(heads, self.weights)

    def _pairs(self, views):
        return zip(self.heads, views, strict=True)

    def _mean(self, values):
        return np.average(list(values), axis=0, weights=self.weights)


def fit_blends(views, targets, shares, groups):
    """Fit a blend to each group of targets.

    The last view has a line through it, the others curves. The codes and the reconstructions among
    the views were shaped by the target, so that leaving one out flatters them.

    Parameters
    ----------
    views : list of ndarray of shape (n_rows, n_columns)
    targets : ndarray of shape (n_rows, n_targets)
    shares : ndarray of shape (n_rows,)
        What each row counts.
    groups : list of slice
        Columns of the targets that share kernels and ridges.

    Returns
    -------
    list of Blend
    """
    kernels = [exponential_kernels(view, shares) for view in views[:-1]]
    kernels.append([linear_kernel(views[-1], shares)])
    by_view = [
        fit_kernel_heads(view, targets, shares, candidates, groups)
        for view, candidates in zip(views, kernels, strict=True)
    ]
    return [Blend.of(list(heads)) for heads in zip(*by_view, strict=True)]
