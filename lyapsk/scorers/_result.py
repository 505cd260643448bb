"""The result object of the alignment of gradient and frame."""

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True, eq=False)
class GradientAlignment:
    """How far the gradient's leading singular vectors lie in the fastest-growing directions.

    Scores are scaled overlaps, ``(overlap - chance) / (1 - chance)``: 0 is what a random frame
    gives on average, 1 is containment, and less than 0 is avoidance. Steps are those after the
    warm-up.

    Attributes
    ----------
    overlaps : ndarray of shape (n_steps, n_directions, n_singular)
        Squared cosine between each direction of the frame and each singular vector, mean over
        sequences. NaN for a vector that no sequence's gradient has, being of smaller rank.
    per_step : ndarray of shape (n_steps,)
        Score of each step, mean over sequences.
    per_sequence : ndarray of shape (n_sequences,)
        Score of each sequence, mean over steps, in the order of the data. NaN for a sequence
        whose gradient is exactly zero; it is left out of all means.
    chance : float
        Overlap of a random frame: ``n_directions`` over the size of the full state.

    See Also
    --------
    GradientAlignmentScorer : Computes it.
    """

    overlaps: np.ndarray
    per_step: np.ndarray
    per_sequence: np.ndarray
    chance: float

    @classmethod
    def from_overlaps(cls, overlaps, state_size):
        """Means of the overlaps of each sequence.

        Parameters
        ----------
        overlaps : Tensor of shape (n_sequences, n_steps, n_directions, n_singular)
            NaN for singular vectors that a sequence does not have.
        state_size : int
        """
        chance = overlaps.shape[2] / state_size
        scores = (torch.nanmean(overlaps.sum(2), -1) - chance) / (1 - chance)
        return cls(
            overlaps=torch.nanmean(overlaps, 0).cpu().numpy(),
            per_step=torch.nanmean(scores, 0).cpu().numpy(),
            per_sequence=scores.mean(1).cpu().numpy(),
            chance=chance,
        )

    @property
    def score(self):
        """Mean over steps and sequences; NaN if all gradients are zero."""
        return float(self._defined.mean()) if len(self._defined) else np.nan

    @property
    def standard_error(self):
        """Of ``score``, from the spread over sequences; infinite for fewer than two."""
        n_sequences = len(self._defined)
        if n_sequences < 2:
            return np.inf
        return float(self._defined.std(ddof=1) / np.sqrt(n_sequences))

    @property
    def _defined(self):
        return self.per_sequence[~np.isnan(self.per_sequence)]

    def __repr__(self):
        n_steps, n_directions, n_singular = self.overlaps.shape
        return (
            f"GradientAlignment(score {self.score:.4g} ± {self.standard_error:.2g} of "
            f"{n_singular} singular vectors in {n_directions} directions (0: chance, that is an "
            f"overlap of {self.chance:.4g}; 1: containment), from {len(self._defined)} sequences, "
            f"{n_steps} steps each)"
        )
