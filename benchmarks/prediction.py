"""How well spectra predict the final loss of networks, against rivals and controls.

    python benchmarks/prediction.py [--quick] [--record] [--directory DIR] [--jobs N]

The networks of a population learn one task. In the regime "fixed" architecture, size and initial
weights vary; in "varied" the learning rate does too, over two decades. The target is the log of
the final validation loss. Networks and spectra are kept in DIR, so that a second run only fits
predictors. --quick takes a few minutes, and is too small for conclusions. --record writes the
section "Prediction" of RESULTS.md and the figure of the docs.
"""

import argparse
import os
import platform
import re
import time
import warnings
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import joblib
import numpy as np
import torch
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler
from sklearn.svm import SVR

from lyapsk import (
    AeLLERegressor,
    LearningCurveTransformer,
    LyapunovSpectrumTransformer,
    __version__,
)
from lyapsk._parallel import in_parallel, one_thread
from lyapsk.tasks import TASKS, delayed_copy, digits_by_rows, make_population

RESULTS = Path(__file__).with_name("RESULTS.md")
FIGURE = Path(__file__).parents[1] / "docs" / "images" / "prediction.png"
DIRECTORY = Path("~/.cache/lyapsk/populations").expanduser()

REGIMES = {"fixed": 0.005, "varied": (0.0005, 0.05)}
N_SEQUENCES, N_SPLITS, N_RESAMPLED = 4, 5, 2000
INF = float("inf")
HALF_INTERVAL = 1.645
"""Of a normal distribution's 90 % interval, in standard deviations."""

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

ALPHAS = np.logspace(-3, 4, 15)
SVR_GRID = GridSearchCV(make_pipeline(StandardScaler(), SVR()), {"svr__C": np.logspace(-1, 3, 5)})
KERNEL = ConstantKernel(1, (1e-3, 1e4)) * RBF(10, (0.1, 1e4)) + WhiteKernel(0.1, (1e-4, 10))
GAUSSIAN_PROCESS = GaussianProcessRegressor(
    KERNEL, normalize_y=True, n_restarts_optimizer=2, random_state=0
)
AELLE = AeLLERegressor(random_state=0)
SPLINE = make_pipeline(StandardScaler(), SplineTransformer(), RidgeCV(ALPHAS))
RIVALS = {
    "ridge": make_pipeline(StandardScaler(), RidgeCV(ALPHAS)),
    "forest": RandomForestRegressor(300, random_state=0),
    "SVR": TransformedTargetRegressor(SVR_GRID, transformer=StandardScaler()),
    "Gaussian process": make_pipeline(StandardScaler(), GAUSSIAN_PROCESS),
    "boosting": GradientBoostingRegressor(random_state=0),
}
if "architecture" in AELLE.get_params():
    RIVALS["paper"] = AeLLERegressor(architecture="paper", random_state=0)


@dataclass(frozen=True)
class Plan:
    """What is run: all of it, or a quick look."""

    tasks: dict
    n_networks: int
    epochs: tuple
    n_repeats: int
    training: dict


FULL = Plan(TASKS, n_networks=150, epochs=(0, 1, 3), n_repeats=3, training={})
SHORT_COPY = partial(delayed_copy, n_train=1024, n_valid=256, n_items=3, delay=4)
QUICK = Plan(
    {"digits_by_rows": digits_by_rows, "delayed_copy": SHORT_COPY},
    n_networks=40,
    epochs=(0, 3),
    n_repeats=1,
    training={"hidden_sizes": (8, 24), "max_epochs": 8},
)


@dataclass(frozen=True, eq=False)
class Case:
    """Networks of a population after some epochs.

    `features` holds arrays (n_versions, n_networks, n_features) by name. Predictors are fitted to
    the first version; the second, which the spectrum has, is along fresh sequences.
    """

    task: str
    regime: str
    epoch: int
    y: np.ndarray
    hidden_sizes: np.ndarray
    features: dict

    @property
    def stage(self):
        return f"{self.regime}, epoch {self.epoch}"

    @property
    def ranked(self):
        """Whether the rivals compete."""
        return self.regime == "varied" or self.epoch == 0

    def __str__(self):
        return f"{self.task}, {self.stage}"


