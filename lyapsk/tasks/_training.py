"""Make and train one network of a population."""

from dataclasses import dataclass

import numpy as np
import torch

from .._parallel import one_thread
from .._random import seeded

RECORDED = ("epoch", "batches", "train_loss", "train_batch_count", "valid_loss", "dur")
"""What skorch's history has of every net."""


@dataclass(frozen=True)
class TrainedNetwork:
    """What is kept of one training.

    Attributes
    ----------
    curves : dict of str to ndarray of shape (max_epochs + 1,)
        By the names that skorch's history has for them: training loss, validation loss, the
        task's metric and the epoch's duration in seconds. The first value is that before
        training, NaN where there is none.
    weights : dict of int to dict of str to ndarray
        The module's state after as many epochs.
    """

    curves: dict[str, np.ndarray]
    weights: dict[int, dict[str, np.ndarray]]


def make_net(task, recipe):
    """An initialised, untrained skorch net."""
    net = task.net(
        kind=recipe.kind,
        hidden_size=recipe.hidden_size,
        half_width=recipe.half_width,
        learning_rate=recipe.learning_rate,
    )
    with seeded(recipe.seed):
        return net.initialize()


def train_network(task, recipe, max_epochs, checkpoints):
    """Train one network from its recipe.

    Returns
    -------
    TrainedNetwork
        Its curves are not finite from where the network diverged.
    """
    net = make_net(task, recipe)
    with one_thread(), seeded(recipe.seed):
        before = _validate(net, task)
        states = {
            epoch: _state(net.module_) if epoch in checkpoints else None
            for epoch in _epochs(net, task, max_epochs)
        }
    return TrainedNetwork(
        curves=_curves(net.history, before),
        weights={epoch: states[epoch] for epoch in checkpoints},
    )


def _validate(net, task):
    """Validation loss and metric, by name, as skorch takes them after each epoch."""
    output = net.forward(task.X_valid)
    loss = net.criterion_(output, torch.as_tensor(task.y_valid)).item()
    return {"valid_loss": loss, task.metric.name: task.metric(task.y_valid, output)}


def _epochs(net, task, max_epochs):
    """Train epoch by epoch; yield how many are done, from 0 on."""
    # The order of training must not depend on how often the loader of validation data draws.
    net.iterator_valid__generator = torch.Generator()
    # partial_fit would take an interruption for the end of training.
    net.notify("on_train_begin", X=task.X_train, y=task.y_train)
    yield 0
    for epoch in range(1, max_epochs + 1):
        net.fit_loop(task.X_train, task.y_train, epochs=1)
        yield epoch
    net.notify("on_train_end", X=task.X_train, y=task.y_train)


def _state(module):
    return {name: tensor.cpu().numpy().copy() for name, tensor in module.state_dict().items()}


def _curves(history, before):
    """One value before training, and one after each epoch."""
    return {
        name: np.array([before.get(name, np.nan), *(row[name] for row in history)])
        for name in ("train_loss", *before, "dur")
    }
