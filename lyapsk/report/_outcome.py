"""What was found of a training."""

from dataclasses import dataclass

import numpy as np

from ..spectrum import LyapunovSpectrum
from ._evaluation import Score
from ._limits import ENOUGH_NETWORKS
from ._training import Training


@dataclass(frozen=True)
class Outcome:
    """A training and how well its final losses were predicted.

    Attributes
    ----------
    training : Training
    spectra : list of LyapunovSpectrum or None
        None where none could be taken.
    used : ndarray of int
        Indices of the networks that are predicted.
    is_log : bool
        Whether the logarithm of the loss is predicted, which must be positive for that.
    scores : list of Score
        Of the networks used, one for each predictor.
    latent : ndarray of shape (n_used, 2)
        Their two-dimensional AeLLE.
    """

    training: Training
    spectra: list[LyapunovSpectrum | None]
    used: np.ndarray
    is_log: bool
    scores: list[Score]
    latent: np.ndarray

    @property
    def loss(self):
        """Validation loss after training of the networks used."""
        return self.training.loss_final[self.used]

    @property
    def target(self):
        """What is predicted of the networks used."""
        return np.log(self.loss) if self.is_log else self.loss

    @property
    def target_name(self):
        """What is predicted, in words."""
        return "log of the loss" if self.is_log else "loss"

    @property
    def caution(self):
        """What to say of scores of few networks; empty where there are enough."""
        if len(self.used) >= ENOUGH_NETWORKS:
            return ""
        return f"With fewer than {ENOUGH_NETWORKS} networks these scores are guesses."

    @property
    def n_diverged(self):
        """Networks whose training did not end with a finite loss."""
        return int((~np.isfinite(self.training.loss_final)).sum())

    @property
    def n_unread(self):
        """Networks whose spectrum could not be taken."""
        return sum(spectrum is None for spectrum in self.spectra)