@dataclass(frozen=True)
class Outcome:
    """What a predictor said of held-out networks: arrays (n_repeats, n_versions, n_networks)."""

    y: np.ndarray
    predicted: np.ndarray
    spread: np.ndarray
    seconds: float

    def of(self, networks):
        """The outcome for some of the networks."""
        arrays = (array[..., networks] for array in (self.y, self.predicted, self.spread))
        return Outcome(*arrays, self.seconds)

    @property
    def errors(self):
        """Mean squared error of each network, (n_versions, n_networks)."""
        return ((self.predicted - self.y) ** 2).mean(axis=0)

    @property
    def r2(self):
        return 1 - self.errors[0].mean() / self.y.var()

    @property
    def covered(self):
        """Share of networks inside their 90 % interval."""
        return np.mean(np.abs(self.predicted - self.y)[:, 0] <= HALF_INTERVAL * self.spread[:, 0])


# From populations to cases


def all_cases(plan, directory, n_jobs):
    """Train and measure what is not in the directory; cases, and how many networks diverged."""
    take = partial(spectra, joblib.Memory(directory / "spectra", verbose=0), n_jobs)
    options = {
        **plan.training,
        "checkpoints": plan.epochs,
        "directory": directory,
        "n_jobs": n_jobs,
    }
    cases, diverged = [], {}
    for task in (make_task() for make_task in plan.tasks.values()):
        for regime, rates in REGIMES.items():
            population = make_population(task, plan.n_networks, learning_rates=rates, **options)
            diverged[f"{task.name}, {regime}"] = np.sum(~population.finished)
            cases += cases_of(population, regime, plan.epochs, take)
    return cases, diverged


def cases_of(population, regime, epochs, take):
    """A case for each epoch, of the networks that did not diverge."""
    kept, name = np.flatnonzero(population.finished), population.task.name
    y = np.log(population.final_loss[kept])
    sizes = np.array([population.recipes[i].hidden_size for i in kept])
    nets = {epoch: pick(population.nets(epoch), kept) for epoch in epochs}
    for epoch in epochs:
        features = spectrum_features(population.task.X_valid, nets[epoch], nets[0], take)
        features |= controls(population, epoch, kept)
        if epoch == 0:
            del features["+ change"]
        else:
            curves = LearningCurveTransformer(epoch, keys=sorted(population.learning_curves))
            features[CURVE] = curves.fit_transform(nets[epoch])
            features[BOTH] = np.hstack([features[SPECTRUM][0], features[CURVE]])
        features = {key: np.reshape(X, (-1, *X.shape[-2:])) for key, X in features.items()}
        yield Case(name, regime, epoch, y, sizes, features)


def spectra(memory, n_jobs, nets, sequences):
    """Spectra of nets, kept under their weights."""
    weights = [{k: w.numpy() for k, w in net.module_.state_dict().items()} for net in nets]
    cached = memory.cache(measure, ignore=["nets", "n_jobs"])
    return cached(joblib.hash(weights), sequences, __version__, nets, n_jobs)


def measure(weights, sequences, version, nets, n_jobs):
    transformer = LyapunovSpectrumTransformer(sequences, n_jobs=n_jobs, verbose=1)
    return transformer.fit(nets).spectra(nets)


def spectrum_features(X, nets, untrained, take):
    """Blocks of the transformer, and single exponents."""
    sequences, fresh = X[:N_SEQUENCES], X[N_SEQUENCES : 2 * N_SEQUENCES]
    now, before = take(nets, sequences), take(untrained, sequences)
    default = LyapunovSpectrumTransformer(sequences).fit(nets)
    usual, names = default.from_spectra(now), list(default.get_feature_names_out())

    def rows(features, entries=nets, spectra=now):
        return clone(default).set_params(features=features).fit(entries).from_spectra(spectra)

    return {
        "quantiles": rows(["quantiles"]),
        SPECTRUM: np.stack([usual, default.from_spectra(take(nets, fresh))]),
        "+ spread": rows([*default.features, "spread"]),
        "+ change": rows([*default.features, "change"], pairs(nets, untrained), pairs(now, before)),
        **{alone: usual[:, [names.index(name)]] for alone, name in ALONE.items()},
    }


