"""The one dependency of the displays, imported only when something is drawn."""

from importlib.util import find_spec


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


def axes_for(ax, caller):
    """`ax`, or the axes of a new figure."""
    check_matplotlib(caller)
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]
