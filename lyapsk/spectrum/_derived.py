"""Quantities that follow from exponents, in any room."""

import numpy as np

ROUNDING = 1e-6
"""Nats per step within which an exponent, in single precision too, may only differ from 0 by
rounding."""


def told_from_zero(exponents):
    """The exponents, with 0 for those that only rounding may keep from it."""
    return np.where(np.abs(exponents) <= ROUNDING, 0.0, exponents)


def entropy_rate(exponents):
    """Sum of the positive exponents, in nats per step."""
    exponents = told_from_zero(exponents)
    return float(exponents[exponents > 0].sum())


def kaplan_yorke_dimension(exponents):
    """Of exponents from largest to smallest: see :class:`LyapunovSpectrum`."""
    exponents = told_from_zero(exponents)
    sums = np.cumsum(exponents)
    j = int((sums >= 0).sum())
    if j == 0 or j == len(sums):
        return float(j)
    return j + float(sums[j - 1] / -exponents[j])
