"""The report: one page that needs nothing beside it."""

from base64 import b64encode
from html import escape
from string import Template

import numpy as np

from .. import __version__
from ._figures import latent_figure, prediction_figure, spectra_figure
from ._page import PAGE
from ._tables import two_digits


def render(outcome):
    """The report as HTML bytes, pictures and style inside."""
    _, before, _, aelle = outcome.scores
    sections = [
        _spectra_section(outcome),
        _prediction_section(outcome, before, aelle),
        _latent_section(outcome),
    ]
    page = Template(PAGE).substitute(
        lead=_lead(outcome, before, aelle),
        rows="\n".join(map(_row, outcome.scores)),
        sections="\n".join(sections),
        settings=_settings(outcome),
    )
    return page.encode()


def _lead(outcome, before, aelle):
    return (
        f"{len(outcome.recipes)} small recurrent networks were measured before any training and "
        "then trained to tell handwritten digits, read pixel by pixel. The Lyapunov spectrum of a "
        "network that has learned nothing yet accounts for "
        f"{_percent(aelle.r2)} of the differences in log loss after training; its loss at that "
        f"moment accounts for {_percent(before.r2)}."
    )


def _spectra_section(outcome):
    """Spectra, and in words where the largest exponents of good and of bad networks lie."""
    order = outcome.finished[np.argsort(outcome.loss_final[outcome.finished])]
    largest = np.array([outcome.spectra[i][0] for i in order])
    quarter = len(order) // 4
    reading = (
        "Each line is one network, its exponents in order of size. Along a direction with an "
        "exponent above zero, small differences grow; near zero, the network remembers; far below, "
        "it forgets within a step. Half of the networks in the best quarter have their largest "
        f"exponent between {_middle_half(largest[:quarter])} nats per step, half of those in the "
        f"worst quarter between {_middle_half(largest[-quarter:])}."
    )
    images = {"Spectra of the untrained networks, coloured by final loss": spectra_figure(outcome)}
    return _section("Spectra before training", images, reading)


def _middle_half(numbers):
    return "{:.2f} and {:.2f}".format(*np.quantile(numbers, [0.25, 0.75]))


def _prediction_section(outcome, before, aelle):
    reading = (
        "Each point is a network that the predictor had not seen (mean of its held-out "
        "predictions); on the dashed line the prediction is exact. The rank correlation with the "
        f"truth is {two_digits(before.spearman)} from the loss before training and "
        f"{two_digits(aelle.spearman)} from the spectrum."
    )
    images = {
        f"True loss against the one predicted by: {score.predictor}": prediction_figure(
            outcome, score
        )
        for score in (before, aelle)
    }
    return _section("Predicted against true", images, reading)


def _latent_section(outcome):
    reading = (
        "An AeLLE with two latent dimensions places networks with similar spectra near each other, "
        "and so that the place tells the loss. It was fitted on all networks and their losses: "
        "unlike the table and the predictions, this picture holds nothing out."
    )
    images = {
        "Two-dimensional AeLLE, coloured by final loss, shaped by architecture": latent_figure(
            outcome
        )
    }
    return _section("Each network as two numbers", images, reading)


def _section(title, images, reading):
    pictures = "".join(_image(alt, png) for alt, png in images.items())
    return (
        f"<section><h2>{title}</h2><figure><div>{pictures}</div>"
        f"<figcaption>{reading}</figcaption></figure></section>"
    )


def _image(alt, png):
    return f'<img alt="{escape(alt)}" src="data:image/png;base64,{b64encode(png).decode()}">'


def _row(score):
    return (
        f'<tr><th scope="row">{score.predictor}</th><td>{two_digits(score.r2)}</td>'
        f"<td>{two_digits(score.spearman)}</td></tr>"
    )


def _settings(outcome):
    diverged = len(outcome.recipes) - len(outcome.finished)
    facts = outcome.settings | {"networks that diverged": diverged, "lyapsk": __version__}
    return "".join(f"<dt>{name}</dt><dd>{escape(str(fact))}</dd>" for name, fact in facts.items())


def _percent(r2):
    return f"{100 * max(r2, 0):.0f} %"
