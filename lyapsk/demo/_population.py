"""Draw, make and train a population of small recurrent networks."""

from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from skorch import NeuralNet

from ._parallel import one_thread

ARCHITECTURES = ("RNN", "GRU", "LSTM")


@dataclass(frozen=True)
class Recipe:
    """All that one network is made from; `half_width` bounds its recurrent weights."""

    architecture: str
    hidden_size: int
    half_width: float
    seed: int


def draw_recipes(n_networks, seed):
    """Architectures in turn, 8 to 48 units, half-widths log-uniform from 0.03 to 2."""
    rng = np.random.default_rng(seed)
    return [
        Recipe(
            architecture=ARCHITECTURES[i % len(ARCHITECTURES)],
            hidden_size=int(rng.integers(8, 49)),
            half_width=float(np.exp(rng.uniform(np.log(0.03), np.log(2)))),
            seed=int(rng.integers(2**31)),
        )
        for i in range(n_networks)
    ]


def make_network(recipe, task, max_epochs=12):
    """An initialised, untrained skorch net."""
    net = NeuralNet(
        task.module,
        module__kind=recipe.architecture,
        module__hidden_size=recipe.hidden_size,
        module__half_width=recipe.half_width,
        criterion=task.criterion,
        optimizer=torch.optim.Adam,
        lr=0.005,
        batch_size=64,
        max_epochs=max_epochs,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )
    with _random_numbers(recipe.seed):
        return net.initialize()


def train_network(net, task, seed):
    """Train a net from where it stands, and return its validation loss before and after.

    The loss after training is not finite if the network diverged.
    """
    with one_thread(), _random_numbers(seed):
        before = _validation_loss(net, task)
        net.partial_fit(task.X_train, task.y_train)
        return before, _validation_loss(net, task)


@contextmanager
def _random_numbers(seed):
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def _validation_loss(net, task):
    prediction = net.forward(task.X_valid)
    return net.criterion_(prediction, torch.as_tensor(task.y_valid)).item()
