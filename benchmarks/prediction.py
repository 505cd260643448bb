"""How well spectra predict the final loss of networks, against rivals and controls.

    python benchmarks/prediction.py [--layers] [--quick] [--record] [--directory DIR] [--jobs N]

The networks of a population learn one task. In the regime "fixed" architecture, size and initial
weights vary; in "varied" the learning rate does too, over two decades. The target is the log of
the final validation loss. Networks and spectra are kept in DIR, so that a second run only fits
predictors. --quick takes a few minutes, and is too small for conclusions. --record writes the
section "Prediction" of RESULTS.md and the figure of the docs. --layers asks of one population of
all layers, those of `lyapsk.nn` too, instead; --record then writes the section "All layers".
"""

import argparse
import os
import time
import warnings
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import prediction_layers
from prediction_report import ALONE, BOTH, CURVE, FEATURES, SPECTRUM, draw, numbers, section
from report import record
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
from lyapsk.tasks._modules import LAYERS

DIRECTORY = Path("~/.cache/lyapsk/populations").expanduser()

REGIMES = {"fixed": 0.005, "varied": (0.0005, 0.05)}
LAYERS_EACH = 20
HALF_INTERVAL = 1.645
"""Of a normal distribution's 90 % interval, in standard deviations."""

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
    "paper": AeLLERegressor(architecture="paper", random_state=0),
}


@dataclass(frozen=True)
class Plan:
    """What is run: all of it, or a quick look."""

    tasks: dict
    n_networks: int
    epochs: tuple
    n_repeats: int
    training: dict
    n_sequences: int = 4
    n_splits: int = 5


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

    @property
    def large(self):
        """Mask of the largest quarter of the networks."""
        return self.hidden_sizes > np.quantile(self.hidden_sizes, 0.75)

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
            cases += cases_of(population, regime, plan, take)
    return cases, diverged


def cases_of(population, regime, plan, take):
    """A case for each epoch, of the networks that did not diverge."""
    kept, name = np.flatnonzero(population.finished), population.task.name
    y = np.log(population.final_loss[kept])
    sizes = np.array([population.recipes[i].hidden_size for i in kept])
    sequences = population.task.X_valid[: 2 * plan.n_sequences]
    nets = {epoch: pick(population.nets(epoch), kept) for epoch in plan.epochs}
    for epoch in plan.epochs:
        features = spectrum_features(sequences, nets[epoch], nets[0], take)
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
    """Blocks of the transformer, and single exponents; half of the sequences are fresh ones."""
    sequences, fresh = np.split(X, 2)
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
    norms = pd.DataFrame([[np.linalg.norm(array) for _, array in own] for own in weights])
    # Layers differ in how many weights they have, and some start with biases of zero.
    logs = np.log(norms.fillna(1).clip(lower=1e-6))
    return {
        "hyper-parameters": recipes[kept],
        "weight norms, kind, size": np.hstack([logs, recipes[:, shape]])[kept],
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


def folds(plan, case):
    """For each repeat, networks to fit to and to predict."""
    seeds = range(plan.n_repeats)
    shuffled = (KFold(plan.n_splits, shuffle=True, random_state=seed) for seed in seeds)
    return [list(splitter.split(case.y)) for splitter in shuffled]


def by_size(case):
    """Fit to the smaller networks, predict the largest quarter."""
    return [[(np.flatnonzero(~case.large), np.flatnonzero(case.large))]]


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


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", action="store_true", help="one population of all layers")
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


def all_layers(plan, options):
    """One population of all layers: asked for networks, and for layers that are new."""
    population = make_population(
        digits_by_rows(),
        (LAYERS_EACH if plan is FULL else 4) * len(LAYERS),
        kinds=tuple(LAYERS),
        learning_rates=REGIMES["fixed"],
        directory=options.directory,
        n_jobs=options.jobs,
        **plan.training,
    )
    kinds = np.array([recipe.kind for recipe in population.recipes])[population.finished]
    take = partial(spectra, joblib.Memory(options.directory / "spectra", verbose=0), options.jobs)
    (case,) = cases_of(population, "fixed", replace(plan, epochs=(0,)), take)
    results = compete([case], everything, partial(folds, plan), options.jobs)
    unseen = compete([case], on_spectrum, lambda _: prediction_layers.by_kind(kinds), options.jobs)
    text = prediction_layers.section(case, kinds, results, unseen, ["AeLLE", *RIVALS])
    print(text)
    if options.record:
        record(prediction_layers.HEADING, text)
        prediction_layers.draw(case, kinds)


def main():
    options = arguments()
    plan = QUICK if options.quick else FULL
    if options.layers:
        all_layers(plan, options)
        return
    tasks = {name: plan.tasks.get(name, TASKS[name]) for name in options.tasks or plan.tasks}
    plan = replace(
        plan,
        tasks=tasks,
        n_networks=options.networks or plan.n_networks,
        n_repeats=options.repeats or plan.n_repeats,
    )
    cases, diverged = all_cases(plan, options.directory, options.jobs)
    ranked = [case for case in cases if case.ranked]
    results = compete(cases, everything, partial(folds, plan), options.jobs)
    unseen = compete(ranked, on_spectrum, by_size, options.jobs)
    rows = {case: numbers(case, results, unseen, RIVALS) for case in cases}
    text = section(plan, diverged, rows, RIVALS)
    print(text)
    if options.record:
        record("Prediction", text)
        draw({case: rows[case] for case in ranked})


if __name__ == "__main__":
    main()
