"""Colours that everyone can tell apart."""

import numpy as np

PALETTE = (
    *("#0072b2", "#e69f00", "#009e73", "#d55e00"),
    *("#56b4e9", "#cc79a7", "#000000", "#999999"),
)
"""Of Okabe and Ito, "Color Universal Design", without the yellow that is too faint for lines."""

MISSING = "lightgray"
"""Colour of networks without a finite value."""


def value_colours(values, cmap):
    """How matplotlib is to colour one thing for each value.

    Parameters
    ----------
    values : ndarray of float
        Of which at least one is finite; the others are drawn in light grey.
    cmap : str or Colormap

    Returns
    -------
    colours : dict
        ``cmap`` and ``norm``.
    """
    from matplotlib import colormaps
    from matplotlib.colors import Normalize

    finite = values[np.isfinite(values)]
    return {
        "cmap": colormaps.get_cmap(cmap).with_extremes(bad=MISSING),
        "norm": Normalize(finite.min(), finite.max()),
    }
