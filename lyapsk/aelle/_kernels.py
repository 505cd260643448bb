"""Kernels for the regressions, and the candidates among them for given rows."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

BANDWIDTHS = (0.5, 1, 2, 4, 8, 16)
"""Candidates, in units of the mean distance between rows."""


@dataclass(frozen=True)
class Exponential:
    """``k(z, z') = exp(-|z - z'| / bandwidth)``."""

    bandwidth: float

    def __call__(self, rows, others):
        """Kernel of each row with each of the others, (n_rows, n_others)."""
        return np.exp(-cdist(rows, others) / self.bandwidth)

    def with_itself(self, rows):
        """Kernel of each row with itself, (n_rows,)."""
        return np.ones(len(rows))


@dataclass(frozen=True)
class Linear:
    """``k(z, z') = z . z' / unit``: its regression is a plane, its variance grows without bound."""

    unit: float

    def __call__(self, rows, others):
        """Kernel of each row with each of the others, (n_rows, n_others)."""
        return rows @ others.T / self.unit

    def with_itself(self, rows):
        """Kernel of each row with itself, (n_rows,)."""
        return np.sum(rows**2, axis=1) / self.unit


def exponential_kernels(rows, weights):
    """Candidates for weighted rows, from narrow to wide."""
    shares = weights / weights.sum()
    unit = shares @ cdist(rows, rows) @ shares or 1.0
    return [Exponential(bandwidth * unit) for bandwidth in BANDWIDTHS]


def linear_kernel(rows, weights):
    """The linear kernel that is 1 on average for a row with itself."""
    return Linear(np.average(np.sum(rows**2, axis=1), weights=weights) or 1.0)
