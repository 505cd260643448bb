"""Rows of better networks: uphill in latent code, as far as the codes of `fit` reach."""

from dataclasses import dataclass

import numpy as np

from ._scaling import quantiles

DIFFERENCE = 0.1
"""Of a code in each direction to take slopes from, in standard deviations of the codes in `fit`."""

HALVINGS = 4
"""How often a step that does not improve the prediction is tried again, half as long."""

WITHIN = 0.95
"""Share of the codes in `fit` that lie as far out as a path may lead."""


@dataclass(frozen=True, eq=False)
class Improvement:
    """From a network to predicted better ones, step by step, as `AeLLERegressor.improve` finds it.

    Attributes
    ----------
    start : ndarray of shape (n_features,)
        The row that was asked about, or the mean of several.
    codes : ndarray of shape (n_steps + 1, latent_dim)
        Latent codes, from that of the start on. There may be fewer steps than were asked for.
    rows : ndarray of shape (n_steps + 1, n_features)
        What the codes are decoded to.
    predictions, std : ndarray of shape (n_steps + 1,)
        Predicted performance of these rows, each better than the one before, and the standard
        deviation of the true performance about it.
    """

    start: np.ndarray
    codes: np.ndarray
    rows: np.ndarray
    predictions: np.ndarray
    std: np.ndarray


def improve(aelle, X, *, sign, n_steps, reach):
    """Walk uphill from the mean code of rows; see :meth:`AeLLERegressor.improve`.

    Parameters
    ----------
    aelle : AeLLERegressor
    X : ndarray of shape (n_networks, n_features)
    sign : {1, -1}
        1 where a larger prediction is better.
    n_steps : int
    reach : float

    Returns
    -------
    improvement : Improvement
    """
    code = aelle._encode(X).mean(axis=0)
    by_code = aelle.blends_[0].heads[0]
    spread = Spread(by_code.rows, by_code.shares)
    farthest = max(spread.usual, *spread.distances(code[None]))

    def quality(codes):
        return sign * aelle._performance(aelle.inverse_transform(codes))[:, 0]

    codes, best = [code], quality(code[None])[0]
    while len(codes) <= n_steps and len(spread.axes):
        uphill = spread.uphill(quality, codes[-1])
        lengths = reach / n_steps * 0.5 ** np.arange(HALVINGS + 1)
        tried = spread.pulled_in(codes[-1] + lengths[:, None] * uphill, farthest)
        found = quality(tried)
        if not (found > best).any():
            break
        first = np.argmax(found > best)
        codes.append(tried[first])
        best = found[first]
    codes = np.array(codes)
    rows = aelle.inverse_transform(codes)
    predictions, std = aelle._performance(rows)[:, 0], aelle._deviation(rows)[:, 0]
    return Improvement(X.mean(axis=0), codes, rows, predictions, std)


class Spread:
    """How far codes lie apart, and along which directions.

    Parameters
    ----------
    codes : ndarray of shape (n_rows, latent_dim)
    shares : ndarray of shape (n_rows,)
        What each counts, 1 on average.

    Attributes
    ----------
    center : ndarray of shape (latent_dim,)
    axes : ndarray of shape (n_axes, latent_dim)
        Principal axes, each as long as one standard deviation.
    usual : float
        Distance that most codes lie within.
    """

    def __init__(self, codes, shares):
        self.center = np.average(codes, axis=0, weights=shares)
        scaled = np.sqrt(shares)[:, None] * (codes - self.center)
        _, lengths, directions = np.linalg.svd(scaled, full_matrices=False)
        varies = lengths > 1e-6 * max(lengths[0], np.finfo(float).tiny)
        lengths = lengths[varies] / np.sqrt(max(1, len(codes) - 1))
        self.axes = lengths[:, None] * directions[varies]
        self._inverse = directions[varies].T / lengths
        (self.usual,) = quantiles(self.distances(codes)[:, None], shares, [WITHIN])[0]

    def distances(self, codes):
        """Mahalanobis distance of each code from the center, (n_rows,)."""
        return np.linalg.norm((codes - self.center) @ self._inverse, axis=1)

    def pulled_in(self, codes, farthest):
        """Codes moved towards the center until none is farther."""
        too_far = np.maximum(self.distances(codes) / farthest, 1)
        return self.center + (codes - self.center) / too_far[:, None]

    def uphill(self, function, code):
        """Direction in which a function of codes rises fastest, one standard deviation long."""
        step = DIFFERENCE * self.axes
        above, below = np.split(function(np.concatenate([code + step, code - step])), 2)
        slopes = above - below
        return slopes / (np.linalg.norm(slopes) or 1.0) @ self.axes
