"""Growth along one sequence, over the sequence itself."""

import numpy as np

from .._checks import check_count, is_count, refusal
from ..exceptions import InvalidInputError
from ._display import Display
from ._inputs import shade, trace
from ._matplotlib import check_axes, line_style
from ._values import check_growth, check_numbers

_GROWTH, _DECAY = "#d55e00", "#0072b2"


class GrowthDisplay(Display):
    """Finite-time growth of perturbations at each step of one sequence, over its inputs.

    The line is the growth of the leading direction, or the sum over several, which is the growth
    of the volume that they span. Between it and zero is orange where perturbations grow and blue
    where they decay. Use :meth:`from_estimator` or :meth:`from_predictions` to create a display;
    what it stores can be drawn again by :meth:`plot`.

    Parameters
    ----------
    spectrum : LyapunovSpectrum
        With its growth kept.
    sequence : int, default=0
        Which of its sequences to draw.
    inputs : array-like of shape (n_steps,) or (n_steps, n_inputs), default=None
        What the network read in the steps whose growth was kept, those after the warm-up. A
        single input is a grey line with an axis of its own; several are shades of grey in the
        background, one row for each, the first on top.
    n_directions : int, default=1
        Leading directions of the frame to sum over; where layers have frames of their own, those
        of the largest exponents.
    window : int, default=1
        Steps of a centred running mean; less at the ends.

    Attributes
    ----------
    line_ : matplotlib Line2D
        There is none where growth is minus infinity.
    fills_ : list of matplotlib PolyCollection
        Of growth and of decay.
    zero_ : matplotlib Line2D
    input_line_ : matplotlib Line2D or None
        Of a single input.
    image_ : matplotlib AxesImage or None
        Of several inputs.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    See Also
    --------
    ConvergenceDisplay : The mean of the growth so far, over all sequences.
    InputSensitivityDisplay : The growth that follows each step, and what inputs do.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from lyapsk.plotting import GrowthDisplay
    >>> from lyapsk.tasks import digits_by_rows
    >>> task = digits_by_rows()
    >>> net = task.net("GRU", hidden_size=8).initialize()
    >>> display = GrowthDisplay.from_estimator(net, task.X_valid[3], ax=Figure().subplots())
    >>> display.image_.get_array().shape
    (8, 8)
    """

    def __init__(self, spectrum, *, sequence=0, inputs=None, n_directions=1, window=1):
        self.spectrum = spectrum
        self.sequence = sequence
        self.inputs = inputs
        self.n_directions = n_directions
        self.window = window

    @classmethod
    def from_estimator(cls, model, inputs, *, n_directions=1, window=1, ax=None, **options):
        """Compute and draw the growth along one sequence, over the sequence itself.

        Parameters
        ----------
        model
            As for :func:`lyapsk.lyapunov_spectrum`, taking arrays or tensors.
        inputs : array-like of shape (n_steps,) or (n_steps, n_inputs)
            The sequence: one of those that the model takes.
        n_directions, window
            See :class:`GrowthDisplay`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **options
            Passed to :func:`lyapsk.lyapunov_spectrum`.

        Returns
        -------
        display : GrowthDisplay
        """
        from .. import lyapunov_spectrum

        check_axes(ax, cls.__name__)
        sequences = inputs[None] if hasattr(inputs, "ndim") else np.asarray(inputs)[None]
        shape = tuple(sequences.shape[1:])
        check_numbers("inputs", inputs, shape)
        if len(shape) > 2:
            raise InvalidInputError(
                f"inputs: got shape {shape}. They must be those of one sequence, (n_steps,) or "
                "(n_steps, n_inputs): pass sequences[0] for the first of several."
            )
        for name, value in (("n_directions", n_directions), ("window", window)):
            check_count(name, value)
        options = {"keep": "growth", "n_exponents": n_directions} | options
        spectrum = lyapunov_spectrum(model, sequences, **options)
        check_growth(spectrum)
        n_read = options.get("n_steps") or len(inputs)
        # As lyapunov_spectrum does, which starts over where a sequence is too short.
        read = np.resize(inputs, (n_read, *np.shape(inputs)[1:]))[options.get("warmup", 0) :]
        read = read[: spectrum.growth.shape[1]]
        looks = {"n_directions": n_directions, "window": window, "ax": ax}
        return cls.from_predictions(spectrum, inputs=read, **looks)

    @classmethod
    def from_predictions(
        cls, spectrum, *, sequence=0, inputs=None, n_directions=1, window=1, ax=None, **kwargs
    ):
        """Draw growth that was computed before.

        Parameters
        ----------
        spectrum, sequence, inputs, n_directions, window
            See :class:`GrowthDisplay`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : GrowthDisplay
        """
        display = cls(
            spectrum, sequence=sequence, inputs=inputs, n_directions=n_directions, window=window
        )
        return display.plot(ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Draw growth over the steps.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs
            Passed to :meth:`matplotlib.axes.Axes.plot` for the line of the growth.

        Returns
        -------
        display : GrowthDisplay

        Raises
        ------
        InvalidTypeError
            If `spectrum` is no LyapunovSpectrum, or `inputs` do not hold numbers.
        InvalidInputError
            If the growth of `spectrum` was not kept, or another argument does not fit it.
        """
        check_growth(self.spectrum)
        growth = self._growth()
        inputs = self._checked_inputs(len(growth))
        self._take(ax)
        steps = np.arange(len(growth))
        (self.line_,) = self.ax_.plot(
            steps, growth, **line_style(kwargs, color="black", linewidth=1)
        )
        self.zero_ = self.ax_.axhline(0, color="black", linewidth=0.8, linestyle="--")
        self.fills_ = [
            self.ax_.fill_between(
                *(steps, growth, 0), where=of, interpolate=True, color=colour, alpha=0.45, lw=0
            )
            for of, colour in ((growth >= 0, _GROWTH), (growth <= 0, _DECAY))
        ]
        self.input_line_ = self.image_ = None
        if inputs is not None and inputs.shape[1] == 1:
            self.input_line_ = trace(self.ax_, inputs)
        elif inputs is not None:
            self.image_ = shade(self.ax_, inputs)
        self._annotate()
        return self

    def _growth(self):
        """Of the sequence, (n_steps,); NaN where it is not finite."""
        n_sequences, n_steps, _ = self.spectrum.growth.shape
        if not is_count(self.sequence, 0, n_sequences - 1):
            allowed = f"a whole number from 0 to {n_sequences - 1}"
            raise refusal("sequence", self.sequence, allowed)
        most = len(self.spectrum.exponents)
        of_spectrum = f" and at most the number of exponents, {most}"
        n_directions = check_count("n_directions", self.n_directions, most=most, also=of_spectrum)
        of_steps = f" and at most the number of steps, {n_steps}"
        window = np.ones(check_count("window", self.window, most=n_steps, also=of_steps))
        columns = _leading_columns(self.spectrum)[:n_directions]
        growth = self.spectrum.growth[self.sequence][:, columns].sum(axis=1)
        means = np.convolve(growth, window, "same") / np.convolve(np.ones(n_steps), window, "same")
        return np.where(np.isfinite(means), means, np.nan)

    def _checked_inputs(self, n_steps):
        """Inputs, (n_steps, n_inputs), or None."""
        if self.inputs is None:
            return None
        shape = (n_steps, "n_inputs") if np.ndim(self.inputs) == 2 else (n_steps,)
        hint = "what the network read in the steps whose growth was kept, those after the warm-up"
        return check_numbers("inputs", self.inputs, shape, hint=hint).reshape(n_steps, -1)

    def _annotate(self):
        several = self.n_directions > 1
        of = f"{self.n_directions} directions" if several else "the leading direction"
        mean = f", mean of {self.window}" if self.window > 1 else ""
        ylabel = f"Growth of {of}\n(nats per step{mean})"
        xlabel = "Step" if self.image_ is None else "Step (in grey: the inputs)"
        self.ax_.set(xlabel=xlabel, ylabel=ylabel)


def _leading_columns(spectrum):
    """Columns of the growth, from the leading one on.

    A frame's own columns are in order, whatever finite sequences make of their exponents.
    """
    n_columns = spectrum.growth.shape[-1]
    one_layer = spectrum.layers is None or len(set(spectrum.layers)) == 1
    one_frame = one_layer and n_columns == len(spectrum.order)
    return np.arange(n_columns) if one_frame else spectrum.order
