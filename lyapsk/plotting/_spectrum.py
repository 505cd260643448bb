"""Spectra of one or many networks in one picture."""

import numpy as np

from ..exceptions import InvalidInputError, InvalidTypeError
from ._band import draw_band
from ._colours import PALETTE, value_colours
from ._display import Display
from ._matplotlib import check_axes, collection_style
from ._values import check_colours, check_numbers, check_values, is_list, is_spectrum


class SpectrumDisplay(Display):
    """Lyapunov spectra with their errors, one line per network.

    Networks of any size share the horizontal axis, the relative rank of an exponent: 0 is the
    largest exponent of its network, 1 the smallest. Use :meth:`from_estimator` or
    :meth:`from_predictions` to create a display; what it stores can be drawn again by
    :meth:`plot`.

    Parameters
    ----------
    spectra : LyapunovSpectrum, or list of LyapunovSpectrum, array-like or None
        Spectrum of each network: exponents in nats per step, largest first, (n_exponents,).
        Those of minus infinity are triangles at the bottom, others that are not finite leave a
        gap in the line, and None, for a network that failed, has no line. An exponent between two
        gaps is a dot.
    errors : list of array-like or None, default=None
        Standard errors of the exponents of each network, drawn as bands where they are finite.
        None takes those that a LyapunovSpectrum has.
    values : array-like of shape (n_networks,), default=None
        What the colour of each line tells, such as a final loss. Where it is not finite, as after
        training that diverged, the line is grey.
    value_name : str, default=None
        Label of the colour bar.
    names : list of str of length n_networks, default=None
        Names in a legend, of at most eight networks. Without `values` each has its own colour.

    Attributes
    ----------
    lines_ : matplotlib LineCollection
        One line per network, in the order of `spectra`.
    bands_ : list of matplotlib PolyCollection or None
        One standard error to both sides, in the colour of the line; None without errors.
    dots_ : matplotlib PathCollection
        Exponents between gaps, of all networks.
    dead_ : matplotlib PathCollection or None
        Exponents of minus infinity, of all networks; None without any.
    colorbar_ : matplotlib Colorbar or None
        None without `values`.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    See Also
    --------
    lyapsk.lyapunov_spectrum : Computes the exponents.
    ConvergenceDisplay : How they settle.

    Examples
    --------
    >>> import torch
    >>> from matplotlib.figure import Figure
    >>> from lyapsk import lyapunov_spectrum
    >>> from lyapsk.plotting import SpectrumDisplay
    >>> spectra = [lyapunov_spectrum(torch.nn.GRU(1, n), torch.randn(2, 50, 1)) for n in (8, 16)]
    >>> display = SpectrumDisplay.from_predictions(
    ...     spectra, names=["small", "large"], ax=Figure().subplots()
    ... )
    >>> [len(line) for line in display.lines_.get_segments()]
    [8, 16]
    """

    def __init__(self, spectra, *, errors=None, values=None, value_name=None, names=None):
        self.spectra = spectra
        self.errors = errors
        self.values = values
        self.value_name = value_name
        self.names = names

    @classmethod
    def from_estimator(
        cls, estimator, sequences, *, values=None, value_name=None, names=None, ax=None, **kwargs
    ):
        """Compute and draw the spectra of networks along driving sequences.

        Parameters
        ----------
        estimator : network or list of networks
            Anything that :func:`lyapsk.lyapunov_spectrum` takes.
        sequences : array-like of shape (n_sequences, n_steps, n_inputs)
            Driving sequences.
        values, value_name, names
            See :class:`SpectrumDisplay`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : SpectrumDisplay
        """
        from .. import lyapunov_spectrum

        check_axes(ax, cls.__name__)
        networks = estimator if isinstance(estimator, list | tuple | np.ndarray) else [estimator]
        spectra = [lyapunov_spectrum(network, sequences) for network in networks]
        looks = {"values": values, "value_name": value_name, "names": names, "ax": ax}
        return cls.from_predictions(spectra, **looks, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        spectra,
        *,
        errors=None,
        values=None,
        value_name=None,
        names=None,
        ax=None,
        **kwargs,
    ):
        """Draw spectra that were computed before.

        Parameters
        ----------
        spectra, errors, values, value_name, names
            See :class:`SpectrumDisplay`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : SpectrumDisplay
        """
        display = cls(spectra, errors=errors, values=values, value_name=value_name, names=names)
        return display.plot(ax, **kwargs)

    def plot(self, ax=None, *, cmap="viridis", **kwargs):
        """Draw the spectra.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        cmap : str or Colormap, default="viridis"
            Colours of `values`.
        **kwargs
            Passed to :class:`matplotlib.collections.LineCollection`.

        Returns
        -------
        display : SpectrumDisplay

        Raises
        ------
        InvalidInputError
            If there is no spectrum, or another argument does not fit the spectra.
        InvalidTypeError
            If a spectrum, its errors or `values` do not hold numbers.
        """
        curves, dead = self._curves()
        errors = self._checked_errors(curves)
        values = check_colours(self.values, len(curves), "values")
        names = self._checked_names(len(curves))
        self._take(ax)
        look = {"alpha": 0.8, "linewidth": 1}
        if values is not None:
            look |= value_colours(values, cmap) | {"array": values}
        elif names is not None:
            look["colors"] = list(PALETTE[: len(curves)])
        self._draw_lines(curves, collection_style(kwargs, **look))
        self._draw_dead(dead)
        self._draw_bands(curves, errors)
        self.ax_.autoscale_view()
        self._annotate(names)
        return self

    def _list(self):
        """Spectrum of each network."""
        if is_spectrum(self.spectra):
            return [self.spectra]
        if not is_list(self.spectra):
            raise InvalidTypeError(
                f"spectra: got {type(self.spectra).__name__}. It must be a LyapunovSpectrum, or a "
                "list of them or of arrays of exponents."
            )
        return self.spectra

    def _curves(self):
        """Relative ranks and exponents of each network, (2, n_exponents), NaN for gaps; and ranks
        of those of minus infinity."""
        curves = [_curve(spectrum, f"spectra[{i}]") for i, spectrum in enumerate(self._list())]
        if all(np.isnan(exponents).all() for _, exponents in curves):
            raise InvalidInputError(
                f"spectra: got {len(curves)}, none of which holds a number. Pass at least one "
                "spectrum of a network that did not fail."
            )
        dead = [ranks[np.isneginf(exponents)] for ranks, exponents in curves]
        return [np.where(np.isfinite(curve), curve, np.nan) for curve in curves], dead

    def _checked_errors(self, curves):
        """Standard errors of each network, or None for those without."""
        if self.errors is None:
            return [getattr(spectrum, "standard_error", None) for spectrum in self._list()]
        if not is_list(self.errors) or len(self.errors) != len(curves):
            raise InvalidInputError(
                f"errors: got {self.errors!r}. It must be a list with one entry for each of the "
                f"{len(curves)} spectra, None for those without errors."
            )
        return [
            None if error is None else _checked_error(error, len(ranks), f"errors[{i}]")
            for i, (error, (ranks, _)) in enumerate(zip(self.errors, curves, strict=True))
        ]

    def _checked_names(self, n_networks):
        names = check_values(self.names, n_networks, "names")
        if names is not None and n_networks > len(PALETTE):
            raise InvalidInputError(
                f"names has {n_networks} entries: at most {len(PALETTE)} colours can be told "
                "apart. Pass values instead, or draw fewer networks at once."
            )
        return names

    def _draw_lines(self, curves, look):
        from matplotlib.collections import LineCollection

        self.lines_ = LineCollection([curve.T for curve in curves], **look)
        self.ax_.add_collection(self.lines_)
        self.lines_.update_scalarmappable()
        dots = [curve[:, _is_alone(curve[1])] for curve in curves]
        colours = [self._colour(i) for i, dot in enumerate(dots) for _ in dot.T]
        self.dots_ = self.ax_.scatter(*np.hstack(dots), s=6, c=colours, linewidths=0)

    def _draw_dead(self, dead):
        """Triangles at the lower edge, whatever the scale."""
        self.dead_ = None
        ranks = np.concatenate(dead)
        if not len(ranks):
            return
        colours = [self._colour(i) for i, own in enumerate(dead) for _ in own]
        self.dead_ = self.ax_.scatter(
            *(ranks, np.full_like(ranks, 0.02)),
            transform=self.ax_.get_xaxis_transform(),
            **{"s": 16, "c": colours, "marker": "v", "linewidths": 0},
        )
        self.ax_.dataLim.update_from_data_x(ranks, ignore=False)

    def _draw_bands(self, curves, errors):
        self.bands_ = [
            None if error is None else draw_band(self.ax_, *curve, error, self._colour(i))
            for i, (curve, error) in enumerate(zip(curves, errors, strict=True))
        ]

    def _colour(self, i):
        """Of the line of a network."""
        colours = self.lines_.get_colors()
        return colours[i % len(colours)]

    def _annotate(self, names):
        below = "" if self.dead_ is None else " (▼: \N{MINUS SIGN}∞)"
        xlabel = f"Relative rank of the exponent{below}"
        self.ax_.set(xlabel=xlabel, ylabel="Exponent (nats per step)")
        self.colorbar_ = None
        if self.values is not None:
            self.colorbar_ = self.figure_.colorbar(self.lines_, ax=self.ax_, label=self.value_name)
        if names is not None:
            from matplotlib.lines import Line2D

            lines = [
                Line2D([], [], color=self._colour(i), label=name) for i, name in enumerate(names)
            ]
            self.ax_.legend(handles=lines, fontsize="small")


def _curve(spectrum, name):
    """Relative ranks and exponents, (2, n_exponents)."""
    if spectrum is None:
        return np.full((2, 1), np.nan)
    if is_spectrum(spectrum):
        exponents, size = spectrum.exponents, spectrum.state_size
    else:
        exponents = check_numbers(name, spectrum, ("n_exponents",), finite=False)
        size = len(exponents)
    return np.stack([np.arange(len(exponents)) / max(size - 1, 1), exponents])


def _checked_error(error, n_exponents, name):
    error = check_numbers(name, error, (n_exponents,), finite=False)
    if (error < 0).any():
        raise InvalidInputError(
            f"{name}: its smallest entry is {np.nanmin(error)}. Standard errors are at least 0."
        )
    return error


def _is_alone(exponents):
    """Whether an exponent has neither neighbour, so that no line goes through it."""
    present = np.pad(np.isfinite(exponents), 1)
    return present[1:-1] & ~present[:-2] & ~present[2:]
