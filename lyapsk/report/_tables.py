"""The tables of a report: networks, spectra, scores."""

import numpy as np


def networks_table(outcomes):
    """One row per network: recipe, losses, and mean out-of-fold prediction of each predictor."""
    parts = [_networks(outcome) for outcome in outcomes]
    names = list(dict.fromkeys(name for part in parts for name in part))
    return {
        name: np.concatenate(
            [part.get(name, np.full(len(part["network"]), np.nan)) for part in parts]
        )
        for name in names
    }


def _networks(outcome):
    training, recipes = outcome.training, outcome.training.recipes
    return {
        "task": [training.title] * len(training),
        "network": training.names,
        "architecture": [recipe.kind for recipe in recipes],
        "hidden_size": [recipe.hidden_size for recipe in recipes],
        "half_width": [recipe.half_width for recipe in recipes],
        "learning_rate": [recipe.learning_rate for recipe in recipes],
        "seed": [recipe.seed for recipe in recipes],
        f"loss_{_moment(training)}": training.loss_early,
        "loss_final": training.loss_final,
        f"{training.metric}_final": training.metrics[:, -1],
        **{
            prediction_column(outcome, score): _in_place(outcome, score) for score in outcome.scores
        },
    }


def _moment(training):
    return "before" if training.epoch == 0 else f"after_{training.epoch}_epochs"


def prediction_column(outcome, score):
    """Name of a predictor's column, as in ``log_loss_by_spectrum_with_AeLLE``."""
    what = "log_loss" if outcome.is_log else "loss"
    return f"{what}_by_{score.predictor}".replace(" ", "_")


def spectra_table(outcomes):
    """One row per network, largest exponent first, NaN beyond its last exponent."""
    spectra = [
        np.empty(0) if spectrum is None else spectrum.exponents
        for outcome in outcomes
        for spectrum in outcome.spectra
    ]
    padded = np.full((len(spectra), max(map(len, spectra))), np.nan)
    for row, exponents in zip(padded, spectra, strict=True):
        row[: len(exponents)] = exponents
    return {
        "task": [outcome.training.title for outcome in outcomes for _ in outcome.spectra],
        "network": [name for outcome in outcomes for name in outcome.training.names],
        **{f"exponent_{i}": column for i, column in enumerate(padded.T)},
    }


def scores_table(outcomes):
    """One row per task and predictor."""
    rows = [(outcome.training.title, score) for outcome in outcomes for score in outcome.scores]
    return {
        "task": [title for title, _ in rows],
        "predictor": [score.predictor for _, score in rows],
        "r2": [score.r2 for _, score in rows],
        "spearman": [score.spearman for _, score in rows],
    }


def as_text(outcomes):
    """The scores for a terminal; with several tasks under the name of each."""
    tables = []
    for outcome in outcomes:
        lines = [f"{'predictor':<22} {'R2':>6} {'Spearman':>9}"]
        for score in outcome.scores:
            r2, spearman = two_digits(score.r2), two_digits(score.spearman)
            lines.append(f"{score.predictor:<22} {r2:>6} {spearman:>9}")
        title = [f"{outcome.training.title}, {len(outcome.used)} networks"]
        tables.append("\n".join(title + lines if len(outcomes) > 1 else lines))
    return "\n\n".join(tables)


def two_digits(number):
    """A score as people read it; a dash where there is none."""
    return "-" if np.isnan(number) else f"{number:.2f}"


def _in_place(outcome, score):
    """Mean prediction over the repeats for every network; NaN for those that are not used."""
    column = np.full(len(outcome.training), np.nan)
    column[outcome.used] = score.mean
    return column
