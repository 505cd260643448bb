"""Epochs that a search by spectra takes, against other searches.

    python benchmarks/search.py [--quick] [--record] [--directory DIR] [--jobs N]

Searches are replayed from populations that are trained to the end, so that an epoch is a look-up:
each among 100 networks drawn from the 150 of a population. Counted are the epochs until one of the
best 5 of these 100 is fully trained. In the regime "fixed" architecture, size and initial weights
vary; in "varied" the learning rate does too. Then each regime is searched once for real. Networks
are kept in DIR, shared with `prediction.py`. --quick takes few searches of two tasks. --record
writes the section "Search" of RESULTS.md and the figure of the docs.
"""

import argparse
import math
import os
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import optuna
from report import machine, record, table
from scipy.stats import loguniform, randint

from lyapsk import LyapunovSpectrumTransformer
from lyapsk._parallel import in_parallel, one_thread
from lyapsk.search import LyapunovSearchCV
from lyapsk.search._race import Race
from lyapsk.tasks import TASKS, make_population

DIRECTORY = Path("~/.cache/lyapsk/populations").expanduser()
FIGURE = Path(__file__).parents[1] / "docs" / "images" / "search.png"

REGIMES = {"fixed": 0.005, "varied": (0.0005, 0.05)}
CHECKPOINTS = (0, 1, 3)
N_NETWORKS, N_CANDIDATES, N_TOP = 150, 100, 5
MAX_EPOCHS = 12
RUNGS = (1, 4, 12)
N_FIRST = 10
HORIZON = 120
RANDOM = round((N_CANDIDATES + 1) / (N_TOP + 1) * MAX_EPOCHS)
"""Epochs that random search takes on average."""
REAL, N_REAL = "digits_by_rows", 3
"""Task that is searched for real, and how often."""

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)

OURS = "spectra and parameters"


@dataclass(frozen=True)
class Replay:
    """Trained networks of one population.

    Attributes
    ----------
    scores : ndarray of shape (n_networks, MAX_EPOCHS + 1)
        Minus the logarithm of the validation loss.
    spectra, late : ndarray of shape (n_networks, n_features)
        Features of the spectra before training and after the first rung.
    parameters : ndarray of shape (n_networks, n_parameters)
        In numbers.
    settings : list of dict
        The same, as Optuna knows them.
    """

    scores: np.ndarray
    spectra: np.ndarray
    late: np.ndarray
    parameters: np.ndarray
    settings: list

    def of(self, rows):
        """Some of the networks."""
        arrays = (a[rows] for a in (self.scores, self.spectra, self.late, self.parameters))
        return Replay(*arrays, [self.settings[i] for i in rows])


