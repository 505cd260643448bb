"""What LyapunovMonitor costs beside the training that it watches, with its defaults.

    python benchmarks/monitor.py [--record]

Every task of `lyapsk.tasks`, three networks each, for the 12 epochs of their default. A share is
that of all readings after epochs in the time of all epochs. --record writes the section "Monitor"
of RESULTS.md.
"""

import argparse
import warnings

import numpy as np
import torch
from report import machine, record, table

from lyapsk.callbacks import LyapunovMonitor
from lyapsk.exceptions import LyapskWarning
from lyapsk.tasks import TASKS

NETWORKS = {"Elman, 16 units": ("RNN", 16), "GRU, 32": ("GRU", 32), "LSTM, 64": ("LSTM", 64)}


def share(task, kind, hidden_size):
    torch.manual_seed(0)
    net = task.net(kind, hidden_size=hidden_size, callbacks=[LyapunovMonitor()])
    net.fit(task.X_train, task.y_train)
    readings = net.history[:, "lyapunov_dur"]
    return np.nansum(readings) / sum(net.history[:, "dur"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", action="store_true", help="write RESULTS.md")
    options = parser.parse_args()
    warnings.simplefilter("ignore", LyapskWarning)  # What it warns of is not measured here.
    tasks = (make_task() for make_task in TASKS.values())
    rows = {t.name: {name: share(t, *network) for name, network in NETWORKS.items()} for t in tasks}
    text = (
        f"## Monitor\n\n`python benchmarks/monitor.py --record`, {machine()}\n\n"
        "Time that `LyapunovMonitor` takes with its defaults, as a share of the time of 12 epochs:"
        f"\n\n{table(rows, list(NETWORKS))}"
    )
    print(text)
    if options.record:
        record("Monitor", text)


if __name__ == "__main__":
    main()
