import numpy as np
import pytest
import torch

from lyapsk.exceptions import InvalidInputError


def test_history_holds_losses_and_metric_of_the_validation_data(small_task):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = small_task.net("GRU", hidden_size=6, max_epochs=2)
        net.fit(small_task.X_train, small_task.y_train)
    assert len(net.history) == 2
    output = net.forward(small_task.X_valid)
    loss = net.criterion_(output, torch.as_tensor(small_task.y_valid)).item()
    assert net.history[-1, "valid_loss"] == pytest.approx(loss)
    accuracy = np.mean(output.argmax(1).numpy() == small_task.y_valid)
    assert net.history[-1, "accuracy"] == pytest.approx(accuracy)
    assert small_task.metric.score(net, small_task.X_valid, small_task.y_valid) == accuracy


def test_net_is_as_asked_for(small_task):
    net = small_task.net("RNN", 7, half_width=0.01, learning_rate=0.1, max_epochs=5)
    assert not net.initialized_
    net.initialize()
    assert type(net.module_.recurrent).__name__ == "RNN"
    assert net.module_.recurrent.hidden_size == 7
    assert net.module_.recurrent.weight_hh_l0.abs().max() <= 0.01
    assert (net.lr, net.max_epochs) == (0.1, 5)


def test_skorch_parameters_take_the_place_of_the_defaults(small_task):
    net = small_task.net(batch_size=16, optimizer=torch.optim.SGD, optimizer__momentum=0.5)
    assert net.batch_size == 16
    assert isinstance(net.initialize().optimizer_, torch.optim.SGD)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"learning_rate": 0}, "learning_rate: got 0. It must be a finite number above 0"),
        ({"learning_rate": float("nan")}, "learning_rate: got nan"),
        ({"max_epochs": -1}, "max_epochs: got -1. It must be a whole number of at least 0"),
    ],
)
def test_impossible_training_is_refused(small_task, arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        small_task.net(**arguments)
