"""The result object of the sensitivity to inputs."""

from dataclasses import dataclass

import numpy as np

from .._checks import check_choice
from .._correlation import rank_correlation
from .._message import counted
from ..exceptions import InvalidInputError
from ._means import nan_mean, standard_error_of_mean

GROWTHS = ("finite_time_exponent", "singular_value")
CONTROLS = ("position", "step_growth")


@dataclass(frozen=True, eq=False)
class InputSensitivity:
    """How far a net's answer moves with each of its inputs, and what grows after each.

    Steps after the end of a shorter sequence hold NaN, and so does what follows the last step.

    Attributes
    ----------
    sampled : ndarray of shape (n_sequences, n_steps), or None
        Change of the answer by a Gaussian perturbation of one step's input, mean over draws; in
        nats for class probabilities, in squared units for values and losses.
    sampling_error : ndarray of shape (n_sequences, n_steps), or None
        Standard error of ``sampled``, from the spread over draws; infinite for a single draw.
    first_order : ndarray of shape (n_sequences, n_steps), or None
        The same in the limit of small perturbations, exactly, in no need of draws.
    finite_time_exponent : ndarray of shape (n_sequences, n_steps), or None
        Mean growth of the frame's first direction over the steps that follow, nats per step.
    singular_value : ndarray of shape (n_sequences, n_steps), or None
        Logarithm of the largest singular value of ``J_T ... J_{t+1}``, in nats.
    step_growth : ndarray of shape (n_sequences, n_steps)
        Growth ``log r_t`` of the frame's first direction in the step itself, in nats.
    position : ndarray of shape (n_sequences, n_steps)
        Number of the step, from 0 on: the trivial control.
    growth : str
        Which of these the score is about.

    See Also
    --------
    lyapsk.InputSensitivityScorer : Computes it.
    """

    sampled: np.ndarray | None
    sampling_error: np.ndarray | None
    first_order: np.ndarray | None
    finite_time_exponent: np.ndarray | None
    singular_value: np.ndarray | None
    step_growth: np.ndarray
    position: np.ndarray
    growth: str

    @classmethod
    def from_changes(cls, sampled, first_order, growths, growth):
        """From changes by draws (n_draws, n_sequences, n_steps), or None, and growths by name."""
        steps = np.arange(growths["step_growth"].shape[1])
        return cls(
            sampled=None if sampled is None else sampled.mean(0),
            sampling_error=None if sampled is None else standard_error_of_mean(sampled),
            first_order=first_order,
            **{name: growths.get(name) for name in (*GROWTHS, "step_growth")},
            position=np.where(np.isnan(growths["step_growth"]), np.nan, steps),
            growth=growth,
        )

    def correlation(self, growth, of=None):
        """Rank correlation of sensitivity and growth over the steps of each sequence.

        The last step counts for none: nothing follows it.

        Parameters
        ----------
        growth : {"finite_time_exponent", "singular_value", "position", "step_growth"}
        of : {"sampled", "first_order"}, optional
            Which sensitivity; by default the sampled one, if there is one.

        Returns
        -------
        ndarray of shape (n_sequences,)
            Spearman's; NaN for sequences of fewer than three steps, and where either is constant.

        Raises
        ------
        InvalidInputError
            If there is no such thing.
        """
        of = of or ("first_order" if self.sampled is None else "sampled")
        change = self._found("of", of, ("sampled", "first_order"))
        found = self._found("growth", growth, (*GROWTHS, *CONTROLS))
        return np.array([_rank_correlation(*pair) for pair in zip(change, found, strict=True)])

    @property
    def score(self):
        """Mean rank correlation with the growth that the scorer names."""
        return float(nan_mean(self.correlation(self.growth)))

    @property
    def standard_error(self):
        """Of ``score``, from the spread over sequences; infinite for fewer than two."""
        return float(standard_error_of_mean(self.correlation(self.growth)))

    @property
    def control(self):
        """Mean rank correlation with the position alone, to hold ``score`` against."""
        return float(nan_mean(self.correlation("position")))

    @property
    def agreement(self):
        """Median ratio of the sampled changes to those to first order: 1 for small ones.

        Of all steps whose change to first order is not 0; NaN if there are none.
        """
        changes = self._found("of", "sampled", ()), self._found("of", "first_order", ())
        sampled, exact = (values.ravel() for values in changes)
        there = exact > 0
        return float(np.median(sampled[there] / exact[there])) if there.any() else np.nan

    def profile(self, name):
        """Mean over sequences of what is there at each step, with its standard error.

        Parameters
        ----------
        name : str
            One of the arrays above, as ``"sampled"``.

        Returns
        -------
        mean, standard_error : ndarray of shape (n_steps,)
        """
        kinds = ("sampled", "first_order", *GROWTHS, *CONTROLS)
        values = self._found("name", name, kinds)
        return nan_mean(values), standard_error_of_mean(values)

    def _found(self, argument, name, allowed):
        if allowed:
            check_choice(argument, name, allowed)
        values = getattr(self, name)
        if values is None:
            raise InvalidInputError(
                f"{argument}: got {name!r}, which was not computed. Call "
                "InputSensitivityScorer.analyze, with n_draws of at least 1 for samples."
            )
        return values

    def __repr__(self):
        n_sequences, n_steps = self.step_growth.shape
        return (
            f"InputSensitivity(rank correlation {self.score:.4g} ± {self.standard_error:.2g} with "
            f"the {self.growth.replace('_', ' ')}, {self.control:.4g} with the position alone, "
            f"from {counted(n_sequences, 'sequence')}, {n_steps} steps each)"
        )


def _rank_correlation(change, growth):
    """Spearman's, of the steps that have both and are not the last."""
    within = np.flatnonzero(~np.isnan(change))[:-1]
    return rank_correlation(change[within], growth[within])
