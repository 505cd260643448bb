"""The report: one page that needs nothing beside it."""

from base64 import b64encode
from html import escape
from string import Template

import numpy as np

from .. import __version__
from .._message import counted, listed
from ._evaluation import N_REPEATS, N_SPLITS
from ._figures import latent_figure, prediction_figure, spectra_figure
from ._page import PAGE, TABLE
from ._tables import two_digits


def render(outcomes, seed, left_out=()):
    """The report as HTML bytes, pictures and style inside.

    Parameters
    ----------
    outcomes : list of Outcome
        One part of the page each.
    seed : int
        That it was made with.
    left_out : sequence of str
        What is not in it, and why.
    """
    titles = [outcome.training.title for outcome in outcomes]
    if len(outcomes) == 1:
        lead, parts = _lead(outcomes[0]), _sections(outcomes[0], seed, "h2")
    else:
        lead = (
            f"{sum(len(outcome.training) for outcome in outcomes)} networks learned "
            f"{listed(titles)}. Losses of different tasks or trainings cannot be compared, so "
            "that each is predicted for itself."
        )
        parts = [_article(outcome, seed) for outcome in outcomes]
    if left_out:
        reasons = "".join(f"<li>{escape(reason)}</li>" for reason in left_out)
        parts.append(f"<section><h2>Left out</h2><ul>{reasons}</ul></section>")
    page = Template(PAGE).substitute(
        title=escape(", ".join(titles)),
        lead=escape(lead),
        parts="\n".join(parts),
    )
    return page.encode()


def _article(outcome, seed):
    """The part of one training among several."""
    title = f"<h2>{escape(_capital(outcome.training.title))}</h2><p>{escape(_lead(outcome))}</p>"
    return "\n".join([f"<article>{title}", *_sections(outcome, seed, "h3"), "</article>"])


def _lead(outcome):
    training, (_, early, _, aelle) = outcome.training, outcome.scores
    moment = "before any training" if training.epoch == 0 else training.moment
    return (
        f"{len(training)} recurrent networks ({listed(_kinds(training))}) were measured {moment}, "
        f"and trained for {counted(training.max_epochs, 'epoch')} on the task: {training.task}. "
        f"The Lyapunov spectrum of a network at that moment accounts for {_percent(aelle.r2)} of "
        f"the differences in the {outcome.target_name} after training; its loss at that moment "
        f"accounts for {_percent(early.r2)}."
    )


def _sections(outcome, seed, heading):
    return [
        _table_section(outcome, heading),
        _spectra_section(outcome, heading),
        _prediction_section(outcome, heading),
        _latent_section(outcome, heading),
        _settings_section(outcome, seed, heading),
    ]


def _table_section(outcome, heading):
    table = Template(TABLE).substitute(
        caption=f"{counted(len(outcome.used), 'network')}, {N_SPLITS}-fold cross-validation",
        rows="\n".join(map(_row, outcome.scores)),
    )
    title = f"Predicting the {outcome.target_name} after training"
    caution = outcome.caution and f'\n<p class="reading"><strong>{outcome.caution}</strong></p>'
    return f"<section><{heading}>{title}</{heading}>\n{table}{caution}</section>"


def _row(score):
    return (
        f'<tr><th scope="row">{escape(score.predictor)}</th><td>{two_digits(score.r2)}</td>'
        f"<td>{two_digits(score.spearman)}</td></tr>"
    )


def _spectra_section(outcome, heading):
    """Spectra, and in words where the largest exponents of good and of bad networks lie."""
    order = outcome.used[np.argsort(outcome.loss)]
    largest = np.array([outcome.spectra[i].exponents[0] for i in order])
    quarter = len(order) // 4
    reading = (
        "Each line is one network, its exponents in order of size. Along a direction with an "
        "exponent above zero, small differences grow; near zero, the network remembers; far below, "
        "it forgets within a step. Half of the networks in the best quarter have their largest "
        f"exponent between {_middle_half(largest[:quarter])} nats per step, half of those in the "
        f"worst quarter between {_middle_half(largest[-quarter:])}."
    )
    moment = outcome.training.moment
    images = {f"Spectra {moment}, coloured by the loss after training": spectra_figure(outcome)}
    return _section(heading, f"Spectra {moment}", images, reading)


