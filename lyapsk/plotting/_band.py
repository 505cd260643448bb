"""A line with its uncertainty, as several displays draw it."""

import numpy as np


def plot_with_band(ax, x, mean, error, **kwargs):
    """Draw a line, and a band of one standard error around it where that is finite.

    Parameters
    ----------
    ax : matplotlib Axes
    x, mean, error : ndarray of shape (n_points,)
    **kwargs
        Passed to :meth:`matplotlib.axes.Axes.plot`.

    Returns
    -------
    line : matplotlib Line2D
    band : matplotlib PolyCollection
        In the colour of the line.
    """
    (line,) = ax.plot(x, mean, **kwargs)
    return line, draw_band(ax, x, mean, error, line.get_color())


def draw_band(ax, x, mean, error, colour):
    """Draw a band of one standard error where that is finite.

    Returns
    -------
    band : matplotlib PolyCollection
    """
    error = np.where(np.isfinite(error), error, np.nan)
    return ax.fill_between(x, mean - error, mean + error, color=colour, alpha=0.25, linewidth=0)
