"""The tables of the demo: networks, spectra, scores."""

import numpy as np


def networks_table(outcome):
    """One row per network: recipe, losses, and mean out-of-fold prediction of its log loss."""
    recipes = outcome.recipes
    return {
        "network": range(len(recipes)),
        "architecture": [recipe.kind for recipe in recipes],
        "hidden_size": [recipe.hidden_size for recipe in recipes],
        "half_width": [recipe.half_width for recipe in recipes],
        "seed": [recipe.seed for recipe in recipes],
        "loss_before": outcome.loss_before,
        "loss_final": outcome.loss_final,
        **{prediction_column(score): _in_place(outcome, score) for score in outcome.scores},
    }


def prediction_column(score):
    """Name of a predictor's column, as in ``log_loss_by_spectrum_with_AeLLE``."""
    return f"log_loss_by_{score.predictor}".replace(" ", "_")


def spectra_table(outcome):
    """One row per network, largest exponent first, NaN beyond its last exponent."""
    width = max(map(len, outcome.spectra))
    padded = np.full((len(outcome.spectra), width), np.nan)
    for row, spectrum in zip(padded, outcome.spectra, strict=True):
        row[: len(spectrum)] = spectrum
    names = [f"exponent_{i}" for i in range(width)]
    return {"network": range(len(padded)), **dict(zip(names, padded.T, strict=True))}


def scores_table(scores):
    """One row per predictor."""
    return {
        "predictor": [score.predictor for score in scores],
        "r2": [score.r2 for score in scores],
        "spearman": [score.spearman for score in scores],
    }


def as_text(scores):
    """The scores for a terminal."""
    lines = [f"{'predictor':<22} {'R2':>6} {'Spearman':>9}"]
    for score in scores:
        r2, spearman = two_digits(score.r2), two_digits(score.spearman)
        lines.append(f"{score.predictor:<22} {r2:>6} {spearman:>9}")
    return "\n".join(lines)


def two_digits(number):
    """A score as people read it; a dash where there is none."""
    return "-" if np.isnan(number) else f"{number:.2f}"


def _in_place(outcome, score):
    """Mean prediction over the repeats for every network; NaN for those that diverged."""
    column = np.full(len(outcome.recipes), np.nan)
    column[outcome.finished] = score.out_of_fold.mean(axis=0)
    return column
