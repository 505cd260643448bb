"""The pictures of a report, as PNG."""

import io
from collections import Counter

import numpy as np

from ..plotting import LatentDisplay, PredictionDisplay, SpectrumDisplay
from ..plotting._text import with_minus

_STYLE = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    # Names of tasks and layers are no formulas, whatever they hold.
    "text.parse_math": False,
}
_EXPONENTS = [-500, -200, -100, -50, -20, -10, -5, -2, -1, -0.5, 0, 0.5, 1, 2, 5, 10]
_LOSS = "Validation loss after training"
_SHAPES = 6
"""Architectures that have a shape of their own; the others share one."""


def spectra_figure(outcome):
    """Spectra, coloured by the loss after training."""
    return _png((5.4, 4.0), lambda axes: _draw_spectra(axes[0, 0], outcome))


def prediction_figure(outcome, score):
    """Predicted against true loss."""

    def draw(axes):
        _draw_prediction(axes[0, 0], outcome, score)
        axes[0, 0].set_title(score.predictor[0].upper() + score.predictor[1:])

    return _png((4.2, 4.2), draw)


def latent_figure(outcome):
    """Two-dimensional AeLLE, coloured by final loss, shaped by architecture."""
    return _png((5.4, 4.2), lambda axes: _draw_latent(axes[0, 0], outcome))


def overview_figure(outcomes):
    """The three pictures side by side, a row for each training."""

    def draw(axes):
        for row, outcome in zip(axes, outcomes, strict=True):
            _draw_spectra(row[0], outcome)
            _draw_prediction(row[1], outcome, outcome.scores[-1])
            _draw_latent(row[2], outcome)
            own = f"{outcome.training.title}: " if len(outcomes) > 1 else ""
            titles = (
                f"{own}Spectra {outcome.training.moment}",
                "Predicted by AeLLE",
                "Each network as two numbers",
            )
            for ax, title in zip(row, titles, strict=True):
                ax.set_title(title)

    return _png((12.6, 3.9 * len(outcomes)), draw, shape=(len(outcomes), 3), dpi=90)


def _draw_spectra(ax, outcome):
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    spectra = [outcome.spectra[i].exponents for i in outcome.used]
    if not np.isfinite(np.concatenate(spectra)).any():
        ax.text(0.5, 0.5, "All exponents are minus infinity", ha="center", va="center")
        ax.set_axis_off()
        return
    display = SpectrumDisplay.from_predictions(spectra, ax=ax, **_coloured(outcome))
    _mark_losses(display, outcome)
    ax.set_yscale("symlog", linthresh=1, linscale=1.5)
    ax.yaxis.set_major_locator(FixedLocator(_EXPONENTS))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda exponent, _: with_minus(f"{exponent:g}")))


def _draw_prediction(ax, outcome, score):
    display = PredictionDisplay.from_predictions(
        outcome.target, score.mean, score.mean_std, color="#31688e", alpha=0.6, ax=ax
    )
    # The table holds the scores, as means over the repeats.
    display.text_.remove()
    # From few networks a single interval can be wider than all losses.
    both = np.concatenate([outcome.target, score.mean])
    margin = 0.05 * np.ptp(both) or 0.5
    ends = both.min() - margin, both.max() + margin
    ax.set(xlim=ends, ylim=ends)
    if outcome.is_log:
        from matplotlib.ticker import FixedLocator, FuncFormatter

        ticks = _losses(*ax.get_xlim())
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(FixedLocator(np.log(ticks)))
            axis.set_major_formatter(FuncFormatter(lambda log_loss, _: f"{np.exp(log_loss):.2g}"))
    ax.set(xlabel=_LOSS, ylabel=f"Predicted {outcome.training.moment}")


def _losses(low, high):
    """Round losses between two logarithms, as many as can be read."""
    from matplotlib.ticker import MaxNLocator

    if high - low < np.log(5):
        return _between(MaxNLocator(5).tick_values(np.exp(low), np.exp(high)), low, high)
    decades = 10.0 ** np.arange(np.floor(low / np.log(10)), np.ceil(high / np.log(10)) + 1)
    for steps in ((1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        ticks = _between(np.outer(decades, steps).ravel(), low, high)
        if len(ticks) <= 8:
            break
    return ticks[:: 1 + len(ticks) // 9]


def _between(losses, low, high):
    return losses[(losses >= np.exp(low)) & (losses <= np.exp(high))]


def _draw_latent(ax, outcome):
    kinds = [outcome.training.recipes[i].kind for i in outcome.used]
    often = [kind for kind, _ in Counter(kinds).most_common(_SHAPES)]
    if len(set(kinds)) > len(often):
        kinds = [kind if kind in often else "others" for kind in kinds]
    display = LatentDisplay.from_predictions(
        outcome.latent, categories=kinds, ax=ax, **_coloured(outcome)
    )
    _mark_losses(display, outcome)


def _coloured(outcome):
    """Colours by the loss, on the scale on which it is predicted."""
    from matplotlib.colors import LogNorm, Normalize

    norm = (LogNorm if outcome.is_log else Normalize)(outcome.loss.min(), outcome.loss.max())
    return {"values": outcome.loss, "value_name": _LOSS, "norm": norm}


def _mark_losses(display, outcome):
    """Round numbers beside the colours."""
    if outcome.is_log:
        ticks = _losses(*np.log([outcome.loss.min(), outcome.loss.max()]))
        display.colorbar_.set_ticks(ticks, labels=[f"{loss:.2g}" for loss in ticks])
        display.colorbar_.minorticks_off()


def _png(size, draw, shape=(1, 1), dpi=150):
    """Draw on a grid of axes; bytes that depend on nothing but the drawing."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=size)
        figure.set_layout_engine("constrained", wspace=0.06)
        draw(figure.subplots(*shape, squeeze=False))
        image = io.BytesIO()
        figure.savefig(image, format="png", dpi=dpi, metadata={"Software": None})
    return image.getvalue()
