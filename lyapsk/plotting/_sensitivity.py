"""Sensitivity to each input beside the growth that follows it."""

import numpy as np

from .._checks import is_count, refusal
from ..exceptions import InvalidInputError, InvalidTypeError
from ._band import plot_with_band
from ._display import Display
from ._inputs import shade
from ._matplotlib import check_axes, line_style
from ._text import with_minus

_GROWTH_LABELS = {
    "finite_time_exponent": "Mean growth that follows\n(nats per step)",
    "singular_value": "Log of the largest\nsingular value (nats)",
}


class InputSensitivityDisplay(Display):
    """How far each input moves a net's answer, and how perturbations grow after it.

    Sensitivity is drawn over the steps on a logarithmic axis, unless it is zero throughout, and
    growth on an axis of its own on the right. The title holds the rank correlation of the two, and
    that of sensitivity with the position alone, the control. Use :meth:`from_estimator` or
    :meth:`from_predictions` to create a display; what it stores can be drawn again by
    :meth:`plot`.

    Parameters
    ----------
    sensitivity : InputSensitivity
        Of it, the sampled sensitivity is drawn, or that to first order where nothing was sampled.
    sequence : int, default=None
        Draw this sequence alone, with a band of the standard error over its draws. None draws the
        mean over all sequences, with a band of its standard error.
    inputs : array-like of shape (n_steps,) or (n_steps, n_inputs), default=None
        What the net read in `sequence`, shown as shades of grey in the background: one row for
        each input, the first on top.

    Attributes
    ----------
    line_, growth_line_ : matplotlib Line2D
    band_, growth_band_ : matplotlib PolyCollection
        Empty where there is no standard error, as for the growth of one sequence.
    image_ : matplotlib AxesImage or None
        None without `inputs`.
    ax_, growth_ax_ : matplotlib Axes
        They share their horizontal axis.
    figure_ : matplotlib Figure

    See Also
    --------
    lyapsk.InputSensitivityScorer : Its ``analyze`` computes the sensitivity.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from lyapsk import InputSensitivityScorer
    >>> from lyapsk.plotting import InputSensitivityDisplay
    >>> from lyapsk.tasks import digits_by_rows
    >>> task = digits_by_rows()
    >>> net = task.net("GRU", hidden_size=8).initialize()
    >>> sensitivity = InputSensitivityScorer(n_draws=2).analyze(net, task.X_valid[:5])
    >>> display = InputSensitivityDisplay.from_predictions(
    ...     sensitivity, sequence=3, inputs=task.X_valid[3], ax=Figure().subplots()
    ... )
    >>> display.growth_ax_.get_ylabel()
    'Mean growth that follows\\n(nats per step)'
    """

    def __init__(self, sensitivity, *, sequence=None, inputs=None):
        self.sensitivity = sensitivity
        self.sequence = sequence
        self.inputs = inputs

    @classmethod
    def from_estimator(
        cls, net, X, y=None, *, scorer=None, sequence=None, inputs=None, ax=None, **kwargs
    ):
        """Compute and draw the sensitivity of a net.

        Parameters
        ----------
        net, X, y
            As for :meth:`lyapsk.InputSensitivityScorer.analyze`.
        scorer : InputSensitivityScorer, default=None
            None stands for one with its defaults.
        sequence, inputs
            See :class:`InputSensitivityDisplay`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : InputSensitivityDisplay
        """
        from .. import InputSensitivityScorer

        check_axes(ax, cls.__name__)
        sensitivity = (scorer or InputSensitivityScorer()).analyze(net, X, y)
        return cls.from_predictions(sensitivity, sequence=sequence, inputs=inputs, ax=ax, **kwargs)

    @classmethod
    def from_predictions(cls, sensitivity, *, sequence=None, inputs=None, ax=None, **kwargs):
        """Draw a sensitivity that was computed before.

        Parameters
        ----------
        sensitivity, sequence, inputs
            See :class:`InputSensitivityDisplay`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : InputSensitivityDisplay
        """
        return cls(sensitivity, sequence=sequence, inputs=inputs).plot(ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Draw sensitivity and growth over the steps.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs
            Passed to :meth:`matplotlib.axes.Axes.plot` for the line of the sensitivity.

        Returns
        -------
        display : InputSensitivityDisplay

        Raises
        ------
        InvalidTypeError
            If `sensitivity` is no InputSensitivity.
        InvalidInputError
            If there is no such `sequence`, or `inputs` does not fit it.
        """
        self._check_sensitivity()
        self._check_sequence()
        inputs = self._checked_inputs()
        self._take(ax)
        self.growth_ax_ = self.ax_.twinx()
        steps = np.arange(self.sensitivity.step_growth.shape[1])
        change = "first_order" if self.sensitivity.sampled is None else "sampled"
        self.line_, self.band_ = plot_with_band(
            self.ax_, steps, *self._curve(change), **line_style(kwargs, color="C0")
        )
        self.growth_line_, self.growth_band_ = plot_with_band(
            self.growth_ax_, steps, *self._curve(self.sensitivity.growth), color="C1", ls="--"
        )
        self.image_ = None if inputs is None else shade(self.ax_, inputs)
        self._annotate(change)
        return self

    def _check_sensitivity(self):
        from ..scorers import InputSensitivity

        if not isinstance(self.sensitivity, InputSensitivity):
            raise InvalidTypeError(
                f"sensitivity: got {type(self.sensitivity).__name__}. It must be an "
                "InputSensitivity: pass what InputSensitivityScorer.analyze returns."
            )

    def _check_sequence(self):
        n_sequences = len(self.sensitivity.step_growth)
        if not (self.sequence is None or is_count(self.sequence, 0, n_sequences - 1)):
            number = f"a whole number from 0 to {n_sequences - 1}"
            raise refusal(
                "sequence", self.sequence, f"{number}, or None for the mean over sequences"
            )

    def _checked_inputs(self):
        """Inputs within the sequence, (n_steps, n_inputs), or None."""
        if self.inputs is None:
            return None
        inputs = np.asarray(self.inputs)
        if self.sequence is None:
            raise InvalidInputError(
                f"inputs has shape {inputs.shape}, but sequence is None: pass the number of the "
                "sequence that these are the inputs of."
            )
        within = ~np.isnan(self.sensitivity.position[self.sequence])
        n_steps = np.count_nonzero(within)
        if inputs.ndim not in (1, 2) or len(inputs) not in (n_steps, len(within)):
            raise InvalidInputError(
                f"inputs has shape {inputs.shape}, but sequence {self.sequence} has {n_steps} "
                f"steps: pass ({n_steps},) or ({n_steps}, n_inputs)."
            )
        return inputs.reshape(len(inputs), -1)[:n_steps]

    def _curve(self, name):
        """What is drawn of an array of the sensitivity, and its standard error."""
        if self.sequence is None:
            return self.sensitivity.profile(name)
        values = getattr(self.sensitivity, name)[self.sequence]
        if name == "sampled":
            return values, self.sensitivity.sampling_error[self.sequence]
        return values, np.full_like(values, np.nan)

    def _annotate(self, change):
        if (self.line_.get_ydata() > 0).any():
            self.ax_.set_yscale("log")
        self.ax_.set_xlabel("Step" if self.image_ is None else "Step (in grey: the inputs)")
        self.ax_.set_ylabel(
            f"Sensitivity to the input, {change.replace('_', ' ')}", color=self.line_.get_color()
        )
        self.growth_ax_.set_ylabel(
            _GROWTH_LABELS[self.sensitivity.growth], color=self.growth_line_.get_color()
        )
        score, control = self.sensitivity.score, self.sensitivity.control
        if self.sequence is not None:
            score, control = (
                self.sensitivity.correlation(growth)[self.sequence]
                for growth in (self.sensitivity.growth, "position")
            )
        title = f"Rank correlation with growth {score:.3f},\nwith the position alone {control:.3f}"
        self.ax_.set_title(with_minus(title), fontsize="small")
