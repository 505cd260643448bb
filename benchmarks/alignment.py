"""Do gradients line up with growth as networks learn, and are inputs felt where growth follows?

    python benchmarks/alignment.py [--quick] [--record]

Trains Elman and GRU networks on digits, row by row and pixel by pixel, and reads them on the way:
alignment on both sides (0 is chance), the share of the gradient that the leading directions carry,
and the rank correlation of the sensitivity to each input with the growth that follows it, beside
the position alone. Then the cost of reading, beside one full spectrum of the same network.
`--record` writes RESULTS.md and the figure of the docs.
"""

import argparse
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from report import machine, record, table
from skorch import NeuralNetClassifier
from torch import nn

from lyapsk import (
    GradientAlignmentScorer,
    InputSensitivityScorer,
    frame_gradient,
    lyapunov_spectrum,
)
from lyapsk._parallel import in_parallel, one_thread
from lyapsk.tasks import TASKS, SequenceNetwork

TASK_NAMES = ("digits_by_pixels", "digits_by_rows")
KINDS = {"RNN": "Elman", "GRU": "GRU"}
N_DIRECTIONS, N_SINGULAR, N_UNITS, N_READ = 5, 2, 64, 32
EPOCHS, SEEDS = (0, 1, 2, 3, 6, 12, 24), (0, 1, 2)
GAINS = (0.5, 1.0, 1.5)
GROWTHS = ("finite_time_exponent", "singular_value", "position", "step_growth")
FIGURE = Path(__file__).parents[1] / "docs/images/alignment.png"


def new_net(task, kind, seed, gain=None):
    """An untrained net; `gain` is that of the recurrent weights, 1 where activity neither grows
    nor dies in a wide tanh network."""
    torch.manual_seed(seed)
    half_width = None if gain is None else gain * (3 / N_UNITS) ** 0.5
    return task.net(
        kind, hidden_size=N_UNITS, half_width=half_width, learning_rate=0.003
    ).initialize()


def through_training(task_name, kind, seed, epochs):
    """What the scorers say after each of the epochs, one row for each."""
    task = TASKS[task_name]()
    net = new_net(task, kind, seed)
    few = task.X_valid[:N_READ], task.y_valid[:N_READ]
    rows = []
    with one_thread():
        for done in range(max(epochs) + 1):
            if done:
                net.fit_loop(task.X_train, task.y_train, epochs=1)
            if done in epochs:
                rows.append(reading(net, *few))
    return rows


def reading(net, X, y):
    settings = {"n_directions": N_DIRECTIONS, "n_singular": N_SINGULAR}
    sides = {
        side: GradientAlignmentScorer(side=side, **settings)(net, X, y)
        for side in ("state", "adjoint")
    }
    share = frame_gradient(net, X, y, n_directions=N_DIRECTIONS).share[-1]
    accuracy = float(np.mean(net.predict(X).argmax(-1) == y))
    return {**sides, "share": share, **correlations(net, X, y), "accuracy": accuracy}


def correlations(net, X, y):
    """Rank correlation of the exact sensitivity with each growth and each control."""
    found = InputSensitivityScorer(n_draws=0).analyze(net, X, y)
    return {name: float(np.nanmean(found.correlation(name))) for name in GROWTHS}


def untrained(kind, gain, seed):
    task = TASKS["digits_by_pixels"]()
    net = new_net(task, kind, seed, gain)
    few = task.X_valid[:N_READ], task.y_valid[:N_READ]
    with one_thread():
        sampled = InputSensitivityScorer(n_draws=8).analyze(net, *few)
    return {
        **correlations(net, *few),
        **{f"{n}, sampled": float(np.nanmean(sampled.correlation(n))) for n in GROWTHS[:3]},
        "agreement": sampled.agreement,
    }


def cost():
    """Times and memory for an LSTM of 64 units along 32 sequences of 64 steps."""
    torch.manual_seed(0)
    net = NeuralNetClassifier(
        SequenceNetwork,
        module__hidden_size=N_UNITS,
        module__n_outputs=10,
        criterion=nn.CrossEntropyLoss,
    ).initialize()
    X = np.random.default_rng(0).normal(size=(32, 64, 1)).astype("float32")
    y = np.arange(32) % 10
    calls = {
        "lyapunov_spectrum": lambda: lyapunov_spectrum(net, X),
        "GradientAlignmentScorer().analyze (target 5)": partial(
            GradientAlignmentScorer().analyze, net, X, y
        ),
        "GradientAlignmentScorer()": partial(GradientAlignmentScorer(), net, X, y),
        'GradientAlignmentScorer(side="adjoint")': partial(
            GradientAlignmentScorer(side="adjoint"), net, X, y
        ),
        "frame_gradient": partial(frame_gradient, net, X, y),
        "InputSensitivityScorer(n_draws=0)": partial(InputSensitivityScorer(n_draws=0), net, X, y),
        "InputSensitivityScorer()": partial(InputSensitivityScorer(), net, X, y),
    }
    times = {name: [] for name in calls}
    for _ in range(6):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    seconds = {name: float(np.median(own[1:])) for name, own in times.items()}
    spectrum = seconds["lyapunov_spectrum"]
    return {
        name: {"seconds": own, "beside the spectrum": own / spectrum}
        for name, own in seconds.items()
    }


