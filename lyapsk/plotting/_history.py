"""What was recorded of a network as it trained."""

import numpy as np

from ..exceptions import InvalidInputError, InvalidTypeError
from ._colours import PALETTE
from ._display import Display
from ._levels import draw_chance_and_containment, draw_level
from ._matplotlib import line_style
from ._values import check_named, check_numbers

_UNITS = {
    "alignment_state": "score",
    "alignment_adjoint": "score",
    "gradient_share": "share",
    "input_sensitivity": "rank correlation",
    "lyapunov_largest": "nats per step",
    "lyapunov_entropy_rate": "nats per step",
    "lyapunov_n_positive": "number of exponents",
    "gradient_horizon": "steps",
}


class HistoryDisplay(Display):
    """Numbers from the history of a net against its epochs: alignment, exponents or losses.

    Epochs on which a number was not read, NaN, are passed over; where it is infinite the line has
    a gap. Use :meth:`from_estimator` or :meth:`from_predictions` to create a display; what it
    stores can be drawn again by :meth:`plot`.

    Parameters
    ----------
    epochs : array-like of shape (n_epochs,)
        Epochs done; 0 is before training.
    values : dict of str to array-like of shape (n_epochs,)
        By name, at most eight, in the same unit or none. For the scores
        ``alignment_state`` and ``alignment_adjoint`` chance and containment are marked, for
        ``lyapunov_largest`` the edge of chaos.
    value_name : str, default=None
        Label of the vertical axis, with its unit. None takes the units of what lyapsk's callbacks
        record, and the names of others.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
        In the order of `values`.
    references_ : list of matplotlib Line2D
        The levels that are marked.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    See Also
    --------
    lyapsk.callbacks.AlignmentMonitor : Records alignment.
    lyapsk.callbacks.LyapunovMonitor : Records exponents.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from lyapsk.callbacks import LyapunovMonitor
    >>> from lyapsk.plotting import HistoryDisplay
    >>> from lyapsk.tasks import digits_by_rows
    >>> task = digits_by_rows()
    >>> net = task.net("GRU", hidden_size=8, max_epochs=2, callbacks=[LyapunovMonitor()])
    >>> net = net.fit(task.X_train, task.y_train)
    >>> display = HistoryDisplay.from_estimator(net, ax=Figure().subplots())
    >>> list(display.values)
    ['lyapunov_largest', 'lyapunov_entropy_rate']
    """

    def __init__(self, epochs, values, *, value_name=None):
        self.epochs = epochs
        self.values = values
        self.value_name = value_name

    @classmethod
    def from_estimator(cls, net, *, names=None, value_name=None, ax=None, **kwargs):
        """Draw what the history of a net holds.

        Parameters
        ----------
        net : NeuralNet
            A fitted skorch net.
        names : list of str, default=None
            Numbers of its history. None takes those of its AlignmentMonitor, or the largest
            exponent and the entropy rate of its LyapunovMonitor.
        value_name
            See :class:`HistoryDisplay`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : HistoryDisplay
            With the epoch 0 where a callback read the net before its training.

        Raises
        ------
        InvalidTypeError
            If `net` is no skorch net.
        InvalidInputError
            If its history is empty or lacks a name, or no callback says what to draw.
        """
        from skorch import NeuralNet

        if not isinstance(net, NeuralNet):
            raise InvalidTypeError(
                f"net: got {type(net).__name__}. It must be a fitted skorch net, with its history."
            )
        history = getattr(net, "history_", [])
        if not history:
            raise InvalidInputError("net: its history is empty. Fit it first.")
        monitors = _monitors(net)
        names = _names(monitors) if names is None else _checked_names(names, history)
        before = {name: value for monitor in monitors for name, value in monitor.before_.items()}
        values = {
            name: [before.get(name, np.nan), *(row.get(name, np.nan) for row in history)]
            for name in names
        }
        epochs = np.arange(len(history) + 1)
        return cls.from_predictions(epochs, values, value_name=value_name, ax=ax, **kwargs)

    @classmethod
    def from_predictions(cls, epochs, values, *, value_name=None, ax=None, **kwargs):
        """Draw numbers that were recorded in any way.

        Parameters
        ----------
        epochs, values, value_name
            See :class:`HistoryDisplay`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : HistoryDisplay
        """
        return cls(epochs, values, value_name=value_name).plot(ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Draw the numbers.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs
            Passed to :meth:`matplotlib.axes.Axes.plot`.

        Returns
        -------
        display : HistoryDisplay

        Raises
        ------
        InvalidTypeError
            If `values` is no dict, or it or `epochs` do not hold numbers.
        InvalidInputError
            If there is nothing to draw or too much, or `values` do not fit the epochs.
        """
        epochs, values = self._checked()
        self._take(ax)
        self.lines_ = []
        for (name, numbers), colour in zip(values.items(), PALETTE, strict=False):
            look = line_style(kwargs, color=colour, label=name, marker="o", markersize=3)
            read = ~np.isnan(numbers)
            heights = np.where(np.isfinite(numbers), numbers, np.nan)[read]
            self.lines_ += self.ax_.plot(epochs[read], heights, **look)
        self._mark_levels()
        self._annotate()
        return self

    def _checked(self):
        epochs = check_numbers("epochs", self.epochs, ("n_epochs",))
        check_named("values", self.values, "arrays")
        values = {
            name: check_numbers(f"values[{name!r}]", numbers, epochs.shape, finite=False)
            for name, numbers in self.values.items()
        }
        for name, numbers in values.items():
            if np.isnan(numbers).all():
                raise InvalidInputError(
                    f"values[{name!r}]: all of its {len(numbers)} entries are NaN. Leave it out."
                )
        return epochs, values

    def _mark_levels(self):
        self.references_ = []
        names = set(map(_without_prefix, self.values))
        if names & {"alignment_state", "alignment_adjoint"}:
            self.references_ += draw_chance_and_containment(self.ax_)
        if "lyapunov_largest" in names:
            self.references_.append(draw_level(self.ax_, 0, "edge of chaos"))

    def _annotate(self):
        units = dict.fromkeys(_UNITS.get(_without_prefix(name), str(name)) for name in self.values)
        label = self.value_name or ", ".join(units)
        self.ax_.set(xlabel="Epochs", ylabel=label[:1].upper() + label[1:])
        self.ax_.xaxis.get_major_locator().set_params(integer=True)
        if len(self.values) > 1:
            self.ax_.legend(fontsize="small")


def _without_prefix(name):
    """What a callback calls a number, whatever prefix it was given."""
    return next((own for own in _UNITS if str(name).endswith(own)), name)


def _monitors(net):
    """Callbacks that read the net before its training, alignment first."""
    from ..callbacks import AlignmentMonitor, LyapunovMonitor

    return [
        callback
        for kind in (AlignmentMonitor, LyapunovMonitor)
        for _, callback in net.callbacks_
        if isinstance(callback, kind) and hasattr(callback, "before_")
    ]


def _names(monitors):
    """What to draw of the first, in one unit or none."""
    if not monitors:
        raise InvalidInputError(
            "names: got None, but none of the callbacks of net is an AlignmentMonitor or a "
            "LyapunovMonitor. Pass names of its history, such as 'valid_loss'."
        )
    from ..callbacks import LyapunovMonitor

    return monitors[0].names[: 2 if isinstance(monitors[0], LyapunovMonitor) else -1]


def _checked_names(names, history):
    there = sorted({name for row in history for name in row})
    several = np.iterable(names) and not isinstance(names, str)
    if not several or not set(names) <= set(there):
        raise InvalidInputError(
            f"names: got {names!r}. It must be a list of names that the history of net holds: "
            f"{', '.join(there)}."
        )
    return names
