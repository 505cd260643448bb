"""Spectra of many networks in one picture."""

import numpy as np

from ._matplotlib import axes_for
from ._values import check_values


class SpectrumDisplay:
    """Lyapunov spectra, one line per network.

    Networks of any size share the horizontal axis, the relative rank of an exponent: 0 is the
    largest exponent of its network, 1 the smallest. Use :meth:`from_estimator` or
    :meth:`from_predictions` to create a display; what it stores can be drawn again by
    :meth:`plot`.

    Parameters
    ----------
    spectra : list of ndarray of shape (n_exponents,)
        Exponents of each network, largest first, in nats per step. Those of minus infinity are
        left out of the line.
    values : array-like of shape (n_networks,), default=None
        What the colour of each line tells, such as a final loss.
    value_name : str, default=None
        Label of the colour bar.

    Attributes
    ----------
    lines_ : matplotlib LineCollection
        One line per network, in the order of `spectra`.
    colorbar_ : matplotlib Colorbar or None
        None without `values`.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    See Also
    --------
    lyapsk.lyapunov_spectrum : Computes the exponents.

    Examples
    --------
    >>> from lyapsk.plotting import SpectrumDisplay
    >>> spectra = [[0.1, -0.2, -1.3], [-0.4, -0.9]]
    >>> display = SpectrumDisplay.from_predictions(spectra, values=[0.7, 2.1])  # doctest: +SKIP
    """

    def __init__(self, spectra, *, values=None, value_name=None):
        self.spectra = spectra
        self.values = values
        self.value_name = value_name

    @classmethod
    def from_estimator(
        cls, estimator, sequences, *, values=None, value_name=None, ax=None, **kwargs
    ):
        """Compute and draw the spectra of networks along driving sequences.

        Parameters
        ----------
        estimator : network or list of networks
            Anything that :func:`lyapsk.lyapunov_spectrum` takes.
        sequences : array-like of shape (n_sequences, n_steps, n_inputs)
            Driving sequences.
        values, value_name
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

        networks = estimator if isinstance(estimator, list | tuple | np.ndarray) else [estimator]
        spectra = [lyapunov_spectrum(network, sequences).exponents for network in networks]
        return cls.from_predictions(spectra, values=values, value_name=value_name, ax=ax, **kwargs)

    @classmethod
    def from_predictions(cls, spectra, *, values=None, value_name=None, ax=None, **kwargs):
        """Draw spectra that were computed before.

        Parameters
        ----------
        spectra, values, value_name
            See :class:`SpectrumDisplay`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : SpectrumDisplay
        """
        return cls(spectra, values=values, value_name=value_name).plot(ax, **kwargs)

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
        """
        self.ax_ = axes_for(ax, "SpectrumDisplay")
        self.figure_ = self.ax_.figure
        values = check_values(self.values, len(self.spectra), "values")
        self.lines_ = self._lines(values, cmap, {"linewidth": 1, "alpha": 0.8, **kwargs})
        self.ax_.add_collection(self.lines_)
        self.ax_.autoscale_view()
        self.ax_.set(xlabel="Relative rank of the exponent", ylabel="Exponent (nats per step)")
        self.colorbar_ = None
        if values is not None:
            self.colorbar_ = self.figure_.colorbar(self.lines_, ax=self.ax_, label=self.value_name)
        return self

    def _lines(self, values, cmap, line_kwargs):
        from matplotlib.collections import LineCollection

        segments = [
            np.column_stack([np.linspace(0, 1, len(spectrum)), spectrum])
            for spectrum in self.spectra
        ]
        return LineCollection(segments, array=values, cmap=cmap, **line_kwargs)