def replay_of(population):
    task = population.task
    transformer = LyapunovSpectrumTransformer(task.X_valid[:2], error_score=np.nan)
    untrained, trained = (population.nets(epoch) for epoch in (0, RUNGS[0]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spectra = transformer.fit_transform(untrained)
        late = transformer.transform(trained)
    losses = np.where(np.isfinite(population.losses), population.losses, np.inf)
    worst = losses[np.isfinite(losses)].max()
    names = ("kind", "hidden_size", "half_width", "learning_rate")
    settings = [{name: getattr(recipe, name) for name in names} for recipe in population.recipes]
    scores = -np.log(np.minimum(losses, worst))
    return Replay(scores, spectra, late, population.hyper_parameters()[0], settings)


# Searches: each yields (network, epochs before, epochs after), one training after another


def by_race(kinds, replay, seed):
    features = [getattr(replay, kind) for kind in kinds]
    budget = MAX_EPOCHS * len(replay.scores)
    race = Race(features, RUNGS, N_FIRST, budget, np.random.RandomState(seed))
    while todo := race.choose():
        for i, epoch in todo:
            yield i, race.epochs[i], epoch
            late = replay.late[i] if epoch == RUNGS[0] and "spectra" in kinds else None
            race.record(i, epoch, replay.scores[i, epoch], late=late)


def at_random(replay, seed):
    for i in np.random.default_rng(seed).permutation(len(replay.scores)):
        yield i, 0, MAX_EPOCHS


def by_halving(replay, seed):
    """Brackets of nine, of which a third is trained on at each rung."""
    order = np.random.default_rng(seed).permutation(len(replay.scores))
    for bracket in np.array_split(order, math.ceil(len(order) / 9)):
        before = 0
        for rung in RUNGS:
            for i in bracket:
                yield i, before, rung
            ranked = bracket[np.argsort(-replay.scores[bracket, rung])]
            bracket, before = ranked[: max(1, len(ranked) // 3)], rung


def by_tpe(pruner, replay, seed):
    """Optuna; each suggestion stands for the nearest network that is left."""
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True),
        pruner=pruner(),
    )
    distributions, left = _distributions(replay.settings), np.full(len(replay.scores), True)
    places = np.array([_place(s, distributions) for s in replay.settings])
    while left.any():
        asked = study.ask(distributions)
        apart = np.square(places - _place(asked.params, distributions)).sum(axis=1)
        i = int(np.argmin(np.where(left, apart, np.inf)))
        left[i] = False
        study.tell(asked, state=optuna.trial.TrialState.FAIL)  # The sampler leaves these out.
        study.enqueue_trial({name: replay.settings[i][name] for name in distributions})
        trial = study.ask(distributions)
        for epoch in range(1, MAX_EPOCHS + 1):
            yield i, epoch - 1, epoch
            trial.report(replay.scores[i, epoch], epoch)
            if epoch < MAX_EPOCHS and trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                break
        else:
            study.tell(trial, replay.scores[i, -1])


def _distributions(settings):
    """Of what varies among the networks."""
    distributions = {}
    for name in settings[0]:
        values = [s[name] for s in settings]
        if isinstance(values[0], str):
            distributions[name] = optuna.distributions.CategoricalDistribution(sorted(set(values)))
        elif len(set(values)) > 1:
            low, high = min(values), max(values)
            whole = isinstance(low, int)
            kind = (
                optuna.distributions.IntDistribution
                if whole
                else partial(optuna.distributions.FloatDistribution, log=True)
            )
            distributions[name] = kind(low, high)
    return distributions


def _place(setting, distributions):
    """Where a network lies in the unit cube; layers of another kind are two away."""
    place = []
    for name, distribution in distributions.items():
        if isinstance(distribution, optuna.distributions.CategoricalDistribution):
            place += [math.sqrt(2) * (setting[name] == choice) for choice in distribution.choices]
        else:
            scale = math.log if distribution.log else float
            low, high = scale(distribution.low), scale(distribution.high)
            place.append((scale(setting[name]) - low) / (high - low))
    return np.array(place)


SEARCHES = {
    OURS: partial(by_race, ("spectra", "parameters")),
    "spectra": partial(by_race, ("spectra",)),
    "parameters": partial(by_race, ("parameters",)),
    "random": at_random,
    "halving": by_halving,
    "TPE, median": partial(by_tpe, optuna.pruners.MedianPruner),
    "TPE, Hyperband": partial(
        by_tpe, partial(optuna.pruners.HyperbandPruner, max_resource=MAX_EPOCHS)
    ),
}
RIVALS = ("random", "halving", "TPE, median", "TPE, Hyperband")
"""Without what lyapsk has: the parameters alone go through the same race, as a control."""


def replayed(search, replay, seed):
    """Epochs until a top network is trained, and the best rank after each of HORIZON epochs."""
    rng = np.random.default_rng(seed)
    some = replay.of(rng.choice(len(replay.scores), N_CANDIDATES, replace=False))
    rank = np.argsort(np.argsort(-some.scores[:, -1]))
    best, curve = N_CANDIDATES, []
    with one_thread():
        for i, before, after in search(some, seed):
            curve += [best] * (after - before)
            if after == MAX_EPOCHS:
                best = min(best, rank[i])
                curve[-1] = best
            if best < N_TOP and len(curve) >= HORIZON:
                break
    return 1 + int(np.argmax(np.array(curve) < N_TOP)), curve[:HORIZON]


def in_reality(regime, population, seed):
    """Share of the population that beats what a third of random search's epochs find."""
    task, rates = population.task, REGIMES[regime]
    distributions = {
        "module__kind": ["RNN", "GRU", "LSTM"],
        "module__hidden_size": randint(8, 49),
        "module__half_width": loguniform(0.03, 2),
        "lr": loguniform(*rates) if np.iterable(rates) else [rates],
    }
    search = LyapunovSearchCV(
        task.net(max_epochs=MAX_EPOCHS),
        distributions,
        task.X_valid[:2],
        n_candidates=N_CANDIDATES,
        n_epochs_budget=RANDOM // 3,
        random_state=seed,
    ).fit(task.X_train, task.y_train)
    return -search.best_score_, np.mean(population.final_loss < -search.best_score_)


# What is told


def interval(values):
    """Mean and its 90 % interval."""
    half = 1.645 * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):.0f} ± {half:.0f}"


def section(results, real, n_searches):
    """Text of RESULTS.md."""
    parts = [
        "## Search",
        f"{machine()}. `python benchmarks/search.py --record`: {n_searches} replayed searches for "
        f"each task and regime, each among {N_CANDIDATES} of {N_NETWORKS} networks, with at most "
        f"{MAX_EPOCHS} epochs each. Epochs until one of the best {N_TOP} is fully trained, mean "
        "and its 90 % interval. Halving goes on with the networks that it trained, in brackets of "
        "nine, where scikit-learn's would train them anew; a suggestion of Optuna stands for the "
        "nearest network that is left. *Parameters* is the same race without spectra.",
    ]
    for regime in REGIMES:
        rows = {task: cells for (task, r), cells in results.items() if r == regime}
        shown = {t: {k: interval(v) for k, v in cells.items()} for t, cells in rows.items()}
        means = {t: {k: np.mean(v) for k, v in cells.items()} for t, cells in rows.items()}
        parts += [f"### {regime.capitalize()}", table(shown, list(SEARCHES)), verdict(means)]
    parts += [
        "### Not replayed",
        f"`LyapunovSearchCV` with {RANDOM // 3} epochs, a third of what random search takes on "
        f"average, on digits by rows: validation loss found, and share of the {N_NETWORKS} trained "
        "networks of the population that are better.",
        table(real, ["loss", "share"]),
        "![Best rank found against epochs spent, for each search](../docs/images/search.png)",
    ]
    return "\n\n".join(parts)


