"""The one dependency of the displays, imported only when something is drawn."""

from importlib.util import find_spec

from ..exceptions import InvalidTypeError


def check_matplotlib(caller):
    """Raise an error that says what to install if matplotlib is missing.

    Parameters
    ----------
    caller : str
        What needs matplotlib, for the message.

    Raises
    ------
    ImportError
        If matplotlib cannot be imported.
    """
    if find_spec("matplotlib") is None:
        raise ImportError(f'{caller} draws with matplotlib: pip install "lyapsk[plots]"')


def line_style(kwargs, **defaults):
    """Keyword arguments of a line over defaults, whatever alias they go by."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return defaults | normalize_kwargs(kwargs, Line2D)


def collection_style(kwargs, **defaults):
    """The same of points, or of many lines at once."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.collections import Collection

    return defaults | normalize_kwargs(kwargs, Collection)


def check_axes(ax, caller):
    """Refuse what nothing can be drawn on, before anything long is computed.

    Raises
    ------
    ImportError
        If matplotlib cannot be imported.
    InvalidTypeError
        If `ax` is neither None nor axes.
    """
    check_matplotlib(caller)
    from matplotlib.axes import Axes

    if not (ax is None or isinstance(ax, Axes)):
        raise InvalidTypeError(
            f"ax: got {type(ax).__name__}. It must be one matplotlib Axes, as axes[0] of what "
            "plt.subplots(1, 2) returns, or None for a new figure."
        )


def axes_for(ax, caller):
    """`ax`, or the axes of a new figure."""
    check_axes(ax, caller)
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]