def peak_memory(n_sequences):
    """MiB that a fresh process needs at most for `analyze` of so many sequences."""
    code = (
        "import resource, numpy as np, torch\n"
        "from lyapsk import GradientAlignmentScorer\n"
        "from lyapsk.tasks import digits_by_pixels\n"
        "task = digits_by_pixels()\n"
        f"X, y = task.X_train[:{n_sequences}], task.y_train[:{n_sequences}]\n"
        f"net = task.net('LSTM', hidden_size={N_UNITS}).initialize()\n"
        "GradientAlignmentScorer().analyze(net, X, y)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(run.stdout)


def verdict(training):
    """What the thesis claims, and what came out."""
    runs = [list(rows.values()) for rows in training.values()]
    sides = {
        side: {
            "before training": [run[0][side] for run in runs],
            "at best": [max(row[side] for row in run) for run in runs],
            "in the end": [run[-1][side] for run in runs],
        }
        for side in ("state", "adjoint")
    }
    lines = [
        f"{side} side: "
        + ", ".join(f"{when} {min(v):.2f} to {max(v):.2f}" for when, v in found.items())
        for side, found in sides.items()
    ]
    rows = [row for run in runs for row in run]
    better = {name: sum(row[name] > row["position"] + 0.02 for row in rows) for name in GROWTHS[:2]}
    return (
        f"Gradients line up with growth as networks learn: {'; '.join(lines)}. Sensitivity goes "
        f"with the largest singular value better than with the position alone (by more than 0.02) "
        f"in {better['singular_value']} of {len(rows)} readings, with the finite-time exponent in "
        f"{better['finite_time_exponent']}."
    )


def section(training, sensitivity, costs, memory, n_seeds):
    """The section of RESULTS.md."""
    columns = ["state", "adjoint", "share", *GROWTHS, "accuracy"]
    curves = "\n\n".join(
        f"{KINDS[kind]}, {TASKS[task]().name}:\n\n{table(rows, columns)}"
        for (task, kind), rows in training.items()
    )
    return f"""## Alignment and sensitivity

`python benchmarks/alignment.py --record`, {machine()}

Networks of {N_UNITS} units, mean over {n_seeds} seeds, read along {N_READ} validation sequences.
"state" and "adjoint" are the scores of `GradientAlignmentScorer` with {N_DIRECTIONS} directions
and {N_SINGULAR} singular vectors, 0 being chance; "share" is what these directions carry of the
recurrent weights' gradient. The rest are rank correlations over steps of the exact first-order
sensitivity to each input with the growth that follows, by two measures, with the step's position
alone, and with the growth of the step itself.

{verdict(training)}

### Through training

{curves}

![Alignment of gradient and growth by epoch](../docs/images/alignment.png)

### Before training, by gain, digits by pixels

Recurrent weights uniform with standard deviation gain / sqrt(units). "sampled" perturbs each input
by 8 draws of standard deviation 0.1; "agreement" is the median ratio of these changes to those of
first order, far above 1 where float32 rounding is all that is left of a forgotten input.

{table(sensitivity, list(next(iter(sensitivity.values()))))}

### Cost

LSTM of {N_UNITS} units, 32 sequences of 64 steps, median of five calls in turn.

{table(costs, ["seconds", "beside the spectrum"])}

Peak memory of a process that calls `analyze`: {memory[0]:.0f} MiB for 32 sequences,
{memory[1]:.0f} MiB for 256.
"""


def draw(training):
    """Scores by epoch, a panel for each task."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    colours = {"RNN": "#0072B2", "GRU": "#D55E00"}
    with rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(7, 2.8), layout="constrained")
        axes = dict(zip(TASK_NAMES, figure.subplots(1, 2, sharey=True), strict=True))
        for (task, kind), rows in training.items():
            epochs = [row.split()[-1] for row in rows]
            for side, line in (("state", "-"), ("adjoint", "--")):
                label = f"{KINDS[kind]}, {side} side"
                scores = [row[side] for row in rows.values()]
                axes[task].plot(
                    epochs, scores, line, marker="o", ms=3, c=colours[kind], label=label
                )
        for task, ax in axes.items():
            ax.axhline(0, color="0.7", zorder=0)
            ax.set(title=TASKS[task]().name, xlabel="Epochs of training")
        axes[TASK_NAMES[0]].set_ylabel("Alignment (0: chance, 1: contained)")
        axes[TASK_NAMES[1]].legend(frameon=False, fontsize=8)
        figure.savefig(FIGURE, dpi=150, metadata={"Software": None})


def mean_of(rows):
    """Mean of dicts of numbers, name by name."""
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed, three epochs")
    parser.add_argument("--record", action="store_true", help="write RESULTS.md and the figure")
    options = parser.parse_args()
    if options.quick and options.record:
        parser.error("--record wants the full run, without --quick")
    epochs, seeds = (EPOCHS[:4], SEEDS[:1]) if options.quick else (EPOCHS, SEEDS)
    costs = cost()
    memory = [peak_memory(n) for n in (32, 256)]
    jobs = [(task, kind, seed, epochs) for task in TASK_NAMES for kind in KINDS for seed in seeds]
    by_job = dict(
        zip(jobs, in_parallel(through_training, jobs, os.cpu_count(), "training"), strict=True)
    )
    training = {
        (task, kind): {
            f"epoch {epoch}": mean_of([by_job[task, kind, seed, epochs][i] for seed in seeds])
            for i, epoch in enumerate(epochs)
        }
        for task in TASK_NAMES
        for kind in KINDS
    }
    jobs = [(kind, gain, seed) for kind in ("RNN",) for gain in GAINS for seed in seeds]
    by_job = dict(
        zip(jobs, in_parallel(untrained, jobs, os.cpu_count(), "perturbing"), strict=True)
    )
    sensitivity = {
        f"{KINDS[kind]}, gain {gain}": mean_of([by_job[kind, gain, seed] for seed in seeds])
        for kind, gain in dict.fromkeys((kind, gain) for kind, gain, _ in jobs)
    }
    text = section(training, sensitivity, costs, memory, len(seeds))
    print(text)
    if options.record:
        record("Alignment and sensitivity", text)
        draw(training)


if __name__ == "__main__":
    main()