def controls(population, epoch, kept):
    """What is known of the networks without their spectra."""
    recipes, names = population.hyper_parameters()
    shape = [name.startswith("kind") or name == "log_hidden_size" for name in names]
    weights = [sorted(network.weights[epoch].items()) for network in population.networks]
    norms = np.array([[np.linalg.norm(array) for _, array in arrays] for arrays in weights])
    return {
        "hyper-parameters": recipes[kept],
        "weight norms, kind, size": np.hstack([np.log(norms), recipes[:, shape]])[kept],
        "loss now": np.log(population.losses[kept, epoch])[:, None],
    }


def pairs(first, second):
    return list(zip(first, second, strict=True))


def pick(items, indices):
    return [items[i] for i in indices]


# From cases to outcomes


def compete(cases, contests_of, repeats_of, n_jobs):
    """Outcomes by case, features and name of the predictor."""
    contests = [(case, *contest) for case in cases for contest in contests_of(case)]
    jobs = [
        (predictor, case.features[features], case.y, *split)
        for case, features, _, predictor in contests
        for splits in repeats_of(case)
        for split in splits
    ]
    done = iter(in_parallel(fit_and_predict, jobs, n_jobs, "fitting predictors"))
    return {
        (case, features, name): gathered(case.y, repeats_of(case), done)
        for case, features, name, _ in contests
    }


def everything(case):
    """Features, name and predictor: AeLLE on all features, and what it is compared with."""
    yield from ((name, "AeLLE", AELLE) for name in FEATURES if name in case.features)
    if case.ranked:
        yield from ((SPECTRUM, name, rival) for name, rival in RIVALS.items())
        yield from ((name, "spline", SPLINE) for name in ALONE)


def on_spectrum(case):
    """The same for AeLLE and its rivals on the spectrum alone."""
    return [(SPECTRUM, name, rival) for name, rival in {"AeLLE": AELLE, **RIVALS}.items()]


def folds(n_repeats, case):
    """For each repeat, networks to fit to and to predict."""
    shuffled = (KFold(N_SPLITS, shuffle=True, random_state=seed) for seed in range(n_repeats))
    return [list(splitter.split(case.y)) for splitter in shuffled]


def by_size(case):
    """Fit to the smaller networks, predict the largest quarter."""
    large = case.hidden_sizes > np.quantile(case.hidden_sizes, 0.75)
    return [[(np.flatnonzero(~large), np.flatnonzero(large))]]


def fit_and_predict(predictor, X, y, train, test):
    """Predictions and their spread (2, n_versions, n_test), and the seconds of the fit."""
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        fitted = clone(predictor).fit(X[0, train], y[train])
        seconds = time.perf_counter() - start
        return np.stack([with_spread(fitted, version[test]) for version in X], axis=1), seconds


def with_spread(fitted, X):
    if isinstance(fitted, AeLLERegressor):
        return fitted.predict(X, return_std=True)
    return fitted.predict(X), np.full(len(X), np.nan)


def gathered(y, repeats, done):
    """What the next fits that are done have said."""
    rows, seconds = [], []
    for splits in repeats:
        tested = np.concatenate([test for _, test in splits])
        said, times = zip(*islice(done, len(splits)), strict=True)
        rows.append(np.concatenate(said, axis=-1)[..., np.argsort(tested)])
        seconds += times
    return Outcome(y[np.sort(tested)], *np.stack(rows, axis=1), np.median(seconds))


# The report


def numbers(case, results, unseen):
    """All that is said of a case, under the names that tables have for it."""
    row = {n: results[case, n, "AeLLE"].r2 if n in case.features else np.nan for n in FEATURES}
    return row | (comparison(case, results, unseen) if case.ranked else {})


