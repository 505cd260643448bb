import pickle

import numpy as np
import pytest
import torch
from helpers import make_net, tokens
from skorch import NeuralNetRegressor
from torch import nn
from torch.nn.utils import parametrizations

from lyapsk import lyapunov_spectrum
from lyapsk.callbacks import GradientFlossing, LyapunovMonitor
from lyapsk.exceptions import InvalidInputError, NumericalError, RecurrentLayerError

X, Y = tokens(n_sequences=9), np.tile([0, 1, 2], 3)


def fit(flossing, kind=nn.GRU, **kwargs):
    settings = {"max_epochs": 1, "lr": 0.0, "train_split": None, **kwargs}
    return make_net(kind, callbacks=[flossing], **settings).fit(X, Y)


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize("target", [0.0, -0.2])
def test_leading_exponents_reach_the_target(kind, target):
    flossing = GradientFlossing(
        2, target=target, n_before=25, learning_rate=0.05, n_sequences=3, n_steps=24
    )
    net = fit(flossing, kind)
    exponents = lyapunov_spectrum(net, X, n_exponents=2, n_steps=24).exponents
    assert np.square(exponents - target).mean() < 0.3 * flossing.losses_[0]
    assert flossing.losses_[-1] < 0.3 * flossing.losses_[0]
    assert len(flossing.losses_) == 26


def test_while_training():
    flossing = GradientFlossing(2, n_before=0, n_during=5, epochs=2, learning_rate=0.05)
    net = fit(flossing, max_epochs=4)
    losses = np.array(net.history[:, "flossing_loss"])
    assert np.isnan(losses).tolist() == [True, False, True, False]
    assert losses[3] < losses[1] < flossing.losses_[0]
    assert net.history[-1, "flossing_dur"] > 0


def test_nothing_is_recorded_where_epochs_have_no_updates():
    net = fit(GradientFlossing(2, n_before=1))
    assert not set(GradientFlossing.names) & set(net.history[-1])


def test_only_the_recurrent_layer_changes():
    net = make_net(callbacks=[GradientFlossing(2, n_before=2)], lr=0.0, train_split=None)
    before = {name: w.clone() for name, w in net.module_.named_parameters()}
    net.partial_fit(X, Y)
    for name, weight in net.module_.named_parameters():
        assert torch.equal(weight, before[name]) != name.startswith("recurrent")


def test_frozen_and_parametrized_weights():
    net = make_net(callbacks=[GradientFlossing(2, n_before=3)], lr=0.0, train_split=None)
    layer = parametrizations.weight_norm(net.module_.recurrent, "weight_hh_l0")
    layer.bias_hh_l0.requires_grad_(False)
    frozen = layer.bias_hh_l0.clone()
    norms = layer.parametrizations.weight_hh_l0.original0.clone()
    net.partial_fit(X, Y)
    assert torch.equal(layer.bias_hh_l0, frozen)
    assert not torch.equal(layer.parametrizations.weight_hh_l0.original0, norms)


def test_goes_on_after_pickling_and_with_a_new_module():
    flossing = GradientFlossing(2, n_before=2, n_during=2, epochs=1)
    net = pickle.loads(pickle.dumps(fit(flossing)))
    before = net.module_.recurrent.weight_hh_l0.clone()
    net.partial_fit(X, Y)
    assert not torch.equal(net.module_.recurrent.weight_hh_l0, before)
    net.set_params(module__n_units=6)
    before = net.module_.recurrent.weight_hh_l0.clone()
    net.partial_fit(X, Y)
    assert not torch.equal(net.module_.recurrent.weight_hh_l0, before)


def test_follows_the_sequences_that_a_monitor_with_the_same_seed_reads():
    flossing = GradientFlossing(2, n_before=1, n_during=1, epochs=1, n_sequences=4)
    monitor = LyapunovMonitor(n_sequences=4)
    net = make_net(callbacks=[flossing, monitor], train_split=None).fit(X, Y)
    first = flossing.indices_
    assert first.tolist() == monitor.indices_.tolist()
    assert len(set(first)) == 4
    net.partial_fit(X, Y)
    assert flossing.indices_ is first


def test_gradients_of_the_task_are_left_alone():
    net = make_net(callbacks=[GradientFlossing(2, n_before=1)])
    for weight in net.module_.parameters():
        weight.grad = torch.ones_like(weight)
    data = net.get_dataset(X, Y)
    net.notify("on_epoch_begin", dataset_train=data, dataset_valid=data)
    assert all(torch.equal(w.grad, torch.ones_like(w)) for w in net.module_.parameters())


@pytest.mark.parametrize("n_before", [0, 2])
def test_layers_of_two_directions_are_refused_before_training(n_before):
    net = NeuralNetRegressor(
        TwoDirections, callbacks=[GradientFlossing(2, n_before=n_before)], verbose=0
    )
    with pytest.raises(
        RecurrentLayerError, match=r"model: .*GRU.*must have one direction, because"
    ):
        net.fit(np.zeros((5, 5, 1), "float32"), np.zeros((5, 1), "float32"))
    assert len(net.history) == 0 or "train_loss" not in net.history[-1]


class TwoDirections(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.GRU(1, 3, batch_first=True, bidirectional=True)
        self.readout = nn.Linear(6, 1)

    def forward(self, x):
        return self.readout(self.layer(x)[0][:, -1])


class Dead(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.readout = nn.RNN(1, 3, nonlinearity="relu"), nn.Linear(3, 1)
        nn.init.constant_(self.layer.bias_hh_l0, -9.0)

    def forward(self, x):
        return self.readout(self.layer(x.transpose(0, 1))[0][-1])


def test_dead_directions_cannot_be_driven():
    net = NeuralNetRegressor(Dead, callbacks=[GradientFlossing(2)], train_split=None, verbose=0)
    with pytest.raises(NumericalError, match=r"not finite cannot be driven.*never active"):
        net.fit(np.zeros((4, 5, 1), "float32"), np.zeros((4, 1), "float32"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n_exponents": 0}, r"n_exponents: got 0.*at least 1"),
        ({"n_exponents": 9}, r"n_exponents: got 9.*between 1 and the state size, 5"),
        ({"n_before": -1}, r"n_before: got -1.*at least 0"),
        ({"learning_rate": 0}, r"learning_rate: got 0"),
        ({"target": np.inf}, r"target: got inf"),
        ({"epochs": "never"}, r"epochs: got 'never'"),
        ({"n_sequences": 0}, r"n_sequences: got 0.*at least 1"),
        ({"random_state": "seed"}, r"random_state: got 'seed'.*RandomState"),
    ],
)
def test_refused(given, message):
    with pytest.raises(InvalidInputError, match=message):
        fit(GradientFlossing(**{"n_exponents": 2, "n_before": 1, **given}))
