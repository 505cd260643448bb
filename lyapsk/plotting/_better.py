"""Spectra that better networks would have."""

import re

import numpy as np
from sklearn.pipeline import Pipeline

from .._checks import is_count, refusal
from ..exceptions import InvalidInputError, InvalidTypeError
from ._display import Display
from ._spectrum import SpectrumDisplay
from ._text import with_minus

_QUANTILE = re.compile(r"(.*__)?quantile_\d+")


class BetterSpectrumDisplay(Display):
    """The spectrum of a network, and what spectra of better ones are predicted to look like.

    Lines lead from the network's latent code to better ones, decoded and coloured by predicted
    performance; the dashes are the spectrum as it is. Use :meth:`from_estimator` or
    :meth:`from_predictions` to create a display; what it stores can be drawn again by
    :meth:`plot`.

    Parameters
    ----------
    improvement : Improvement
        Codes, decoded rows and predictions on the way.
    columns : sequence of int, default=None
        Columns of the rows that hold exponents in nats per step, from the largest to the smallest,
        spread evenly over relative rank. None takes all, which must be in this order.
    value_name : str, default=None
        Label of the colour bar.

    Attributes
    ----------
    lines_ : matplotlib LineCollection
        From the start to the best.
    start_ : matplotlib Line2D
        The spectrum as it is.
    colorbar_ : matplotlib Colorbar
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    See Also
    --------
    lyapsk.AeLLERegressor.improve : Finds the way.

    Notes
    -----
    Decoded spectra are what is usual beside such a code. They need not fall everywhere.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from lyapsk import AeLLERegressor
    >>> from lyapsk.plotting import BetterSpectrumDisplay
    >>> decay, rank = np.linspace(0.1, 2, 60)[:, None], np.linspace(0, 1, 32)
    >>> spectra, loss = -decay * rank, np.abs(decay[:, 0] - 1)
    >>> aelle = AeLLERegressor(max_epochs=40, random_state=0).fit(spectra, loss)
    >>> display = BetterSpectrumDisplay.from_estimator(
    ...     aelle, spectra[-10:-9], larger_is_better=False, n_steps=4, ax=Figure().subplots()
    ... )
    >>> len(display.improvement.predictions)
    5
    """

    def __init__(self, improvement, *, columns=None, value_name=None):
        self.improvement = improvement
        self.columns = columns
        self.value_name = value_name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        larger_is_better,
        n_steps=8,
        reach=2.0,
        columns=None,
        value_name=None,
        ax=None,
        **kwargs,
    ):
        """Find the way to better networks and draw it.

        Parameters
        ----------
        estimator : AeLLERegressor or Pipeline
            Fitted; a pipeline ends in one.
        X : array-like of shape (n_networks, n_features) or list of networks
            What the estimator takes, of one network, or of several to start from their mean code.
        larger_is_better, n_steps, reach
            As for :meth:`lyapsk.AeLLERegressor.improve`.
        columns : sequence of int, default=None
            See :class:`BetterSpectrumDisplay`. Where the columns that AeLLE takes have names, as
            in a pipeline or a pandas table, None takes those that are called quantiles.
        value_name
            See :class:`BetterSpectrumDisplay`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : BetterSpectrumDisplay

        Raises
        ------
        InvalidTypeError
            If `estimator` neither is an AeLLERegressor nor ends in one.
        InvalidInputError
            If no column is called a quantile, or an argument of `improve` is not allowed.
        """
        from .. import AeLLERegressor

        aelle = estimator[-1] if isinstance(estimator, Pipeline) else estimator
        if not isinstance(aelle, AeLLERegressor):
            raise InvalidTypeError(
                f"estimator: got {type(estimator).__name__}. It must be a fitted AeLLERegressor, "
                "or a pipeline that ends in one."
            )
        before = estimator[:-1] if aelle is not estimator else ()
        X = before.transform(X) if len(before) else X
        if columns is None:
            columns = _quantiles(before if len(before) else aelle)
        improvement = aelle.improve(
            X, larger_is_better=larger_is_better, n_steps=n_steps, reach=reach
        )
        looks = {"columns": columns, "value_name": value_name, "ax": ax}
        return cls.from_predictions(improvement, **looks, **kwargs)

    @classmethod
    def from_predictions(cls, improvement, *, columns=None, value_name=None, ax=None, **kwargs):
        """Draw a way that was found before.

        Parameters
        ----------
        improvement, columns, value_name
            See :class:`BetterSpectrumDisplay`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : BetterSpectrumDisplay
        """
        return cls(improvement, columns=columns, value_name=value_name).plot(ax, **kwargs)

    def plot(self, ax=None, *, cmap="viridis", **kwargs):
        """Draw the spectra.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        cmap : str or Colormap, default="viridis"
            Colours of the predictions.
        **kwargs
            Passed to :class:`matplotlib.collections.LineCollection`.

        Returns
        -------
        display : BetterSpectrumDisplay

        Raises
        ------
        InvalidTypeError
            If `improvement` is no Improvement.
        InvalidInputError
            If there are no such `columns`, or they hold no exponents.
        """
        columns = self._checked_columns()
        improvement = self.improvement
        self._take(ax)
        drawn = SpectrumDisplay(
            improvement.rows[:, columns],
            values=improvement.predictions,
            value_name=self.value_name or "Predicted performance",
        ).plot(self.ax_, cmap=cmap, **kwargs)
        self.lines_, self.colorbar_ = drawn.lines_, drawn.colorbar_
        (self.start_,) = self.ax_.plot(
            np.linspace(0, 1, len(columns)),
            improvement.start[columns],
            color="black",
            linewidth=1,
            linestyle="--",
            label="as it is",
        )
        self.ax_.legend(loc="lower left", fontsize="small")
        first, last = improvement.predictions[[0, -1]]
        title = f"Predicted: from {first:.3g} to {last:.3g} ± {improvement.std[-1]:.2g}"
        self.ax_.set_title(with_minus(title), fontsize="small")
        return self

    def _checked_columns(self):
        from ..aelle import Improvement

        if not isinstance(self.improvement, Improvement):
            raise InvalidTypeError(
                f"improvement: got {type(self.improvement).__name__}. It must be an Improvement: "
                "pass what AeLLERegressor.improve returns."
            )
        start = self.improvement.start
        if self.columns is None:
            if (np.diff(start) > 0).any():
                raise InvalidInputError(
                    f"columns: got None, but not all {len(start)} of a row fall from the largest "
                    "exponent to the smallest. Pass those that do, such as range(64) for "
                    "quantiles that come before the statistics."
                )
            return np.arange(len(start))
        several = np.iterable(self.columns) and not isinstance(self.columns, str)
        columns = list(self.columns) if several else []
        if not columns or not all(is_count(column, 0, len(start) - 1) for column in columns):
            allowed = f"a list of whole numbers from 0 to {len(start) - 1}, or None for all"
            raise refusal("columns", self.columns, allowed)
        return np.array(columns)


def _quantiles(estimator):
    """Positions of the quantiles among the columns that it gives or takes; None without names."""
    if isinstance(estimator, Pipeline):
        names = estimator.get_feature_names_out()
    else:
        names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return None
    columns = [i for i, name in enumerate(names) if _QUANTILE.fullmatch(name)]
    if not columns:
        raise InvalidInputError(
            f"columns: got None, but none of the {len(names)} is called a quantile, as those of "
            "LyapunovSpectrumTransformer are. Pass the positions of those that hold exponents."
        )
    return columns
