import numpy as np
import pytest
import torch
from helpers import make_net, tokens
from skorch.callbacks import Callback
from torch import nn

from lyapsk import GradientAlignmentScorer, InputSensitivityScorer, frame_gradient
from lyapsk.callbacks import AlignmentMonitor
from lyapsk.exceptions import InvalidInputError, LyapskWarning

X, Y = tokens(n_sequences=60), np.tile([0, 1, 2], 20)


def fit(monitor, **kwargs):
    net = make_net(callbacks=[monitor], **{"max_epochs": 4, **kwargs})
    return net.fit(X, Y)


def test_numbers_are_those_of_the_scorers():
    monitor = AlignmentMonitor(n_sequences=7, n_directions=2, n_draws=1)
    net = fit(monitor, train_split=None)
    x, y = X[monitor.indices_], Y[monitor.indices_]
    row = net.history[-1]
    for side in ("state", "adjoint"):
        score = GradientAlignmentScorer(n_directions=2, side=side)(net, x, y)
        assert row[f"alignment_{side}"] == pytest.approx(score)
    share = frame_gradient(net, x, y, n_directions=2).share[-1]
    assert row["gradient_share"] == pytest.approx(share)
    sensitivity = InputSensitivityScorer(n_draws=1)(net, x, y)
    assert row["input_sensitivity"] == pytest.approx(sensitivity)
    assert row["alignment_dur"] > 0


def test_before_the_first_epoch():
    monitor = AlignmentMonitor(n_sequences=5, n_directions=2)
    net = fit(monitor, train_split=None)
    before = dict(monitor.before_)
    assert set(before) == set(monitor.names)
    untrained = make_net()
    score = GradientAlignmentScorer(n_directions=2)
    few = X[monitor.indices_], Y[monitor.indices_]
    net.initialize()
    net.module_.load_state_dict(untrained.module_.state_dict())
    net.set_params(lr=0.0)
    net.partial_fit(X, Y)
    assert monitor.before_["alignment_state"] == pytest.approx(score(untrained, *few))
    learned = dict(monitor.before_)
    net.partial_fit(X, Y)
    assert monitor.before_ == learned


@pytest.mark.parametrize(
    ("epochs", "chosen"),
    [(1, "1111"), (2, "0101"), ((1, 4), "1001"), (np.array([1, 4]), "1001"), ("doubling", "1101")],
)
def test_epochs(epochs, chosen):
    net = fit(AlignmentMonitor(n_sequences=5, n_directions=2, epochs=epochs))
    finite = np.isfinite(net.history[:, "alignment_state"])
    assert finite.tolist() == [letter == "1" for letter in chosen]


def test_sequences_are_few_and_of_the_validation_data():
    monitor = AlignmentMonitor(n_sequences=4, n_directions=2)
    fit(monitor)
    assert len(monitor.indices_) == 4
    assert monitor.indices_.max() < 12  # a fifth of 60 sequences is for validation
    many = AlignmentMonitor(n_sequences=1000, n_directions=2)
    fit(many)
    assert many.indices_.tolist() == list(range(12))


class Spoil(Callback):
    """Makes the weights NaN in the second epoch."""

    def on_batch_end(self, net, **kwargs):
        if len(net.history) == 2:
            with torch.no_grad():
                net.module_.recurrent.weight_hh_l0.fill_(torch.nan)


def test_a_diverged_network_trains_on():
    net = make_net(callbacks=[Spoil(), AlignmentMonitor(n_directions=2)], max_epochs=3)
    with pytest.warns(LyapskWarning, match="could not be read: model: weight_.h_l0"):
        net.fit(X, Y)
    finite = np.isfinite(net.history[:, "alignment_state"])
    assert finite.tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n_sequences": 0}, r"n_sequences: got 0.*at least 1"),
        ({"epochs": 0}, r"epochs: got 0.*a collection of them"),
        ({"epochs": "often"}, r"epochs: got 'often'.*'doubling'"),
        ({"random_state": np.random.default_rng(0)}, r"random_state: got Generator"),
        ({"epochs": (1, 0)}, r"epochs: got \(1, 0\)"),
        ({"n_directions": 9}, r"n_directions: got 9"),
        ({"n_draws": -1}, r"n_draws: got -1"),
    ],
)
def test_refused_before_the_first_epoch(given, message):
    net = make_net(callbacks=[])
    net.set_params(callbacks=[AlignmentMonitor(**{"n_directions": 2, **given})])
    with pytest.raises(InvalidInputError, match=message):
        net.fit(X, Y)
    assert not any("train_loss" in row for row in net.history)


def test_small_states_have_fewer_directions():
    rows = []
    for given in ({}, {"n_directions": 2}):
        monitor = AlignmentMonitor(n_sequences=4, **given)
        net = make_net(nn.RNN, n_units=3, callbacks=[monitor]).fit(X, Y)
        rows.append([net.history[0, name] for name in monitor.names[:4]])
    assert rows[0] == rows[1]


def test_no_directions_are_refused():
    with pytest.raises(InvalidInputError, match="n_directions: got 0"):
        make_net(callbacks=[AlignmentMonitor(n_sequences=4, n_directions=0)]).fit(X, Y)
