"""That what runs on a device stays there, where its numbers cannot be read in passing.

Tensors on torch's device "meta" have shapes and no values: whoever reads one, as a program would
that makes a GPU wait, gets an error. In torch's fake mode so does whoever mixes them with tensors
on the CPU.
"""

import pickle

import numpy as np
import pytest
import torch
from helpers import LAYERS, make_layer
from skorch import NeuralNetClassifier
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from lyapsk import (
    AeLLEClassifier,
    AeLLERegressor,
    LayerDynamics,
    LyapunovSpectrumTransformer,
    lyapunov_spectrum,
    register_layer,
)
from lyapsk import nn as lnn
from lyapsk.aelle._autoencoder import PaperAutoencoder, ResidualAutoencoders
from lyapsk.aelle._training import train
from lyapsk.nets import _options
from lyapsk.spectrum import Drive, _steppers, follow_frame, initial_frame
from lyapsk.tangent import StepMap, dynamics_of, map_tensors
from lyapsk.tasks import SequenceNetwork

ON_DEVICE = {"dtype": torch.float64, "device": "meta"}
SEQUENCES = np.random.default_rng(0).normal(size=(3, 9, 2)).astype(np.float32)


class Own(torch.nn.RNN):
    """A layer known by its step alone."""


class OfOwn(LayerDynamics):
    def start(self, layer):
        return layer.weight_hh_l0.new_zeros(layer.hidden_size)

    def step(self, layer, state, x):
        from_input = layer.weight_ih_l0 @ x + layer.bias_ih_l0
        return torch.tanh(from_input + layer.weight_hh_l0 @ state + layer.bias_hh_l0)


register_layer(Own, OfOwn)


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch):
    monkeypatch.setattr(_steppers, "LONGEST_CHUNK", 5)


@pytest.fixture
def usable(monkeypatch):
    """The device is taken for one that there is, and what comes from it in the end is -1."""
    copied = torch.Tensor.cpu

    def cpu(tensor):
        return torch.full_like(tensor, -1, device="cpu") if tensor.is_meta else copied(tensor)

    monkeypatch.setattr(_options, "_usable_device", torch.device)
    monkeypatch.setattr(torch.Tensor, "cpu", cpu)


@pytest.fixture
def on_device(name):
    dynamics = dynamics_of(make_layer(name), dtype=torch.float64, device="cpu")
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield map_tensors(lambda weight: torch.empty_like(weight, device="meta"), dynamics)


def follow(dynamics, n_inputs, *, n_exponents=None, method="lu", keep=()):
    """Take steps on the device, with pauses at the ends of chunks and blocks."""
    inputs = torch.empty(12, 1, 2, n_inputs, **ON_DEVICE)
    state = torch.empty(1, 2, dynamics.state_size, **ON_DEVICE)
    k = n_exponents or dynamics.state_size
    frame = None if method == "diagonal" else torch.empty(k, dynamics.state_size, **ON_DEVICE)
    growth = follow_frame(
        dynamics, Drive(state, inputs, 12), frame, method=method, warmup=3, n_blocks=2, keep=keep
    )
    assert growth.by_block.shape == (1, 2, 2, k)
    assert growth.by_block.is_meta
    assert growth.failed_step.is_meta
    return growth


@pytest.mark.parametrize("n_exponents", [None, 1])
@pytest.mark.parametrize("name", LAYERS)
def test_steps_and_eliminations_ask_nothing_of_the_host(on_device, n_exponents):
    follow(on_device, 3, n_exponents=n_exponents)


@pytest.mark.parametrize("name", LAYERS)
def test_neither_do_orthonormal_frames(on_device):
    growth = follow(on_device, 3, method="qr", keep={"growth", "frames", "factors"})
    assert growth.history.is_meta
    assert growth.frames.is_meta
    assert growth.factors.is_meta


@pytest.mark.parametrize("name", ["LRU", "IndRNN", "MinGRU", "MinLSTM"])
def test_nor_does_growth_without_frames(on_device):
    assert follow(on_device, 3, method="diagonal", keep={"growth"}).history.is_meta


def test_nor_do_step_functions():
    def step(state, x):
        return torch.tanh(state.roll(1) + x.sum())

    dynamics = StepMap(step, torch.empty(2, 4, **ON_DEVICE), torch.empty(2, 3, **ON_DEVICE))
    follow(dynamics, 3, method="qr")


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM", "LRU"])
@pytest.mark.parametrize("options", [{}, {"method": "qr", "keep": ("growth", "frames")}])
def test_a_spectrum_waits_for_its_device_at_the_end_alone(usable, kind, options):
    net = NeuralNetClassifier(SequenceNetwork(kind, n_inputs=2, hidden_size=4)).initialize()
    spectrum = lyapunov_spectrum(net, SEQUENCES, device="meta", **options)
    assert (spectrum.exponents == -1).all()


