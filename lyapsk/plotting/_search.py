"""What searches found for the epochs that they spent."""

from itertools import cycle

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..exceptions import InvalidInputError, InvalidTypeError
from ._colours import PALETTE
from ._display import Display
from ._matplotlib import line_style
from ._values import check_named, check_numbers, is_list

_STYLES = ("-", "--", "-.", ":")
"""Lines of searches that found the same lie on each other, and still show."""


class SearchDisplay(Display):
    """Best score so far against the epochs spent, one line for each search.

    Use :meth:`from_estimator` or :meth:`from_predictions` to create a display; what it stores can
    be drawn again by :meth:`plot`.

    Parameters
    ----------
    curves : dict of str to (array-like, array-like)
        By the name of each search, at most eight: epochs spent in all, (n_points,), never fewer
        than before, and the best score after them, (n_points,). Until a first network has
        finished it may be NaN.
    score_name : str, default=None
        Label of the vertical axis, with its unit.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
        Steps, in the order of `curves`; a dot marks the end of each.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    See Also
    --------
    lyapsk.search.LyapunovSearchCV : Its ``course_`` is what is drawn.

    Examples
    --------
    A search next to one by scikit-learn, of which each candidate takes 12 epochs:

    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from lyapsk.plotting import SearchDisplay
    >>> scores = np.array([-0.9, -0.4, -0.6])  # search.cv_results_["mean_test_score"]
    >>> curves = {
    ...     "random": (12 * np.arange(1, 4), np.maximum.accumulate(scores)),
    ...     "by spectra": ([12, 15, 24], [-0.5, -0.5, -0.3]),
    ... }
    >>> display = SearchDisplay.from_predictions(curves, ax=Figure().subplots())
    >>> [text.get_text() for text in display.ax_.get_legend().get_texts()]
    ['random', 'by spectra']
    """

    def __init__(self, curves, *, score_name=None):
        self.curves = curves
        self.score_name = score_name

    @classmethod
    def from_estimator(cls, searches, *, score_name=None, ax=None, **kwargs):
        """Draw the course of fitted searches.

        Parameters
        ----------
        searches : LyapunovSearchCV or dict of str to LyapunovSearchCV
            One, or several by name.
        score_name
            See :class:`SearchDisplay`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : SearchDisplay

        Raises
        ------
        InvalidTypeError
            If one is no LyapunovSearchCV.
        NotFittedError
            If one is not fitted.
        """
        searches = searches if isinstance(searches, dict) else {"search": searches}
        curves = {name: _curve(search, name) for name, search in searches.items()}
        return cls.from_predictions(curves, score_name=score_name, ax=ax, **kwargs)

    @classmethod
    def from_predictions(cls, curves, *, score_name=None, ax=None, **kwargs):
        """Draw courses of searches of any kind.

        Parameters
        ----------
        curves, score_name
            See :class:`SearchDisplay`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : SearchDisplay
        """
        return cls(curves, score_name=score_name).plot(ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs
            Passed to :meth:`matplotlib.axes.Axes.plot`.

        Returns
        -------
        display : SearchDisplay

        Raises
        ------
        InvalidTypeError
            If `curves` is no dict of pairs of numbers.
        InvalidInputError
            If there is no curve or too many, one has no finite score, or its epochs decrease.
        """
        curves = self._checked()
        self._take(ax)
        self.lines_ = [
            self._draw(*curve, **line_style(kwargs, color=colour, linestyle=style, label=name))
            for (name, curve), colour, style in zip(
                curves.items(), PALETTE, cycle(_STYLES), strict=False
            )
        ]
        self.ax_.set(xlabel="Epochs spent", ylabel=self.score_name or "Best score so far")
        self.ax_.set_xlim(left=0)
        if len(curves) > 1:
            self.ax_.legend(loc="lower right", fontsize="small")
        return self

    def _checked(self):
        """Epochs and scores of each search, as arrays."""
        check_named("curves", self.curves, "pairs (epochs, best_score)")
        return {name: _checked_curve(curve, name) for name, curve in self.curves.items()}

    def _draw(self, epochs, scores, **look):
        look = {"drawstyle": "steps-post", "marker": "o", "markevery": [-1], "markersize": 4} | look
        return self.ax_.plot(epochs, scores, **look)[0]


def _curve(search, name):
    from ..search import LyapunovSearchCV

    if not isinstance(search, LyapunovSearchCV):
        raise InvalidTypeError(
            f"searches: {name!r} is {type(search).__name__}. It must be a LyapunovSearchCV; draw "
            "others from their epochs and scores with from_predictions."
        )
    check_is_fitted(search)
    best = search.course_["best_score"]
    return np.arange(1, len(best) + 1), best


def _checked_curve(curve, name):
    if not is_list(curve) or isinstance(curve, str | dict) or len(curve) != 2:
        raise InvalidTypeError(
            f"curves[{name!r}]: got {type(curve).__name__}. It must be a pair (epochs, best_score)."
        )
    epochs = check_numbers(f"curves[{name!r}][0]", curve[0], ("n_points",))
    scores = check_numbers(f"curves[{name!r}][1]", curve[1], epochs.shape, finite=False)
    if (np.diff(epochs) < 0).any():
        raise InvalidInputError(
            f"curves[{name!r}][0]: epochs decrease after {epochs[:-1][np.diff(epochs) < 0][0]:g}. "
            "They must be those spent in all."
        )
    if not np.isfinite(scores).any():
        raise InvalidInputError(
            f"curves[{name!r}][1]: none of its {len(scores)} scores is finite. Leave it out."
        )
    return epochs, np.where(np.isfinite(scores), scores, np.nan)
