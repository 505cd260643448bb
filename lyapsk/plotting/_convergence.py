"""How exponents settle."""

import numpy as np

from .._checks import is_count, refusal
from ._band import plot_with_band
from ._display import Display
from ._matplotlib import check_axes, line_style
from ._values import check_growth


class ConvergenceDisplay(Display):
    """Mean growth from the first step to each: how exponents settle.

    Lines are means over the sequences, with bands of one standard error over them; dashes lead to
    the exponents. Use :meth:`from_estimator` or :meth:`from_predictions` to create a display; what
    it stores can be drawn again by :meth:`plot`.

    Parameters
    ----------
    spectrum : LyapunovSpectrum
        With its growth kept.
    indices : int or sequence of int, default=5
        How many exponents to draw, spread over the spectrum, or which: 0 is the largest.

    Attributes
    ----------
    lines_, levels_ : list of matplotlib Line2D
        Of the mean growth, and of the exponents, in the order of `indices_`. Where growth is minus
        infinity there is none.
    bands_ : list of matplotlib PolyCollection
        Empty for a single sequence.
    colorbar_ : matplotlib Colorbar
        Tells which exponent each colour is, and which are dead, of minus infinity.
    indices_ : list of int
        Exponents that are drawn.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    See Also
    --------
    lyapsk.LyapunovSpectrum.finite_time_exponents : The growth that is drawn.
    SpectrumDisplay : The exponents themselves.

    Examples
    --------
    >>> import torch
    >>> from matplotlib.figure import Figure
    >>> from lyapsk.plotting import ConvergenceDisplay
    >>> display = ConvergenceDisplay.from_estimator(
    ...     torch.nn.GRU(1, 9), torch.randn(4, 100, 1), indices=3, warmup=10, ax=Figure().subplots()
    ... )
    >>> display.indices_
    [0, 4, 8]
    """

    def __init__(self, spectrum, *, indices=5):
        self.spectrum = spectrum
        self.indices = indices

    @classmethod
    def from_estimator(cls, model, sequences=None, *, indices=5, ax=None, **options):
        """Compute a spectrum and draw how it settles.

        Parameters
        ----------
        model, sequences
            As for :func:`lyapsk.lyapunov_spectrum`.
        indices
            See :class:`ConvergenceDisplay`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **options
            Passed to :func:`lyapsk.lyapunov_spectrum`.

        Returns
        -------
        display : ConvergenceDisplay
        """
        from .. import lyapunov_spectrum

        check_axes(ax, cls.__name__)
        spectrum = lyapunov_spectrum(model, sequences, **({"keep": "growth"} | options))
        return cls.from_predictions(spectrum, indices=indices, ax=ax)

    @classmethod
    def from_predictions(cls, spectrum, *, indices=5, ax=None, **kwargs):
        """Draw how a spectrum settled that was computed before.

        Parameters
        ----------
        spectrum, indices
            See :class:`ConvergenceDisplay`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : ConvergenceDisplay
        """
        return cls(spectrum, indices=indices).plot(ax, **kwargs)

    def plot(self, ax=None, *, cmap="viridis", **kwargs):
        """Draw the running means.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        cmap : str or Colormap, default="viridis"
            Colours of the exponents, from the largest to the smallest.
        **kwargs
            Passed to :meth:`matplotlib.axes.Axes.plot` for the lines of the growth.

        Returns
        -------
        display : ConvergenceDisplay

        Raises
        ------
        InvalidTypeError
            If `spectrum` is no LyapunovSpectrum.
        InvalidInputError
            If the growth of `spectrum` was not kept, or it has no exponent of these `indices`.
        """
        check_growth(self.spectrum)
        self.indices_ = self._checked_indices()
        self._take(ax)
        means, errors = _over_sequences(self.spectrum.finite_time_exponents()[..., self.indices_])
        steps = np.arange(1, len(means) + 1)
        colours = self._colours(cmap)
        drawn = [
            plot_with_band(
                self.ax_, steps, *curve, **line_style(kwargs, color=colour, linewidth=1.2)
            )
            for *curve, colour in zip(means.T, errors.T, colours, strict=True)
        ]
        self.lines_, self.bands_ = map(list, zip(*drawn, strict=True))
        self.levels_ = [
            self._draw_level(steps, exponent, line.get_color())
            for exponent, line in zip(self._exponents(), self.lines_, strict=True)
        ]
        self.ax_.set(xlabel="Steps averaged over", ylabel="Mean growth (nats per step)")
        self._tell_colours(colours)
        return self

    def _checked_indices(self):
        last = len(self.spectrum.exponents) - 1
        if is_count(self.indices):
            spread = np.linspace(0, last, min(self.indices, last + 1))
            return spread.round().astype(int).tolist()
        several = np.iterable(self.indices) and not isinstance(self.indices, str)
        indices = list(self.indices) if several else []
        if not indices or not all(is_count(index, 0, last) for index in indices):
            allowed = f"a number of exponents, or a list of whole numbers from 0 to {last}"
            raise refusal("indices", self.indices, allowed)
        return indices

    def _exponents(self):
        return self.spectrum.exponents[self.indices_]

    def _colours(self, cmap):
        from matplotlib import colormaps

        # The lightest colours are too faint for lines.
        return colormaps.get_cmap(cmap)(np.linspace(0, 0.85, len(self.indices_)))

    def _tell_colours(self, colours):
        """A colour bar with a field for each exponent, the largest on top."""
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import BoundaryNorm, ListedColormap

        n = len(colours)
        fields = ScalarMappable(BoundaryNorm(np.arange(n + 1) - 0.5, n), ListedColormap(colours))
        self.colorbar_ = self.figure_.colorbar(
            fields, ax=self.ax_, label="Exponent", ticks=range(n), drawedges=True
        )
        pairs = zip(self.indices_, self._exponents(), strict=True)
        labels = [
            f"{index}" if np.isfinite(exponent) else f"{index}, dead" for index, exponent in pairs
        ]
        self.colorbar_.set_ticklabels(labels)
        self.colorbar_.minorticks_off()
        self.colorbar_.ax.invert_yaxis()

    def _draw_level(self, steps, exponent, colour):
        ends = steps[[0, -1]]
        levels = np.full(2, exponent if np.isfinite(exponent) else np.nan)
        return self.ax_.plot(ends, levels, color=colour, linewidth=0.8, linestyle="--")[0]


def _over_sequences(values):
    """Mean and standard error over sequences, of (n_sequences, ...); NaN where there is none."""
    n_sequences = len(values)
    means = values.mean(axis=0)
    if n_sequences == 1:
        errors = np.full_like(means, np.nan)
    else:
        with np.errstate(invalid="ignore"):
            errors = values.std(axis=0, ddof=1) / np.sqrt(n_sequences)
    return np.where(np.isfinite(means), means, np.nan), errors
