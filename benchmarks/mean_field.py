"""The largest exponent of infinitely large random rate networks, by dynamic mean-field theory.

In the limit of many units each follows Gaussian noise, whose covariance ``D(tau)`` moves like a
particle, ``D'' = D - g^2 <phi phi>``, from rest at ``D_0`` to rest at 0; the exponent follows from
the ground state of ``-d^2/dtau^2 - g^2 <phi' phi'>`` (Sompolinsky, Crisanti and Sommers 1988,
equations 7 to 14).
"""

import numpy as np
from scipy.integrate import cumulative_trapezoid
from scipy.linalg import eigh_tridiagonal
from scipy.optimize import brentq

# Equal steps are more exact than Gauss's for the sharp bend of tanh at large couplings.
NODES = np.linspace(-7, 7, 121)
WEIGHTS = np.exp(-(NODES**2) / 2) / np.exp(-(NODES**2) / 2).sum()
N_ANGLES, N_TIMES, FIRST_ANGLE = 800, 8001, 0.02


def largest_exponent(g):
    """In nats per unit of time, for couplings above 1."""
    variance, times, covariance = path(g)
    tau = np.linspace(-times[-1], times[-1], N_TIMES)
    spacing = tau[1] - tau[0]
    well = g**2 * np.interp(np.abs(tau), times, mean_product(slope, covariance, variance))
    off_diagonal = np.full(N_TIMES - 1, -(spacing**-2))
    ground, _ = eigh_tridiagonal(
        2 * spacing**-2 - well, off_diagonal, select="i", select_range=(0, 0)
    )
    return float(np.sqrt(-ground[0]) - 1)


def path(g):
    """Variance, and the covariance at times from 0 until it is nothing."""

    def unbalanced(variance):
        ends = mean_product(integral, np.array([variance, 0.0]), variance)
        return -(variance**2) / 2 + g**2 * (ends[0] - ends[1])

    variance = brentq(unbalanced, 1e-3 * (g - 1), g**2)
    # From the conserved energy; an angle resolves both ends, where the speed is zero.
    angle = np.linspace(FIRST_ANGLE, np.pi / 2, N_ANGLES)[:-1]
    covariance = variance * np.cos(angle)
    potential = -(covariance**2) / 2 + g**2 * mean_product(integral, covariance, variance)
    at_rest = g**2 * mean_product(integral, np.zeros(1), variance)
    speed = np.sqrt(2 * (at_rest - potential))
    pull = g**2 * mean_product(np.tanh, np.array([variance]), variance)[0] - variance
    first = np.sqrt(2 * (variance - covariance[0]) / pull)
    times = first + cumulative_trapezoid(variance * np.sin(angle) / speed, angle, initial=0)
    return variance, np.r_[0, times], np.r_[variance, covariance]


def mean_product(function, covariance, variance):
    """Mean of ``f(x) f(y)`` over Gaussian pairs of one variance and several covariances."""
    own = np.sqrt(np.maximum(variance - covariance, 0))[:, None, None] * NODES[:, None]
    shared = np.sqrt(covariance)[:, None, None] * NODES
    return (WEIGHTS[:, None] * function(own + shared)).sum(1) ** 2 @ WEIGHTS


def slope(x):
    return 1 - np.tanh(x) ** 2


def integral(x):
    """Of tanh."""
    return np.logaddexp(x, -x) - np.log(2)
