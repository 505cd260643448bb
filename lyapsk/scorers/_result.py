"""The result object of the alignment of gradient and frame."""

from dataclasses import dataclass

import numpy as np
import torch

from .._message import counted
from ._frame_gradient import FrameGradient
from ._means import nan_mean, standard_error_of_mean


@dataclass(frozen=True, eq=False)
class GradientAlignment:
    """How far the gradient's leading singular vectors lie in the fastest-growing directions.

    Scores are scaled overlaps, ``(overlap - chance) / (1 - chance)``: 0 is what a random frame
    gives on average, 1 is containment, and less than 0 is avoidance. Steps are those without the
    warm-up: at the start for the state's side, at the end for the adjoint's.

    Attributes
    ----------
    overlaps : ndarray of shape (n_steps, n_directions, n_singular)
        Squared cosine between each direction of the frame and each singular vector, mean over
        sequences. NaN for a vector that no sequence's gradient has, being of smaller rank.
    per_step : ndarray of shape (n_steps,)
        Score of each step, mean over the sequences that have it.
    per_step_error : ndarray of shape (n_steps,)
        Standard error of ``per_step``, from the spread over sequences.
    per_sequence : ndarray of shape (n_sequences,)
        Score of each sequence, mean over steps, in the order of the data. NaN for a sequence
        whose gradient is exactly zero; it is left out of all means.
    chance : float
        Overlap of a random frame: ``n_directions`` over the size of the full state.
    gradient : FrameGradient
        The gradient in all directions of the forward frame: what share of it each carries
        (``gradient.share``), and how far it is from autograd's (``gradient.error``).

    See Also
    --------
    lyapsk.GradientAlignmentScorer : Computes it.
    """

    overlaps: np.ndarray
    per_step: np.ndarray
    per_step_error: np.ndarray
    per_sequence: np.ndarray
    chance: float
    gradient: FrameGradient | None = None

    @classmethod
    def from_overlaps(cls, overlaps, state_size, gradient=None):
        """Means of the overlaps of each sequence.

        Parameters
        ----------
        overlaps : Tensor of shape (n_sequences, n_steps, n_directions, n_singular)
            NaN for singular vectors and for steps that a sequence does not have.
        state_size : int
        gradient : FrameGradient, optional
        """
        chance = overlaps.shape[2] / state_size
        scores = (torch.nanmean(overlaps.sum(2), -1) - chance) / (1 - chance)
        return cls(
            overlaps=torch.nanmean(overlaps, 0).cpu().numpy(),
            per_step=nan_mean(scores.cpu().numpy()),
            per_step_error=standard_error_of_mean(scores.cpu().numpy()),
            per_sequence=torch.nanmean(scores, 1).cpu().numpy(),
            chance=chance,
            gradient=gradient,
        )

    @property
    def score(self):
        """Mean over sequences and their steps; NaN if all gradients are zero."""
        return float(nan_mean(self.per_sequence))

    @property
    def standard_error(self):
        """Of ``score``, from the spread over sequences; infinite for fewer than two."""
        return float(standard_error_of_mean(self.per_sequence))

    def __repr__(self):
        n_steps, n_directions, n_singular = self.overlaps.shape
        n_sequences = np.count_nonzero(~np.isnan(self.per_sequence))
        return (
            f"GradientAlignment(score {self.score:.4g} ± {self.standard_error:.2g} of "
            f"{n_singular} singular vectors in {n_directions} directions (0: chance, that is an "
            f"overlap of {self.chance:.4g}; 1: containment), from "
            f"{counted(n_sequences, 'sequence')}, {n_steps} steps each)"
        )
