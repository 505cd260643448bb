"""On which tasks does each recurrent layer beat an Elman network of its size?

    python benchmarks/layers.py [--quick] [--record] [--jobs 2]

Trains three networks of 24 units of every layer on every task, with the task's own settings and
the layer's own initial weights, and on one more task: to remember one symbol for forty steps.
"""

import argparse
import time
from functools import partial
from itertools import product

import numpy as np
from report import machine, record, table

from lyapsk._parallel import in_parallel, one_thread
from lyapsk._random import seeded
from lyapsk.tasks import TASKS, delayed_copy
from lyapsk.tasks._modules import LAYERS

HEADING = "Layers"
N_UNITS, SEEDS, ELMAN = 24, range(3), "RNN"
ONE_SYMBOL = partial(delayed_copy, n_train=1024, n_valid=256, n_items=1, delay=40)
CASES = {
    **{name: (make_task, {}) for name, make_task in TASKS.items()},
    "one symbol, delay 40": (ONE_SYMBOL, {"max_epochs": 20}),
}


def final_loss(name, kind, seed):
    """Validation loss after training."""
    make_task, settings = CASES[name]
    task = make_task()
    net = task.net(kind, hidden_size=N_UNITS, verbose=0, **settings)
    with one_thread(), seeded(seed):
        net.fit(task.X_train, task.y_train)
    return net.history[-1]["valid_loss"]


def measured(names, jobs):
    """Losses (n_layers, n_tasks, n_seeds)."""
    runs = list(product(LAYERS, names, SEEDS))
    losses = in_parallel(
        lambda kind, name, seed: final_loss(name, kind, seed), runs, jobs, "training"
    )
    return np.reshape(losses, (len(LAYERS), len(names), len(SEEDS)))


def rows(losses, names):
    """Mean losses of each layer, bold where below the Elman network's, and where that is so."""
    means = losses.mean(-1)
    elman = means[list(LAYERS).index(ELMAN)]
    return {
        kind: {
            name: f"**{own:.3g}**" if own < other else f"{own:.3g}"
            for name, own, other in zip(names, mean, elman, strict=True)
        }
        for kind, mean in zip(LAYERS, means, strict=True)
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two tasks")
    parser.add_argument("--record", action="store_true", help="write RESULTS.md")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    names = ["digits_by_rows", "one symbol, delay 40"] if given.quick else list(CASES)
    start = time.perf_counter()
    losses = measured(names, given.jobs)
    found = rows(losses, names)
    behind = [kind for kind in LAYERS if kind != ELMAN and "*" not in str(found[kind])]
    text = f"""## {HEADING}

`python benchmarks/layers.py`, {machine()}; {time.perf_counter() - start:.0f} s.

Validation loss after training, mean over {len(SEEDS)} networks of {N_UNITS} units; in bold where \
it is below that of the Elman network ("RNN"). Layers that beat it nowhere: \
{", ".join(behind) or "none"}.

{table(found, names)}
"""
    print(text)
    if given.record:
        record(HEADING, text)


if __name__ == "__main__":
    main()
