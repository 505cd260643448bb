"""What scores are to be held against."""

REFERENCE = {"color": "black", "linewidth": 1, "linestyle": "--"}


def draw_level(ax, height, name, below=False):
    """Draw a dashed line with its name at its right end, and make room for it.

    Parameters
    ----------
    ax : matplotlib Axes
    height : float
    name : str
    below : bool, default=False
        Whether the name stands below the line.

    Returns
    -------
    line : matplotlib Line2D
    """
    ax.annotate(
        name,
        (1, height),
        xycoords=("axes fraction", "data"),
        xytext=(-4, -4 if below else 4),
        textcoords="offset points",
        ha="right",
        va="top" if below else "bottom",
        fontsize="small",
    )
    line = ax.axhline(height, **REFERENCE)
    # After the line, which else counts only where it lies beyond the axes.
    ax.margins(y=0.15)
    return line


def draw_chance_and_containment(ax):
    """Draw the levels of alignment scores, named on the sides that scores rarely reach.

    Returns
    -------
    lines : list of matplotlib Line2D
    """
    return [draw_level(ax, 0, "chance", below=True), draw_level(ax, 1, "containment")]