def comparison(case, results, unseen):
    """AeLLE with its rivals, along fresh sequences, and for networks of a size that is new."""
    outcomes = {name: results[case, SPECTRUM, name] for name in ("AeLLE", *RIVALS)}
    outcomes |= {name: results[case, name, "spline"] for name in ALONE}
    ours, new = outcomes["AeLLE"], unseen[case, SPECTRUM, "AeLLE"]
    seen = ours.of(by_size(case)[0][0][1])
    best = max(RIVALS, key=lambda name: outcomes[name].r2)
    margin, low, high = difference(ours, outcomes[best])
    return {
        **{name: outcome.r2 for name, outcome in outcomes.items()},
        **{"best": best, "margin": margin, "low": low, "high": high},
        "AeLLE less best rival": f"{margin:+.3f} ({low:+.3f} to {high:+.3f})",
        "inside 90 %": ours.covered,
        "seconds per fit": ours.seconds,
        "error, fresh / same": np.sqrt(ours.errors[1].mean() / ours.errors[0].mean()),
        "R2, size unseen": new.r2,
        "best rival's": max(unseen[case, SPECTRUM, name].r2 for name in RIVALS),
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


def section(plan, diverged, rows):
    """The section of RESULTS.md, from the numbers of each case."""
    ranked = {case: row for case, row in rows.items() if case.ranked}
    predictors = ["AeLLE", *RIVALS, *ALONE]
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
by {plan.n_repeats} x {N_SPLITS}-fold cross-validation, with the same folds for all and one \
setting of each predictor for all cases. The epoch is that of the spectrum, which is along \
{N_SEQUENCES} validation sequences.

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


def machine():
    """Date, machine and torch in one line."""
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    cpu = re.search(r"model name\s*: (.*)|\Z", info)[1] or platform.machine()
    return f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {cpu}, torch {torch.__version__}"


def mean(rows, names):
    return {name: np.mean([row[name] for row in rows]) for name in names}


def table(rows, columns):
    """Markdown of rows by name; what is missing stays empty."""
    lines = [["", *columns], ["---"] * (len(columns) + 1)]
    lines += [[name, *(shown(row.get(key, "")) for key in columns)] for name, row in rows.items()]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def shown(value):
    return value if isinstance(value, str) else f"{value:.2f}".replace("nan", "")


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


def record(text):
    """Put the section in its place in RESULTS.md."""
    before, _, rest = RESULTS.read_text().partition("## Prediction\n")
    _, heading, after = rest.partition("\n## ")
    RESULTS.write_text(f"{before.rstrip()}\n\n{text}{heading}{after}")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two small tasks, few networks")
    parser.add_argument("--record", action="store_true", help="write RESULTS.md and the figure")
    parser.add_argument("--directory", type=Path, default=DIRECTORY, help="of networks, spectra")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--networks", type=int, help="in each population")
    parser.add_argument("--repeats", type=int, help="of the cross-validation")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, help="some of the tasks only")
    options = parser.parse_args()
    if options.quick and options.record:
        parser.error("--record wants the full run, without --quick")
    return options


def main():
    options = arguments()
    plan = QUICK if options.quick else FULL
    tasks = {name: plan.tasks.get(name, TASKS[name]) for name in options.tasks or plan.tasks}
    plan = replace(
        plan,
        tasks=tasks,
        n_networks=options.networks or plan.n_networks,
        n_repeats=options.repeats or plan.n_repeats,
    )
    cases, diverged = all_cases(plan, options.directory, options.jobs)
    ranked = [case for case in cases if case.ranked]
    results = compete(cases, everything, partial(folds, plan.n_repeats), options.jobs)
    unseen = compete(ranked, on_spectrum, by_size, options.jobs)
    rows = {case: numbers(case, results, unseen) for case in cases}
    text = section(plan, diverged, rows)
    print(text)
    if options.record:
        record(text)
        draw({case: rows[case] for case in ranked})


if __name__ == "__main__":
    main()
