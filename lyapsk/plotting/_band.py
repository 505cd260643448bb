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
    error = np.where(np.isfinite(error), error, np.nan)
    look = {"color": line.get_color(), "alpha": 0.25, "linewidth": 0}
    return line, ax.fill_between(x, mean - error, mean + error, **look)
