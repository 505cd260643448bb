from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from lyapsk.tasks import Recipe
from lyapsk.tasks._training import make_net, train_network

RECIPE = Recipe("GRU", hidden_size=9, half_width=0.3, learning_rate=0.01, seed=5)


def loss_of(task, state):
    net = make_net(task, RECIPE)
    net.module_.load_state_dict({name: torch.as_tensor(value) for name, value in state.items()})
    output = net.forward(task.X_valid)
    return net.criterion_(output, torch.as_tensor(task.y_valid)).item()


def test_network_is_as_its_recipe_says(small_task):
    net = make_net(small_task, RECIPE)
    recurrent = net.module_.recurrent
    assert (type(recurrent).__name__, recurrent.hidden_size) == ("GRU", 9)
    assert 0.28 < recurrent.weight_hh_l0.abs().max() <= 0.3
    assert net.lr == 0.01


def test_curves_are_those_of_the_kept_weights(small_task):
    trained = train_network(small_task, RECIPE, max_epochs=3, checkpoints=(0, 2, 3))
    assert set(trained.curves) == {"train_loss", "valid_loss", "accuracy", "dur"}
    assert all(curve.shape == (4,) for curve in trained.curves.values())
    assert np.isnan(trained.curves["train_loss"][0])
    assert list(trained.weights) == [0, 2, 3]
    for epoch, state in trained.weights.items():
        expected = loss_of(small_task, state)
        assert trained.curves["valid_loss"][epoch] == pytest.approx(expected, rel=1e-5)
    assert trained.curves["valid_loss"][3] < trained.curves["valid_loss"][0]


def test_training_starts_from_the_initial_weights_and_keeps_them(small_task):
    untrained = make_net(small_task, RECIPE).module_.state_dict()
    kept = train_network(small_task, RECIPE, max_epochs=1, checkpoints=(0,)).weights[0]
    for name, tensor in untrained.items():
        np.testing.assert_array_equal(kept[name], tensor.numpy())


def test_training_is_that_of_skorch_in_one_go(small_task):
    """Epoch by epoch and with validation, the order of training is that without both."""
    in_parts = train_network(small_task, RECIPE, max_epochs=3, checkpoints=(3,)).weights[3]
    net = make_net(small_task, RECIPE).set_params(max_epochs=3, train_split=None)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(RECIPE.seed)
        net.forward(small_task.X_valid)
        net.partial_fit(small_task.X_train, small_task.y_train)
    for name, tensor in net.module_.state_dict().items():
        np.testing.assert_array_equal(in_parts[name], tensor.numpy())


@pytest.mark.usefixtures("two_threads")
def test_seed_decides_alone_and_generator_and_threads_are_left_alone(small_task):
    losses = []
    for global_seed in (0, 1):
        with torch.random.fork_rng():
            torch.manual_seed(global_seed)
            state = torch.get_rng_state()
            trained = train_network(small_task, RECIPE, max_epochs=1, checkpoints=())
            assert torch.equal(torch.get_rng_state(), state)
            losses.append(trained.curves["valid_loss"].tolist())
    other = train_network(small_task, replace(RECIPE, seed=6), max_epochs=1, checkpoints=())
    assert losses[0] == losses[1] != other.curves["valid_loss"].tolist()
    assert torch.get_num_threads() == 2


class DivergingLoss(nn.CrossEntropyLoss):
    def forward(self, output, target):
        return super().forward(output, target) * (np.nan if output.requires_grad else 1)


def test_diverged_network_has_curves_that_are_not_finite(small_task):
    task = replace(small_task, criterion=DivergingLoss)
    curves = train_network(task, RECIPE, max_epochs=2, checkpoints=(2,)).curves
    for name in ("valid_loss", "accuracy"):
        np.testing.assert_array_equal(np.isfinite(curves[name]), [True, False, False])


class InterruptedLoss(nn.CrossEntropyLoss):
    def forward(self, output, target):
        if output.requires_grad:
            raise KeyboardInterrupt
        return super().forward(output, target)


def test_interruption_is_not_taken_for_the_end_of_training(small_task):
    task = replace(small_task, criterion=InterruptedLoss)
    with pytest.raises(KeyboardInterrupt):
        train_network(task, RECIPE, max_epochs=1, checkpoints=())