def verdict(means):
    """How many tasks keep what was aimed at."""
    ours = {task: row[OURS] for task, row in means.items()}
    best = {task: min(row[name] for name in RIVALS) for task, row in means.items()}
    control = {task: row["parameters"] for task, row in means.items()}
    third = [t for t in ours if ours[t] <= means[t]["random"] / 3]
    lines = [
        f"At most a third of random search's epochs on {len(third)} of {len(ours)} tasks",
        f"fewer than the best rival on {sum(ours[t] < best[t] for t in ours)}",
        f"fewer than the parameters alone on {sum(ours[t] < control[t] for t in ours)}",
        f"at worst {max(ours[t] / best[t] for t in ours):.2f} times the best rival's",
        f"on average {np.exp(np.mean([np.log(ours[t] / best[t]) for t in ours])):.2f} times the "
        f"best rival's, and {np.exp(np.mean([np.log(ours[t] / control[t]) for t in ours])):.2f} "
        "times those of the parameters alone",
    ]
    return "; ".join(lines) + "."


def draw(curves):
    """Mean over searches of the best rank found, against epochs."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    tasks = list(dict.fromkeys(task for task, _ in curves))
    colors = ["#0072B2", "#56B4E9", "#009E73", "0.6", "#E69F00", "#D55E00", "#CC79A7"]
    with rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(7.4, 1.5 * len(tasks) + 0.9), layout="constrained")
        grid = figure.subplots(len(tasks), 2, sharex=True, sharey=True, squeeze=False)
        for (task, regime), by_search in curves.items():
            axes = grid[tasks.index(task), list(REGIMES).index(regime)]
            for (name, ranks), color in zip(by_search.items(), colors, strict=True):
                width = 2 if name == OURS else 1
                share = 100 * (1 + np.mean(ranks, axis=0)) / N_CANDIDATES
                axes.plot(np.arange(1, HORIZON + 1), share, color=color, lw=width, label=name)
            axes.axhline(100 * N_TOP / N_CANDIDATES, color="0.85", zorder=0)
            axes.set(title=f"{task}, {regime}", yscale="log", ylim=(1, 60), xlim=(10, HORIZON))
            axes.set_yticks([1, 5, 20, 50], ["1", "5", "20", "50"])
        figure.supxlabel("epochs spent")
        figure.supylabel("best network found: in the top ... % (mean)")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False)
        figure.savefig(FIGURE, dpi=150, metadata={"Software": None})


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few searches of two tasks")
    parser.add_argument("--record", action="store_true", help="write RESULTS.md and the figure")
    parser.add_argument("--directory", type=Path, default=DIRECTORY, help="of the networks")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--searches", type=int, default=100, help="for each task and regime")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    options = parser.parse_args()
    if options.quick:
        options.searches, options.tasks = 10, ["digits_by_rows", "delayed_copy"]
    return options


def main():
    options = arguments()
    populations = {
        (name, regime): make_population(
            TASKS[name](),
            N_NETWORKS,
            learning_rates=rates,
            checkpoints=CHECKPOINTS,
            directory=options.directory,
            n_jobs=options.jobs,
        )
        for name in options.tasks
        for regime, rates in REGIMES.items()
    }
    replays = in_parallel(
        replay_of, [[p] for p in populations.values()], options.jobs, "taking spectra"
    )
    jobs = [
        (search, replay, seed)
        for replay in replays
        for search in SEARCHES.values()
        for seed in range(options.searches)
    ]
    done = iter(in_parallel(replayed, jobs, options.jobs, "searching"))
    results, curves = {}, {}
    for (_, regime), population in populations.items():
        key = population.task.name, regime
        for name in SEARCHES:
            epochs, ranks = zip(*(next(done) for _ in range(options.searches)), strict=True)
            results.setdefault(key, {})[name] = epochs
            curves.setdefault(key, {})[name] = ranks
    real = {
        f"{regime}, seed {seed}": dict(
            zip(("loss", "share"), in_reality(regime, populations[REAL, regime], seed), strict=True)
        )
        for regime in REGIMES
        for seed in range(N_REAL)
        if (REAL, regime) in populations
    }
    text = section(results, real, options.searches)
    print(text)
    if options.record:
        record("Search", text)
        draw(curves)


if __name__ == "__main__":
    main()
