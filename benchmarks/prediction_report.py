"""What `prediction.py` reports: numbers of each case, their tables, and the figure of the docs."""

from pathlib import Path

import numpy as np
from report import machine, table

FIGURE = Path(__file__).parents[1] / "docs" / "images" / "prediction.png"

N_RESAMPLED = 2000
INF = float("inf")

SPECTRUM, CURVE, BOTH = "spectrum", "learning curve", "spectrum + learning curve"
CONTROLS = ("hyper-parameters", "weight norms, kind, size", "loss now", CURVE)
FEATURES = ("quantiles", SPECTRUM, "+ spread", "+ change", BOTH, *CONTROLS)
ALONE = {"largest alone": "largest", "mean alone": "mean"}
"""Single exponents, by the names that the transformer has for them."""

FITTING = ["AeLLE less best rival", "inside 90 %", "seconds per fit"]
GENERALISING = [
    "error, fresh / same",
    "R2, size unseen",
    "best rival's",
    "R2, size seen",
    "inside 90 %, size unseen",
    "spread, unseen / seen",
]
RULES = [
    *((f"The spectrum is more than 0.05 behind {c}", SPECTRUM, c, -0.05, INF) for c in CONTROLS),
    ("It adds less than 0.02 to the learning curve", BOTH, CURVE, 0.02, INF),
    ("It explains less than a third of the variance", SPECTRUM, None, 1 / 3, INF),
    ("It adds less than 0.02 to its largest exponent", "AeLLE", "largest alone", 0.02, INF),
    ("AeLLE is more than 0.02 behind the best rival", "margin", None, -0.02, INF),
    ("Its 90 % intervals hold less than 85 or more than 95 %", "inside 90 %", None, 0.85, 0.95),
    (
        "Its error grows by more than 10 % along fresh sequences",
        "error, fresh / same",
        None,
        0,
        1.1,
    ),
    ("It predicts unseen sizes no better than their mean", "R2, size unseen", None, 0, INF),
]
"""What is told, the number or the difference that it is about, and the bounds it should keep."""


def numbers(case, results, unseen, rivals):
    """All that is said of a case, under the names that tables have for it."""
    row = {n: results[case, n, "AeLLE"].r2 if n in case.features else np.nan for n in FEATURES}
    return row | (comparison(case, results, unseen, rivals) if case.ranked else {})


def comparison(case, results, unseen, rivals):
    """AeLLE with its rivals, along fresh sequences, and for networks of a size that is new."""
    outcomes = {name: results[case, SPECTRUM, name] for name in ("AeLLE", *rivals)}
    outcomes |= {name: results[case, name, "spline"] for name in ALONE}
    ours, new = outcomes["AeLLE"], unseen[case, SPECTRUM, "AeLLE"]
    seen = ours.of(case.large)
    best = max(rivals, key=lambda name: outcomes[name].r2)
    margin, low, high = difference(ours, outcomes[best])
    return {
        **{name: outcome.r2 for name, outcome in outcomes.items()},
        **{"best": best, "margin": margin, "low": low, "high": high},
        "AeLLE less best rival": f"{margin:+.3f} ({low:+.3f} to {high:+.3f})",
        "inside 90 %": ours.covered,
        "seconds per fit": ours.seconds,
        "error, fresh / same": np.sqrt(ours.errors[1].mean() / ours.errors[0].mean()),
        "R2, size unseen": new.r2,
        "best rival's": max(unseen[case, SPECTRUM, name].r2 for name in rivals),
        "R2, size seen": seen.r2,
        "inside 90 %, size unseen": new.covered,
        "spread, unseen / seen": new.spread[:, 0].mean() / seen.spread[:, 0].mean(),
    }


def difference(ours, theirs):
    """In R2, with its 90 % bootstrap interval over networks."""
    gain = theirs.errors[0] - ours.errors[0]
    drawn = np.random.default_rng(0).integers(len(gain), size=(N_RESAMPLED, len(gain)))
    resampled = gain[drawn].mean(axis=1) / ours.y[drawn].var(axis=1)
    return gain.mean() / ours.y.var(), *np.quantile(resampled, [0.05, 0.95])


