import warnings

import numpy as np
import pytest
import torch
from helpers import make_net, tokens
from skorch import NeuralNetRegressor
from skorch.callbacks import Callback, Checkpoint, EarlyStopping
from torch import nn

from lyapsk import lyapunov_spectrum
from lyapsk.callbacks import LyapunovMonitor
from lyapsk.exceptions import InvalidInputError, LyapskWarning

X, Y = tokens(n_sequences=60), np.tile([0, 1, 2], 20)


def fit(monitor, **kwargs):
    settings = {"callbacks": [monitor], "max_epochs": 4, "train_split": None, **kwargs}
    return make_net(**settings).fit(X, Y)


def test_numbers_are_those_of_the_spectrum():
    monitor = LyapunovMonitor(n_sequences=3)
    net = fit(monitor)
    spectrum = lyapunov_spectrum(net, X[monitor.indices_])
    kept = monitor.spectra_[4]
    np.testing.assert_allclose(kept.exponents, spectrum.exponents, atol=1e-9)
    row = net.history[-1]
    assert row["lyapunov_largest"] == kept.exponents[0]
    assert row["lyapunov_entropy_rate"] == kept.entropy_rate
    assert row["lyapunov_n_positive"] == kept.n_positive
    assert row["gradient_horizon"] == kept.gradient_horizon
    assert list(monitor.spectra_) == [0, 1, 2, 4]
    assert np.isnan(net.history[2, "lyapunov_largest"])


def test_one_sequence_is_read_unless_more_are_asked_for():
    monitor = LyapunovMonitor()
    fit(monitor, max_epochs=1)
    spectrum = monitor.spectra_[1]
    assert spectrum.per_sequence.shape[0] == len(monitor.indices_) == 1
    assert np.isfinite(spectrum.standard_error[0])


def test_spectrum_before_the_first_epoch_is_that_of_the_untrained_network():
    monitor = LyapunovMonitor(n_sequences=3)
    net = make_net(callbacks=[monitor], train_split=None)
    weights = {name: w.clone() for name, w in net.module_.state_dict().items()}
    net.partial_fit(X, Y)
    net.module_.load_state_dict(weights)
    untrained = lyapunov_spectrum(net, X[monitor.indices_])
    np.testing.assert_allclose(monitor.spectra_[0].exponents, untrained.exponents, atol=1e-9)
    assert monitor.before_["lyapunov_largest"] == monitor.spectra_[0].exponents[0]


def test_partial_fit_goes_on_and_fit_starts_anew():
    monitor = LyapunovMonitor(epochs=1)
    net = fit(monitor)
    net.partial_fit(X, Y)
    assert list(monitor.spectra_) == list(range(9))
    net.fit(X, Y)
    (own,) = [c for _, c in net.callbacks_ if isinstance(c, LyapunovMonitor)]
    assert list(own.spectra_) == list(range(5))


def test_beside_checkpoints_and_early_stopping(tmp_path):
    monitor = LyapunovMonitor(epochs=1)
    others = [
        Checkpoint(monitor="train_loss_best", dirname=str(tmp_path)),
        EarlyStopping("train_loss", patience=1, threshold=10),
    ]
    net = make_net(callbacks=[monitor, *others], max_epochs=9, train_split=None).fit(X, Y)
    assert len(monitor.spectra_) == len(net.history) + 1 < 10
    net.load_params(checkpoint=others[0])


def test_prints_as_columns(capsys):
    fit(LyapunovMonitor(), verbose=1)
    printed = capsys.readouterr().out
    for name in LyapunovMonitor().names:
        assert name in printed


class Scaled(nn.Module):
    """A tanh layer with all recurrent weights on the diagonal."""

    def __init__(self, gain, bias=0.0):
        super().__init__()
        self.layer = nn.RNN(1, 4, batch_first=True, nonlinearity="relu")
        self.readout = nn.Linear(4, 1)
        with torch.no_grad():
            self.layer.weight_hh_l0.copy_(gain * torch.eye(4))
            self.layer.weight_ih_l0.fill_(0.1)
            self.layer.bias_hh_l0.fill_(bias)
            self.layer.bias_ih_l0.zero_()

    def forward(self, x):
        return self.readout(self.layer(x)[0][:, -1])


