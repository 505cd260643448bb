"""What `prediction.py --layers` reports of one population of all layers."""

from pathlib import Path

import numpy as np
from prediction_report import FEATURES, SPECTRUM
from report import machine, table
from scipy.stats import spearmanr

from lyapsk import AeLLERegressor

HEADING = "All layers"
FIGURE = Path(__file__).parents[1] / "docs" / "images" / "layers.png"


def by_kind(kinds):
    """For each kind of layer, fit to the others and predict it."""
    return [[(np.flatnonzero(kinds != kind), np.flatnonzero(kinds == kind)) for kind in set(kinds)]]


def section(case, kinds, results, unseen, predictors):
    """The section of RESULTS.md."""
    of_predictors = {
        name: {
            "R2, layers seen": results[case, SPECTRUM, name].r2,
            "R2, layer unseen": unseen[case, SPECTRUM, name].r2,
            "rank correlation, layer unseen": rank_correlation(unseen[case, SPECTRUM, name]),
        }
        for name in predictors
    }
    of_features = {
        name: {"R2": results[case, name, "AeLLE"].r2} for name in FEATURES if name in case.features
    }
    said = unseen[case, SPECTRUM, "AeLLE"]
    of_kinds = {kind: _of_kind(case, kinds == kind, said) for kind in dict.fromkeys(kinds)}
    return f"""## {HEADING}

`python benchmarks/prediction.py --layers`, {machine()}

{len(kinds)} networks of {len(set(kinds))} layers, before training, on {case.task} (learning rate \
fixed). Held-out networks are either drawn from all, or are all those of one layer, which the \
predictors have then never seen. Figure: `docs/images/layers.png`.

{table(of_predictors, list(of_predictors["AeLLE"]))}

Features, all with AeLLE and layers seen:

{table(of_features, ["R2"])}

AeLLE asked for a layer that it has not seen:

{table(of_kinds, list(next(iter(of_kinds.values()))))}
"""


def rank_correlation(outcome):
    return float(spearmanr(outcome.y, outcome.predicted[0, 0]).statistic)


def _of_kind(case, own, said):
    part = said.of(own)
    return {
        "networks": str(own.sum()),
        "mean log loss": part.y.mean(),
        "mean predicted": part.predicted.mean(),
        "rank correlation": rank_correlation(part),
        "inside 90 %": part.covered,
    }


def draw(case, kinds):
    """The AeLLE of all networks, by layer and by performance."""
    from matplotlib.figure import Figure

    from lyapsk.plotting import LatentDisplay

    spectra = case.features[SPECTRUM][0]
    latent = AeLLERegressor(latent_dim=2, random_state=0).fit(spectra, case.y).transform(spectra)
    figure = Figure(figsize=(11, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    # More layers than shapes or colours that can be told apart: both together.
    for index, kind in enumerate(dict.fromkeys(kinds)):
        style = {"color": f"C{index % 10}", "marker": "os^Dv"[(index + index // 10) % 5]}
        left.scatter(*latent[kinds == kind].T, s=18, alpha=0.8, label=kind, **style)
    left.set(xlabel="AeLLE, first dimension", ylabel="AeLLE, second dimension")
    figure.legend(loc="outside lower center", ncols=7, frameon=False)
    LatentDisplay.from_predictions(
        latent, values=case.y, value_name="log of the final loss", ax=right
    )
    figure.savefig(FIGURE, dpi=110, metadata={"Software": None})
