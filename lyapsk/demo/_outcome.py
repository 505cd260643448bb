"""What a run of the demo found."""

from dataclasses import dataclass

import numpy as np

from ..tasks import Recipe
from ._evaluation import Score


@dataclass(frozen=True)
class Outcome:
    """A population and how well its final losses were predicted.

    Attributes
    ----------
    recipes : list of Recipe
        What each network was made from.
    spectra : list of ndarray of shape (n_exponents,)
        Exponents of each untrained network in nats per step.
    loss_before, loss_final : ndarray of shape (n_networks,)
        Validation loss before and after training; not finite for a network that diverged.
    scores : list of Score
        Of the networks that finished, one for each predictor.
    latent : ndarray of shape (n_finished, 2)
        Two-dimensional AeLLE of the networks that finished.
    settings : dict
        What the demo was run with, for the report.
    """

    recipes: list[Recipe]
    spectra: list[np.ndarray]
    loss_before: np.ndarray
    loss_final: np.ndarray
    scores: list[Score]
    latent: np.ndarray
    settings: dict

    @property
    def finished(self):
        """Indices of the networks whose training did not diverge."""
        return np.flatnonzero(np.isfinite(self.loss_final))
