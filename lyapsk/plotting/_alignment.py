"""Where the gradient lies among the fastest-growing directions."""

import numpy as np

from .._checks import check_choice
from ..exceptions import InvalidInputError, InvalidTypeError
from ._band import plot_with_band
from ._display import Display
from ._levels import REFERENCE, draw_chance_and_containment
from ._matplotlib import check_axes

_KINDS = ("steps", "share")


class GradientAlignmentDisplay(Display):
    """Alignment of a net's gradient with its fastest-growing directions.

    Use :meth:`from_estimator` or :meth:`from_predictions` to create a display; what it stores
    can be drawn again by :meth:`plot`.

    Parameters
    ----------
    alignment : GradientAlignment
    kind : {"steps", "share"}, default="steps"
        The score at each step, between chance and containment, or the share of the gradient that
        the leading directions carry, against their number. Bands are one standard error.

    Attributes
    ----------
    line_ : matplotlib Line2D
    band_ : matplotlib PolyCollection
        Empty where there is no standard error, as for a single sequence.
    references_ : list of matplotlib Line2D
        What the line is to be held against: chance and containment, or what as many random
        directions carry on average.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    See Also
    --------
    lyapsk.GradientAlignmentScorer : Its ``analyze`` computes the alignment.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from lyapsk import GradientAlignmentScorer
    >>> from lyapsk.plotting import GradientAlignmentDisplay
    >>> from lyapsk.tasks import digits_by_rows
    >>> task = digits_by_rows()
    >>> net = task.net("GRU", hidden_size=8).initialize()
    >>> alignment = GradientAlignmentScorer().analyze(net, task.X_valid[:5], task.y_valid[:5])
    >>> display = GradientAlignmentDisplay.from_predictions(
    ...     alignment, kind="share", ax=Figure().subplots()
    ... )
    >>> len(display.line_.get_ydata())
    8
    """

    def __init__(self, alignment, *, kind="steps"):
        self.alignment = alignment
        self.kind = kind

    @classmethod
    def from_estimator(cls, net, X, y=None, *, scorer=None, kind="steps", ax=None, **kwargs):
        """Compute and draw the alignment of a net.

        Parameters
        ----------
        net, X, y
            As for :meth:`lyapsk.GradientAlignmentScorer.analyze`.
        scorer : GradientAlignmentScorer, default=None
            None stands for one with its defaults.
        kind
            See :class:`GradientAlignmentDisplay`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : GradientAlignmentDisplay
        """
        from .. import GradientAlignmentScorer

        check_axes(ax, cls.__name__)
        alignment = (scorer or GradientAlignmentScorer()).analyze(net, X, y)
        return cls.from_predictions(alignment, kind=kind, ax=ax, **kwargs)

    @classmethod
    def from_predictions(cls, alignment, *, kind="steps", ax=None, **kwargs):
        """Draw an alignment that was computed before.

        Parameters
        ----------
        alignment, kind
            See :class:`GradientAlignmentDisplay`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : GradientAlignmentDisplay
        """
        return cls(alignment, kind=kind).plot(ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Draw the alignment.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs
            Passed to :meth:`matplotlib.axes.Axes.plot` for the line of the alignment.

        Returns
        -------
        display : GradientAlignmentDisplay

        Raises
        ------
        InvalidTypeError
            If `alignment` is no GradientAlignment.
        InvalidInputError
            If there is no such `kind`, or `alignment` does not hold what it draws.
        """
        self._check()
        self._take(ax)
        draw = self._draw_steps if self.kind == "steps" else self._draw_share
        draw(kwargs)
        return self

    def _check(self):
        from ..scorers import GradientAlignment

        if not isinstance(self.alignment, GradientAlignment):
            raise InvalidTypeError(
                f"alignment: got {type(self.alignment).__name__}. It must be a GradientAlignment: "
                "pass what GradientAlignmentScorer.analyze returns."
            )
        check_choice("kind", self.kind, _KINDS)
        if self.kind == "share" and self.alignment.gradient is None:
            raise InvalidInputError(
                "alignment: its gradient is None, of which kind='share' draws the share. Pass "
                "what GradientAlignmentScorer.analyze returns, or kind='steps'."
            )

    def _draw_steps(self, line_kwargs):
        score, error = self.alignment.per_step, self.alignment.per_step_error
        self.line_, self.band_ = plot_with_band(
            self.ax_, np.arange(len(score)), score, error, **line_kwargs
        )
        self.references_ = draw_chance_and_containment(self.ax_)
        self.ax_.set(xlabel="Step (without the warm-up)", ylabel="Alignment score")

    def _draw_share(self, line_kwargs):
        gradient = self.alignment.gradient
        counts = np.arange(1, len(gradient.share) + 1)
        self.line_, self.band_ = plot_with_band(
            self.ax_, counts, gradient.share, gradient.share_error, **line_kwargs
        )
        by_chance = counts / gradient.adjoint.shape[-1]
        self.references_ = self.ax_.plot(
            counts, by_chance, label="as many random directions", **REFERENCE
        )
        self.ax_.legend(fontsize="small")
        self.ax_.set(xlabel="Leading directions", ylabel="Share of the gradient")
