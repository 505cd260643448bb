"""Latent codes of networks in the plane."""

import numpy as np

from ..exceptions import InvalidInputError
from ._colours import value_colours
from ._display import Display
from ._matplotlib import collection_style
from ._values import check_colours, check_numbers, check_values

_MARKERS = ("o", "^", "s", "D", "v", "P", "X")


class LatentDisplay(Display):
    """Two-dimensional latent code of each network (its AeLLE), one point per network.

    Use :meth:`from_estimator` or :meth:`from_predictions` to create a display; what it stores
    can be drawn again by :meth:`plot`.

    Parameters
    ----------
    latent : ndarray of shape (n_networks, 2)
        Latent codes.
    values : array-like of shape (n_networks,), default=None
        What the colour of each point tells, such as a final loss. Where it is not finite, as after
        training that diverged, the point is grey.
    categories : array-like of shape (n_networks,), default=None
        What the shape of each point tells, such as an architecture; at most seven of them.
    value_name : str, default=None
        Label of the colour bar.

    Attributes
    ----------
    points_ : list of matplotlib PathCollection
        One for each category, in the order of the legend.
    colorbar_ : matplotlib Colorbar or None
        None without `values`.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    See Also
    --------
    lyapsk.AeLLERegressor : Its ``transform`` gives the latent code.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from lyapsk.plotting import LatentDisplay
    >>> latent = [[0.1, 0.2], [0.4, -0.3], [-0.5, 0.0]]
    >>> display = LatentDisplay.from_predictions(
    ...     latent, values=[1, 2, 3], value_name="Loss (nats)", ax=Figure().subplots()
    ... )
    >>> display.colorbar_.ax.get_ylabel()
    'Loss (nats)'
    """

    def __init__(self, latent, *, values=None, categories=None, value_name=None):
        self.latent = latent
        self.values = values
        self.categories = categories
        self.value_name = value_name

    @classmethod
    def from_estimator(cls, estimator, X, *, ax=None, **kwargs):
        """Encode rows with a fitted estimator and draw their codes.

        Parameters
        ----------
        estimator : fitted transformer
            Its ``transform`` gives two columns, such as ``AeLLERegressor(latent_dim=2)``.
        X : array-like of shape (n_networks, n_features)
            What the estimator takes.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs
            Passed to :meth:`from_predictions`.

        Returns
        -------
        display : LatentDisplay
        """
        return cls.from_predictions(estimator.transform(X), ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls, latent, *, values=None, categories=None, value_name=None, ax=None, **kwargs
    ):
        """Draw latent codes that were computed before.

        Parameters
        ----------
        latent, values, categories, value_name
            See :class:`LatentDisplay`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : LatentDisplay
        """
        display = cls(latent, values=values, categories=categories, value_name=value_name)
        return display.plot(ax, **kwargs)

    def plot(self, ax=None, *, cmap="viridis", **kwargs):
        """Draw the points.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        cmap : str or Colormap, default="viridis"
            Colours of `values`.
        **kwargs
            Passed to :meth:`matplotlib.axes.Axes.scatter`.

        Returns
        -------
        display : LatentDisplay

        Raises
        ------
        InvalidInputError
            If `latent` has other than two columns or holds what is not finite, or another argument
            does not fit it.
        InvalidTypeError
            If `latent` or `values` do not hold numbers.
        """
        hint = "a point in the plane for each, as from an AeLLE with latent_dim=2"
        latent = check_numbers("latent", self.latent, ("n_networks", 2), hint=hint)
        values = check_colours(self.values, len(latent), "values")
        self._take(ax)
        colours = {} if values is None else value_colours(values, cmap) | {"plotnonfinite": True}
        self.points_ = []
        for name, rows, marker in self._groups(len(latent)):
            own = {} if values is None else {"c": values[rows]}
            look = {"s": 32, "alpha": 0.85, "marker": marker, "label": name}
            look = collection_style(kwargs, **look, **own, **colours)
            self.points_.append(self.ax_.scatter(*latent[rows].T, **look))
        self._annotate()
        return self

    def _groups(self, n_networks):
        """Name, row mask and marker of each category, in order of first appearance."""
        categories = check_values(self.categories, n_networks, "categories")
        if categories is None:
            return [(None, np.full(n_networks, True), _MARKERS[0])]
        names = list(dict.fromkeys(categories.tolist()))
        if len(names) > len(_MARKERS):
            raise InvalidInputError(
                f"categories has {len(names)} different entries: at most {len(_MARKERS)} shapes "
                "can be told apart."
            )
        return [
            (name, categories == name, marker)
            for name, marker in zip(names, _MARKERS, strict=False)
        ]

    def _annotate(self):
        self.ax_.set(xlabel="AeLLE, first dimension", ylabel="AeLLE, second dimension")
        self.colorbar_ = None
        if self.values is not None:
            self.colorbar_ = self.figure_.colorbar(
                self.points_[0], ax=self.ax_, label=self.value_name
            )
        if self.categories is not None:
            for handle in self.ax_.legend(fontsize="small").legend_handles:
                handle.set(array=None, color="dimgray")
