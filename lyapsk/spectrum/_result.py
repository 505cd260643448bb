"""The result object: exponents, their errors, and what follows from them."""

from dataclasses import dataclass
from numbers import Real

import numpy as np
from scipy.special import stdtrit

from .._message import counted
from ..exceptions import InvalidInputError
from ._derived import entropy_rate, kaplan_yorke_dimension, told_from_zero
from ._finite_time import mean_growth_to_end


@dataclass(frozen=True, eq=False)
class LyapunovSpectrum:
    """Lyapunov exponents of one network along its driving sequences.

    All exponents are natural logarithms per step (nats per step), from largest to smallest. A
    direction that dies within the averaging window has the exponent minus infinity.

    Attributes
    ----------
    exponents : ndarray of shape (n_exponents,)
        Mean over sequences.
    standard_error : ndarray of shape (n_exponents,)
        Of ``exponents``. With at least eight sequences from the spread of their means; with fewer
        by batch means (each sequence's growth averaged over blocks of consecutive steps, long
        enough to be nearly independent, the blocks of all sequences taken together), or from the
        spread of the sequences where that is larger. Where the inputs start over after eight
        steps or more, it is no smaller than that from parts of their period. 0 for an exponent of
        minus infinity throughout, infinite where there is a single block.
    per_sequence : ndarray of shape (n_sequences, n_exponents)
        Columns in the order of ``exponents``.
    drift : ndarray of shape (n_exponents,)
        Mean over the second half of each sequence's blocks less that over the first: what a
        transient leaves.
    n_batches : int
        Sequences or blocks that ``standard_error`` is taken from.
    n_steps : ndarray of int of shape (n_sequences,)
        Steps averaged over in each sequence, without the warm-up; the fewest of any layer.
    state_size : int
        Size ``n`` of the full state.
    layers : ndarray of str of shape (n_exponents,), or None
        Layer that each exponent belongs to, named as in torch: ``"l0"``, ``"l0_reverse"``,
        ``"l1"`` ... None where several layers share one frame.
    growth : ndarray of shape (n_sequences, n_steps, n_columns), or None
        ``log abs diag R_t`` of every step, in the order of the frame's columns, with layers that
        have frames of their own side by side.
    frames : ndarray of shape (n_sequences, n_steps, n, n_exponents), or None
        ``Q_t`` of every step; its leading columns span the fastest-growing directions.
    order : ndarray of int of shape (n_exponents,), or None
        Column of ``growth`` and ``frames`` that each exponent comes from.
    tol : float, default=0.01
        Standard error, in nats per step, below which an exponent counts as ``converged``.

    References
    ----------
    Engelken, Wolf, Abbott (2023), "Lyapunov spectra of chaotic recurrent neural networks".
    Vogt, Puelma Touzel, Shlizerman, Lajoie (2022), "On Lyapunov Exponents for RNNs",
    arXiv 2006.14123. Batch means: Flegal, Jones (2010), Annals of Statistics 38, 1034.
    """

    exponents: np.ndarray
    standard_error: np.ndarray
    per_sequence: np.ndarray
    drift: np.ndarray
    n_batches: int
    n_steps: np.ndarray
    state_size: int
    layers: np.ndarray | None = None
    growth: np.ndarray | None = None
    frames: np.ndarray | None = None
    order: np.ndarray | None = None
    tol: float = 0.01

    @property
    def converged(self):
        """Whether each exponent is settled, (n_exponents,).

        Its standard error is at most ``tol``, and its drift is within four standard errors, that
        is two of the drift's own.
        """
        settled = np.abs(self.drift) <= 4 * self.standard_error
        return (self.standard_error <= self.tol) & (settled | np.isneginf(self.exponents))

    def confidence_interval(self, level=0.95):
        """Confidence interval of each exponent by Student's t.

        Parameters
        ----------
        level : float, default=0.95
            Between 0 and 1.

        Returns
        -------
        ndarray of shape (n_exponents, 2)

        Raises
        ------
        InvalidInputError
            If ``level`` is not between 0 and 1.
        """
        if not (isinstance(level, Real) and 0 < level < 1):
            raise InvalidInputError(
                f"level: got {level!r}. It must be between 0 and 1, for example 0.95."
            )
        width = stdtrit(max(self.n_batches - 1, 1), 0.5 + level / 2) * self.standard_error
        with np.errstate(invalid="ignore"):
            bounds = np.stack([self.exponents - width, self.exponents + width], -1)
        return np.where(np.isnan(bounds), [-np.inf, np.inf], bounds)

    def finite_time_exponents(self):
        """Mean growth from the first step to each: how the exponents settle.

        Returns
        -------
        ndarray of shape (n_sequences, n_steps, n_exponents)
            Columns in the order of ``exponents``.

        Raises
        ------
        AttributeError
            If the growth was not kept.
        """
        growth = self._kept_growth()
        return growth.cumsum(1) / np.arange(1, growth.shape[1] + 1)[:, None]

    def remaining_exponents(self):
        """Mean growth from each step to the end: what a perturbation of its input meets.

        Returns
        -------
        ndarray of shape (n_sequences, n_steps, n_exponents)
            Over the steps that follow, columns in the order of ``exponents``; NaN for the last
            step, which none follows.

        Raises
        ------
        AttributeError
            If the growth was not kept.
        """
        growth = self._kept_growth()
        return mean_growth_to_end(growth, [growth.shape[1]] * len(growth))

    def _kept_growth(self):
        """Growth of every step in the order of ``exponents``."""
        if self.growth is None:
            raise AttributeError(
                "growth was not kept. Call lyapunov_spectrum(..., keep='growth') to have it."
            )
        return self.growth[..., self.order]

    def count_above(self, threshold):
        """Number of exponents above a threshold in nats per step."""
        if not isinstance(threshold, Real):
            raise InvalidInputError(f"threshold: got {threshold!r}. It must be a number.")
        return int((self.exponents > threshold).sum())

    @property
    def n_positive(self):
        """Number of positive exponents, above 1e-6 nats per step."""
        return int((told_from_zero(self.exponents) > 0).sum())

    @property
    def sum(self):
        """Sum of the exponents: for a full spectrum the mean of ``log abs det J_t``."""
        return float(self.exponents.sum())

    @property
    def spread(self):
        """Largest less smallest exponent, in nats per step: how fast the frame collapses."""
        largest, smallest = self.exponents[[0, -1]]
        return 0.0 if largest == smallest else float(largest - smallest)

    @property
    def gradient_horizon(self):
        """``1 / abs(largest exponent)``: steps over which gradients change by a factor of e.

        Infinite within 1e-6 nats per step of 0.
        """
        largest = abs(float(told_from_zero(self.exponents[0])))
        return 1 / largest if largest > 0 else np.inf

    @property
    def entropy_rate(self):
        """Sum of the positive exponents, in nats per step.

        Bounds the Kolmogorov-Sinai entropy rate from above (Ruelle), and equals it by Pesin's
        formula. Eckmann, Ruelle (1985), Rev. Mod. Phys. 57, 617.
        """
        return entropy_rate(self.exponents)

    @property
    def kaplan_yorke_dimension(self):
        """Kaplan-Yorke dimension of the attractor.

        ``j + (l_1 + ... + l_j) / abs(l_{j+1})`` with the largest ``j`` for which the sum is not
        negative. Where the sum of all exponents computed is not negative, their number: the state
        size for a full spectrum, a lower bound for a partial one. Exponents within 1e-6 nats per
        step of 0 count as 0. Kaplan, Yorke (1979).
        """
        return kaplan_yorke_dimension(self.exponents)

    def __repr__(self):
        largest, error = self.exponents[0], self.standard_error[0]
        fewest, most = int(self.n_steps.min()), int(self.n_steps.max())
        steps = counted(most, "step") if fewest == most else f"{fewest} to {most} steps"
        return (
            f"LyapunovSpectrum({len(self.exponents)} of {self.state_size} exponents, largest "
            f"{largest:.4g} ± {error:.2g} nats per step, {self.n_positive} positive, from "
            f"{counted(len(self.per_sequence), 'sequence')} of {steps})"
        )
