"""
A search that reads spectra
===========================

:class:`~lyapsk.search.LyapunovSearchCV` draws many candidates, reads the spectra of the untrained
networks, and gives its epochs to those that promise most. A random search trains as many networks
as the same epochs pay for, each to its end. The task is to give back three symbols after a short
delay, where much depends on the initial weights.

The lines are means over three seeds only. With half the epochs, or with other tasks and as few
seeds, we saw the order turn round: ``python benchmarks/search.py`` compares over many of both.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.stats import loguniform, randint
from sklearn.model_selection import ParameterSampler

from lyapsk.plotting import SearchDisplay
from lyapsk.search import LyapunovSearchCV
from lyapsk.tasks import delayed_copy

EPOCHS, BUDGET, SEEDS = 12, 120, range(3)
task = delayed_copy(n_train=384, n_valid=128, n_items=3, delay=4)
X, y = task.X_train, task.y_train
net = task.net(max_epochs=EPOCHS)
distributions = {
    "module__kind": ["RNN", "GRU", "LSTM"],
    "module__hidden_size": randint(8, 33),
    "module__half_width": loguniform(0.03, 2),
}


def by_spectra(seed):
    """Best score so far, after each epoch that was spent."""
    settings = {"n_candidates": 40, "n_epochs_budget": BUDGET, "random_state": seed}
    search = LyapunovSearchCV(net, distributions, task.X_valid[:2], refit=False, **settings)
    return search.fit(X, y).course_["best_score"]


def at_random(seed):
    """Best score so far, after each network."""
    torch.manual_seed(seed)
    drawn = ParameterSampler(distributions, BUDGET // EPOCHS, random_state=seed)
    nets = [task.net(max_epochs=EPOCHS).set_params(**params).fit(X, y) for params in drawn]
    return np.maximum.accumulate([-net.history[-1, "valid_loss"] for net in nets])


courses = [by_spectra(seed) for seed in SEEDS]
n_epochs = min(map(len, courses))
curves = {
    "by spectra": (np.arange(1, n_epochs + 1), np.mean([c[:n_epochs] for c in courses], axis=0)),
    "at random": (
        np.arange(EPOCHS, BUDGET + 1, EPOCHS),
        np.mean([at_random(seed) for seed in SEEDS], axis=0),
    ),
}
figure, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
SearchDisplay.from_predictions(curves, score_name="Best of minus validation loss (nats)", ax=ax)
_ = ax.set_title("Delayed copy, mean over three seeds")
