"""What LyapunovMonitor costs beside the training that it watches, with its defaults.

    python benchmarks/monitor.py

Every task of `lyapsk.tasks`, three networks each, for the 12 epochs of their default. A share is
that of all readings in the time of all epochs.
"""

import numpy as np
import torch
from report import machine, table

from lyapsk.callbacks import LyapunovMonitor
from lyapsk.tasks import TASKS

NETWORKS = {"Elman, 16 units": ("RNN", 16), "GRU, 32": ("GRU", 32), "LSTM, 64": ("LSTM", 64)}


def share(task, kind, hidden_size):
    torch.manual_seed(0)
    net = task.net(kind, hidden_size=hidden_size, callbacks=[LyapunovMonitor()])
    net.fit(task.X_train, task.y_train)
    readings = net.history[:, "lyapunov_dur"]
    return np.nansum(readings) / sum(net.history[:, "dur"])


def main():
    print(f"{machine()}\n")
    tasks = (make_task() for make_task in TASKS.values())
    rows = {t.name: {name: share(t, *network) for name, network in NETWORKS.items()} for t in tasks}
    print(table(rows, list(NETWORKS)))


if __name__ == "__main__":
    main()