ADVICE = {
    "chaotic": ({"gain": 1.5, "bias": 0.1}, "largest exponent is 0.405 ± .* 50 steps.*clip"),
    "dead": ({"gain": 0.5, "bias": -50.0}, "no gradient reaches.*never active"),
    "forgetting": ({"gain": 0.5, "bias": 0.1}, "every 1.4 steps.*have 50.*forget gates"),
}


@pytest.mark.parametrize("kind", ADVICE)
def test_advice_is_given_once(kind):
    module, message = ADVICE[kind]
    monitor = LyapunovMonitor(epochs=1)
    net = NeuralNetRegressor(
        Scaled,
        **{f"module__{name}": value for name, value in module.items()},
        callbacks=[monitor],
        max_epochs=2,
        lr=0.0,
        verbose=0,
    )
    x, y = np.full((10, 50, 1), 0.01, "float32"), np.zeros((10, 1), "float32")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        net.fit(x, y)
    own = [w for w in caught if issubclass(w.category, LyapskWarning)]
    assert len(own) == 1
    when = "after 2 epochs" if kind == "forgetting" else "after 0 epochs"
    with pytest.raises(LyapskWarning, match=f"{when} the network is {kind}. .*{message}"):
        raise own[0].message
    assert monitor.warned_ == {kind}


def test_a_network_that_forgets_before_training_is_not_warned_of():
    net = NeuralNetRegressor(
        Scaled, module__gain=0.5, module__bias=0.1, callbacks=[LyapunovMonitor()], lr=0.0
    )
    net.set_params(verbose=0, max_epochs=0)
    x, y = np.full((10, 50, 1), 0.01, "float32"), np.zeros((10, 1), "float32")
    net.fit(x, y)
    net.set_params(callbacks=[LyapunovMonitor(), Remember()], max_epochs=2)
    net.fit(x, y)


class Remember(Callback):
    """What training does to some networks."""

    def on_epoch_end(self, net, **kwargs):
        with torch.no_grad():
            net.module_.layer.weight_hh_l0.copy_(0.99 * torch.eye(4))


def test_a_network_that_remembers_is_not_warned_of():
    net = NeuralNetRegressor(
        Scaled, module__gain=0.99, module__bias=0.1, callbacks=[LyapunovMonitor()], lr=0.0
    )
    net.set_params(verbose=0, max_epochs=1)
    net.fit(np.full((10, 50, 1), 0.01, "float32"), np.zeros((10, 1), "float32"))
    assert net.history[-1, "lyapunov_largest"] == pytest.approx(np.log(0.99))


def test_monitors_of_several_layers_record_under_names_of_their_own():
    layers = {"layer": "recurrent", "epochs": 1}
    monitors = [LyapunovMonitor(**layers), LyapunovMonitor(**layers, prefix="again_")]
    net = fit(None, callbacks=monitors, max_epochs=2)
    for monitor in monitors:
        recorded = net.history[:, f"{monitor.prefix}lyapunov_largest"]
        assert recorded == [monitor.spectra_[epoch].exponents[0] for epoch in (1, 2)]
    twins = [LyapunovMonitor(), LyapunovMonitor(n_sequences=2)]
    with pytest.raises(InvalidInputError, match="prefix: got '', with which LyapunovMonitor rec"):
        fit(None, callbacks=twins)
    with pytest.raises(InvalidInputError, match="prefix: got 3"):
        fit(LyapunovMonitor(prefix=3))


class Named(Callback):
    names = None


def test_what_other_callbacks_call_names_does_not_matter():
    fit(None, callbacks=[LyapunovMonitor(), ("named", Named())], max_epochs=1)