def test_so_do_those_of_many_networks(usable):
    layers = [torch.nn.GRU(2, size, batch_first=True) for size in (3, 3, 5)]
    spectra = LyapunovSpectrumTransformer(SEQUENCES, device="meta").fit(layers).spectra(layers)
    assert [len(spectrum.exponents) for spectrum in spectra] == [3, 3, 5]


@pytest.mark.parametrize(
    "members", [ResidualAutoencoders(3, 5, 2, 8, 1), PaperAutoencoder(5, 2, 1)], ids=type
)
def test_autoencoders_wait_for_their_device_at_the_end_alone(monkeypatch, members):
    monkeypatch.setattr(type(members), "cpu", lambda self: self)
    # The fused optimizer does not know the meta device.
    plain = torch.optim.AdamW
    monkeypatch.setattr(torch.optim, "AdamW", lambda weights, lr, fused: plain(weights, lr=lr))
    train(
        members,
        torch.ones(20, 5, dtype=torch.float64),
        torch.ones(20, 1, dtype=torch.float64),
        torch.ones(20, dtype=torch.float64),
        (torch.arange(20) < 5).expand(members.n_members, -1),
        lambda outputs, inputs, targets, progress: (outputs[0] - inputs).square().sum(-1),
        keep_best=True,
        noise=0.1,
        lr=1e-3,
        max_epochs=3,
        device="meta",
        verbose=0,
    )
    assert all(weight.is_meta for weight in members.parameters())


def test_a_step_function_stays_where_its_state_is(monkeypatch):
    """What tensors it holds is not known, and a GPU that there happens to be does not help."""
    monkeypatch.setattr(_options, "_usable_device", lambda device: torch.device(device or "meta"))
    weight = torch.eye(2, dtype=torch.float64) / 2
    for state in ([1.0, 2.0], torch.ones(2)):
        spectrum = lyapunov_spectrum(lambda s: weight @ s, initial_state=state, n_steps=9)
        np.testing.assert_allclose(spectrum.exponents, np.log(0.5))


@pytest.fixture
def elsewhere():
    """What is made without naming a device is on another."""
    initial_frame.cache_clear()
    torch.set_default_device("meta")
    yield
    torch.set_default_device(None)


@pytest.mark.parametrize("layer", [torch.nn.GRU(2, 3), lnn.CoRNN(2, 3), lnn.LRU(2, 3), Own(2, 3)])
def test_a_default_device_of_the_users_does_not_matter(layer, elsewhere):
    found = lyapunov_spectrum(layer, SEQUENCES, device="cpu")
    torch.set_default_device(None)
    expected = lyapunov_spectrum(layer, SEQUENCES, device="cpu")
    np.testing.assert_array_equal(found.exponents, expected.exponents)


def test_nor_does_it_to_step_functions(elsewhere):
    found = lyapunov_spectrum(lambda s: s / 2, initial_state=[1.0, 2.0], n_steps=9)
    np.testing.assert_allclose(found.exponents, np.log(0.5))


@pytest.mark.parametrize("Estimator", [AeLLERegressor, AeLLEClassifier])
def test_nor_to_autoencoders(Estimator, elsewhere):
    estimator = Estimator(max_epochs=2, random_state=0)
    rows = np.random.default_rng(0).normal(size=(20, 4))
    found = pickle.loads(pickle.dumps(estimator.fit(rows, rows[:, 0] > 0))).predict(rows)
    torch.set_default_device(None)
    np.testing.assert_array_equal(found, estimator.fit(rows, rows[:, 0] > 0).predict(rows))


def test_what_own_layers_hold_comes_along():
    layer = Own(2, 3)
    layer.alive, layer.order = torch.tensor([True]), torch.tensor([1])
    (cell,) = dynamics_of(layer, dtype=torch.float64, device="cpu").cells
    cell.skeleton.to(torch.device("meta"))
    with cell.skeleton.lent({}) as module:
        assert module.alive.is_meta
        assert module.order.is_meta
    assert not layer.alive.is_meta


def test_who_reads_or_mixes_is_found_out():
    with FakeTensorMode():
        on_gpu = torch.empty(2, **ON_DEVICE)
        with pytest.raises(DataDependentOutputException):
            on_gpu.sum().item()
        with pytest.raises(RuntimeError, match="device"):
            on_gpu + torch.empty(2)
