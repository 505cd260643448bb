"""The pictures of the demo, as PNG."""

import io

import numpy as np

from ..plotting import LatentDisplay, SpectrumDisplay

_STYLE = {"font.size": 11, "axes.spines.top": False, "axes.spines.right": False}
_OVERVIEW = ("Spectra before training", "Predicted by AeLLE", "Each network as two numbers")
_EXPONENTS = [-20, -10, -5, -2, -1, -0.5, 0, 0.5, 1]
_LOSSES = [0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10]


def spectra_figure(outcome):
    """Spectra before training, coloured by the loss after it."""
    return _png((5.4, 4.0), lambda axes: _draw_spectra(axes[0], outcome))


def prediction_figure(outcome, score):
    """Predicted against true log loss."""

    def draw(axes):
        _draw_prediction(axes[0], outcome, score)
        axes[0].set_title(score.predictor.capitalize().replace("aelle", "AeLLE"))

    return _png((4.2, 4.2), draw)


def latent_figure(outcome):
    """Two-dimensional AeLLE, coloured by final loss, shaped by architecture."""
    return _png((5.4, 4.2), lambda axes: _draw_latent(axes[0], outcome))


def overview_figure(outcome):
    """The three pictures side by side."""

    def draw(axes):
        _draw_spectra(axes[0], outcome)
        _draw_prediction(axes[1], outcome, outcome.scores[-1])
        _draw_latent(axes[2], outcome)
        for ax, title in zip(axes, _OVERVIEW, strict=True):
            ax.set_title(title)

    return _png((12.6, 3.9), draw, n_axes=3, dpi=90)


def _draw_spectra(ax, outcome):
    finished = outcome.finished
    SpectrumDisplay.from_predictions(
        [outcome.spectra[i] for i in finished],
        values=outcome.loss_final[finished],
        value_name="Validation loss after training",
        ax=ax,
    )
    ax.set_yscale("symlog", linthresh=1, linscale=1.5)
    ax.minorticks_off()
    ax.set_yticks(
        _EXPONENTS, [f"{exponent:g}".replace("-", "\N{MINUS SIGN}") for exponent in _EXPONENTS]
    )


def _draw_prediction(ax, outcome, score):
    from matplotlib.ticker import FixedLocator
    from sklearn.metrics import PredictionErrorDisplay

    PredictionErrorDisplay.from_predictions(
        y_true=np.log(outcome.loss_final[outcome.finished]),
        y_pred=score.out_of_fold.mean(axis=0),
        kind="actual_vs_predicted",
        subsample=None,
        scatter_kwargs={"alpha": 0.6, "color": "#31688e"},
        ax=ax,
    )
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(FixedLocator(np.log(_LOSSES)))
        axis.set_major_formatter(lambda log_loss, _: f"{np.exp(log_loss):.2g}")
    ax.set(
        xlabel="Validation loss predicted before training",
        ylabel="Validation loss after training",
    )


def _draw_latent(ax, outcome):
    finished = outcome.finished
    LatentDisplay.from_predictions(
        outcome.latent,
        values=outcome.loss_final[finished],
        categories=[outcome.recipes[i].kind for i in finished],
        value_name="Validation loss after training",
        ax=ax,
    )


def _png(size, draw, n_axes=1, dpi=150):
    """Draw on axes side by side; bytes that depend on nothing but the drawing."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=size)
        figure.set_layout_engine("constrained", wspace=0.06)
        draw(figure.subplots(1, n_axes, squeeze=False)[0])
        image = io.BytesIO()
        figure.savefig(image, format="png", dpi=dpi, metadata={"Software": None})
    return image.getvalue()
