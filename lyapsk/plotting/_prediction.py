"""Predicted performance held against the true one."""

from inspect import signature
from numbers import Real

import numpy as np
from scipy.special import ndtri
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline

from .._checks import refusal
from .._correlation import rank_correlation
from ..exceptions import InvalidInputError, InvalidTypeError
from ._display import Display
from ._matplotlib import collection_style
from ._text import with_minus
from ._values import check_numbers


class PredictionDisplay(Display):
    """Predictions against the truth, with their intervals, one point per network.

    In the corner stand the coefficient of determination and Spearman's rank correlation. Use
    :meth:`from_estimator` or :meth:`from_predictions` to create a display; what it stores can be
    drawn again by :meth:`plot`.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_networks,)
        True and predicted performance, finite.
    y_std : array-like of shape (n_networks,), default=None
        Standard deviation of the truth about each prediction. None draws no intervals.
    level : float, default=0.9
        Probability of the central normal intervals, between 0 and 1.
    value_name : str, default=None
        What is predicted, with its unit, for the labels of the axes.

    Attributes
    ----------
    points_ : matplotlib PathCollection
    diagonal_ : matplotlib Line2D
        Where predictions are right.
    intervals_ : matplotlib ErrorbarContainer or None
        None without `y_std`.
    text_ : matplotlib Annotation
        The two scores.
    r2_, rank_correlation_ : float
        NaN where they are undefined, as for equal targets.
    coverage_ : float or None
        Share of the truths within their intervals; None without `y_std`.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    See Also
    --------
    lyapsk.AeLLERegressor : Its ``predict`` gives intervals with ``return_std=True``.
    sklearn.metrics.PredictionErrorDisplay : The same without intervals, and residuals.

    Examples
    --------
    >>> from lyapsk.plotting import PredictionDisplay
    >>> from matplotlib.figure import Figure
    >>> display = PredictionDisplay.from_predictions(
    ...     [0.2, 0.5, 0.9], [0.3, 0.4, 0.8], y_std=[0.1, 0.1, 0.05], ax=Figure().subplots()
    ... )
    >>> print(f"{display.rank_correlation_:.1f}, {display.coverage_:.0%} within their intervals")
    1.0, 67% within their intervals
    """

    def __init__(self, y_true, y_pred, *, y_std=None, level=0.9, value_name=None):
        self.y_true = y_true
        self.y_pred = y_pred
        self.y_std = y_std
        self.level = level
        self.value_name = value_name

    @classmethod
    def from_estimator(cls, estimator, X, y, *, level=0.9, value_name=None, ax=None, **kwargs):
        """Predict with a fitted estimator and draw its predictions.

        Parameters
        ----------
        estimator : fitted regressor or Pipeline
            Intervals are drawn where its ``predict``, or that of the last step of a pipeline,
            takes ``return_std``.
        X : array-like or list of networks
            What the estimator takes, best networks that it was not fitted to.
        y : array-like of shape (n_networks,)
            True performance.
        level, value_name
            See :class:`PredictionDisplay`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : PredictionDisplay

        Raises
        ------
        InvalidTypeError
            If `estimator` cannot predict, or predicts classes.
        """
        if not hasattr(estimator, "predict"):
            raise InvalidTypeError(
                f"estimator: got {type(estimator).__name__}, which has no predict. It must be a "
                "fitted regressor, or a pipeline that ends in one."
            )
        if hasattr(estimator, "__sklearn_tags__") and is_classifier(estimator):
            raise InvalidTypeError(
                f"estimator: got {type(estimator).__name__}, a classifier. It must be a fitted "
                "regressor; of classes draw sklearn.metrics.ConfusionMatrixDisplay."
            )
        if _gives_std(estimator):
            y_pred, y_std = estimator.predict(X, return_std=True)
        else:
            y_pred, y_std = estimator.predict(X), None
        looks = {"level": level, "value_name": value_name, "ax": ax}
        return cls.from_predictions(y, y_pred, y_std, **looks, **kwargs)

    @classmethod
    def from_predictions(
        cls, y_true, y_pred, y_std=None, *, level=0.9, value_name=None, ax=None, **kwargs
    ):
        """Draw predictions that were made before.

        Parameters
        ----------
        y_true, y_pred, y_std, level, value_name
            See :class:`PredictionDisplay`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : PredictionDisplay
        """
        display = cls(y_true, y_pred, y_std=y_std, level=level, value_name=value_name)
        return display.plot(ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Draw the predictions.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs
            Passed to :meth:`matplotlib.axes.Axes.scatter` for the points.

        Returns
        -------
        display : PredictionDisplay

        Raises
        ------
        InvalidInputError
            If the arrays do not fit each other or are not finite, a standard deviation is
            negative, or `level` is not between 0 and 1.
        InvalidTypeError
            If an array does not hold numbers.
        """
        y_true, y_pred, y_std = self._checked()
        self._take(ax)
        self.r2_, self.rank_correlation_ = _r2(y_true, y_pred), rank_correlation(y_true, y_pred)
        look = collection_style(kwargs, s=16, alpha=0.8, linewidth=0, zorder=2.5)
        self.points_ = self.ax_.scatter(y_true, y_pred, **look)
        width = None if y_std is None else ndtri(0.5 + self.level / 2) * y_std
        self._draw_intervals(y_true, y_pred, width)
        reach = 0 if width is None else width
        self._draw_diagonal(y_true, np.stack([y_pred - reach, y_pred + reach]))
        self._annotate()
        return self

    def _checked(self):
        y_true = check_numbers("y_true", self.y_true, ("n_networks",))
        y_pred = check_numbers("y_pred", self.y_pred, y_true.shape)
        if not (isinstance(self.level, Real) and 0 < self.level < 1):
            raise refusal("level", self.level, "a number between 0 and 1, for example 0.9")
        if self.y_std is None:
            return y_true, y_pred, None
        y_std = check_numbers("y_std", self.y_std, y_true.shape)
        if (y_std < 0).any():
            raise InvalidInputError(
                f"y_std: its smallest entry is {y_std.min()}. Standard deviations are at least 0."
            )
        return y_true, y_pred, y_std

    def _draw_intervals(self, y_true, y_pred, width):
        self.intervals_ = self.coverage_ = None
        if width is None:
            return
        self.coverage_ = float(np.mean(np.abs(y_true - y_pred) <= width))
        self.intervals_ = self.ax_.errorbar(
            y_true,
            y_pred,
            width,
            fmt="none",
            ecolor=self.points_.get_facecolor(),
            elinewidth=1,
            alpha=0.35,
            label=f"{100 * self.level:g} % interval, holds {100 * self.coverage_:.0f} %",
        )
        self.ax_.legend(loc="lower right", fontsize="small")

    def _draw_diagonal(self, y_true, bounds):
        """Both axes over the same range, and the line where predictions are right."""
        low, high = min(y_true.min(), bounds.min()), max(y_true.max(), bounds.max())
        margin = 0.05 * (high - low) or 0.5
        ends = (low - margin, high + margin)
        (self.diagonal_,) = self.ax_.plot(ends, ends, color="black", linewidth=1, linestyle="--")
        self.ax_.set(xlim=ends, ylim=ends, aspect="equal")

    def _annotate(self):
        scores = f"R² = {_told(self.r2_)}\nrank correlation = {_told(self.rank_correlation_)}"
        self.text_ = self.ax_.annotate(
            scores,
            (0, 1),
            xycoords="axes fraction",
            xytext=(5, -5),
            textcoords="offset points",
            va="top",
            fontsize="small",
        )
        name = self.value_name or "Performance"
        self.ax_.set(xlabel=f"{name}, true", ylabel=f"{name}, predicted")


def _told(score):
    return "undefined" if np.isnan(score) else with_minus(f"{score:.2f}")


def _gives_std(estimator):
    """Whether predictions can come with their standard deviations."""
    last = estimator
    while isinstance(last, Pipeline):
        last = last.steps[-1][1]
    return "return_std" in signature(last.predict).parameters


def _r2(y_true, y_pred):
    spread = np.sum((y_true - y_true.mean()) ** 2)
    return float(1 - np.sum((y_true - y_pred) ** 2) / spread) if spread > 0 else np.nan