def section(plan, diverged, rows, rivals):
    """The section of RESULTS.md, from the numbers of each case."""
    ranked = {case: row for case, row in rows.items() if case.ranked}
    predictors = ["AeLLE", *rivals, *ALONE]
    stages = dict.fromkeys(case.stage for case in rows)
    by_stage = {
        s: mean([r for case, r in rows.items() if case.stage == s], FEATURES) for s in stages
    }
    margins = {case: row["margin"] for case, row in ranked.items()}
    worst = min(margins, key=margins.get)
    left_out = ", ".join(f"{n} of {name}" for name, n in diverged.items() if n) or "none"
    return f"""## Prediction

`python benchmarks/prediction.py`, {machine()}

{plan.n_networks} networks for each task and regime: "fixed" has one learning rate, "varied" draws \
it from two decades. Left out as diverged: {left_out}. R2 of the log of the final validation loss \
by {plan.n_repeats} x {plan.n_splits}-fold cross-validation, with the same folds for all and one \
setting of each predictor for all cases. The epoch is that of the spectrum, which is along \
{plan.n_sequences} validation sequences.

### Predictors on the spectrum

{table({**ranked, "mean": mean(ranked.values(), predictors)}, predictors + FITTING)}

AeLLE less the best rival of each case: {np.mean(list(margins.values())):+.3f} on average, \
{margins[worst]:+.3f} at worst ({worst}: {ranked[worst]["best"]}). In brackets 90 % bootstrap \
intervals over networks.

### Features, all with AeLLE

Mean over tasks, then case by case.

{table(by_stage, FEATURES)}

{table(rows, FEATURES)}

### Fresh sequences and unseen sizes

First the error along sequences that the fit has not seen, over that along those it has. Then \
predictors are fitted to the smaller networks and asked for the largest quarter; with "size seen" \
the folds above were asked for the same networks.

{table(ranked, GENERALISING)}

### Where the spectrum does not help

{chr(10).join(remarks(rows))}
"""


def remarks(rows):
    """A line for each rule: where a number is out of its bounds."""
    for text, name, less, low, high in RULES:
        values = {case: row[name] - row.get(less, 0) for case, row in rows.items() if name in row}
        found = [f"{case} ({v:.2f})" for case, v in values.items() if v < low or v > high]
        yield f"- {text}: {', '.join(found) or 'in no case'}."


def mean(rows, names):
    return {name: np.mean([row[name] for row in rows]) for name in names}


def draw(rows):
    """R2 of AeLLE and of the best rival, and the difference, case by case."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    tasks = list(dict.fromkeys(case.task for case in rows))
    y = np.array([i + 1.5 * tasks.index(case.task) for i, case in enumerate(rows)])
    names = ("AeLLE", "margin", "low", "high")
    ours, margin, low, high = (np.array([row[name] for row in rows.values()]) for name in names)
    with rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(6.6, 1 + 0.2 * y[-1]), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        left.hlines(y, ours - margin, ours, color="0.7", zorder=0)
        left.plot(ours - margin, y, "D", color="#D55E00", mfc="white", label="best rival")
        left.plot(ours, y, "o", color="#0072B2", label="AeLLE")
        left.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
        left.set(xlabel="R2 on held-out networks")
        right.axvline(0, color="0.7", zorder=0)
        right.errorbar(margin, y, xerr=(margin - low, high - margin), fmt="o", color="#0072B2")
        right.set(xlabel="AeLLE less best rival, 90 % interval")
        left.set_yticks(y, [case.stage for case in rows])
        left.invert_yaxis()
        first = dict(reversed([(case.task, height) for case, height in zip(rows, y, strict=True)]))
        for task, height in first.items():
            place = {"xycoords": left.get_yaxis_transform(), "textcoords": "offset points"}
            align = {"ha": "right", "va": "center", "weight": "bold"}
            left.annotate(task, (0, height - 1), (-7, 0), **place, **align)
        FIGURE.parent.mkdir(exist_ok=True)
        figure.savefig(FIGURE, dpi=150, metadata={"Software": None})