def _middle_half(numbers):
    bounds = np.quantile(numbers, [0.25, 0.75], method="nearest")
    return "{:.2f} and {:.2f}".format(*bounds)


def _prediction_section(outcome, heading):
    _, early, _, aelle = outcome.scores
    reading = (
        "Each point is a network that the predictor had not seen (mean of its held-out "
        "predictions); on the dashed line the prediction is exact. The bars of the AeLLE are "
        "intervals that should hold the truth nine times in ten. The rank correlation with the "
        f"truth is {two_digits(early.spearman)} from the {early.predictor} and "
        f"{two_digits(aelle.spearman)} from the spectrum."
    )
    images = {
        f"True loss against the one predicted by: {score.predictor}, rank correlation "
        f"{two_digits(score.spearman)}": prediction_figure(outcome, score)
        for score in (early, aelle)
    }
    return _section(heading, "Predicted against true", images, reading)


def _latent_section(outcome, heading):
    reading = (
        "An AeLLE with two latent dimensions places networks with similar spectra near each other, "
        "and so that the place tells the loss. It was fitted on all networks and their losses: "
        "unlike the table and the predictions, this picture holds nothing out."
    )
    images = {
        "Two-dimensional AeLLE, coloured by the loss after training, shaped by architecture": (
            latent_figure(outcome)
        )
    }
    return _section(heading, "Each network as two numbers", images, reading)


def _section(heading, title, images, reading):
    pictures = "".join(_image(alt, png) for alt, png in images.items())
    return (
        f"<section><{heading}>{title}</{heading}><figure><div>{pictures}</div>"
        f"<figcaption>{escape(reading)}</figcaption></figure></section>"
    )


def _image(alt, png):
    return f'<img alt="{escape(alt)}" src="data:image/png;base64,{b64encode(png).decode()}">'


def _settings_section(outcome, seed, heading):
    facts = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(str(fact))}</dd>"
        for name, fact in _facts(outcome, seed).items()
    )
    return f"<section><{heading}>How this was made</{heading}><dl>{facts}</dl></section>"


def _facts(outcome, seed):
    training, recipes = outcome.training, outcome.training.recipes
    n_sequences, n_steps = training.sequences.shape[:2]
    sizes = _range([recipe.hidden_size for recipe in recipes])
    on = "" if training.n_train is None else f" on {counted(training.n_train, 'sequence')}"
    metric = training.metrics[outcome.used, -1]
    return {
        "task": f"{training.task}, {counted(n_steps, 'step')}",
        "networks": f"{len(training)}: {listed(_kinds(training))}, {sizes} units",
        "initial recurrent weights": "uniform in plus or minus p, p of "
        f"{_range([recipe.half_width for recipe in recipes])}, in layers with a free matrix of "
        "them",
        "training": f"{counted(training.max_epochs, 'epoch')}{on}, learning rate "
        f"{_range([recipe.learning_rate for recipe in recipes])}, loss {training.criterion}",
        f"{training.metric} after training": f"{np.nanmin(metric):.2g} to {np.nanmax(metric):.2g}, "
        f"half of the networks between {np.nanquantile(metric, 0.25):.2g} and "
        f"{np.nanquantile(metric, 0.75):.2g}",
        "spectra": f"{training.moment}, along {n_sequences} {training.driven_by}",
        "cross-validation": f"{N_SPLITS} folds, {N_REPEATS} times, the same for each predictor",
        "networks that diverged": outcome.n_diverged,
        "networks without a spectrum": outcome.n_unread,
        "seed": seed,
        "lyapsk": __version__,
    }


def _kinds(training):
    return list(dict.fromkeys(recipe.kind for recipe in training.recipes))


def _range(numbers):
    low, high = min(numbers), max(numbers)
    return f"{low:.2g}" if f"{low:.2g}" == f"{high:.2g}" else f"{low:.2g} to {high:.2g}"


def _capital(text):
    return text[:1].upper() + text[1:]


def _percent(r2):
    return f"{100 * max(r2, 0):.0f}\N{NO-BREAK SPACE}%"
