"""Layers that users register, everywhere that lyapsk takes a layer."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock

import numpy as np
import pytest
import torch
from helpers import growth_of
from skorch import NeuralNetRegressor
from skorch.dataset import ValidSplit
from torch import nn
from torch.func import jacrev
from torch.nn.utils import parametrizations, prune
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lyapsk import (
    GradientAlignmentScorer,
    InputSensitivityScorer,
    LayerDynamics,
    LyapunovSpectrumTransformer,
    frame_gradient,
    lyapunov_spectrum,
    register_layer,
)
from lyapsk.callbacks import AlignmentMonitor, GradientFlossing, LyapunovMonitor
from lyapsk.exceptions import FailedNetworkWarning, InvalidInputError, RecurrentLayerError
from lyapsk.search import LyapunovSearchCV
from lyapsk.spectrum import initial_frame

RNG = np.random.default_rng(0)
SEQUENCES = RNG.normal(size=(3, 12, 3))
X, Y = SEQUENCES, RNG.normal(size=(3, 12, 2))


class Leaky(nn.Module):
    """With submodules and a constant; gives outputs and the last state."""

    def __init__(self, n=4, leak=0.5):
        super().__init__()
        self.recurrent, self.input, self.leak = nn.Linear(n, n), nn.Linear(3, n), leak

    def forward(self, x, h0=None):
        h = x.new_zeros(len(x), self.recurrent.out_features) if h0 is None else h0
        outputs = []
        for one in x.unbind(1):
            h = torch.lerp(h, torch.tanh(self.recurrent(h) + self.input(one)), self.leak)
            outputs.append(h)
        return torch.stack(outputs, 1), h


class LeakyDynamics(LayerDynamics):
    def start(self, layer):
        return torch.zeros(layer.recurrent.out_features)

    def step(self, layer, state, x):
        new = torch.tanh(layer.recurrent(state) + layer.input(x))
        return torch.lerp(state, new, layer.leak)


class Raw(nn.Module):
    """With parameters of its own, a helper method and buffers; steps first, outputs tanh(v)."""

    batch_first = False

    def __init__(self, n=4):
        super().__init__()
        self.W, self.V = nn.Parameter(torch.randn(n, n)), nn.Parameter(torch.randn(3, n))
        self.register_parameter("bias", None)
        self.register_buffer("mask", torch.ones(n, n).tril())
        self.register_buffer("alive", torch.arange(n) != 1)
        self.register_buffer("order", torch.arange(n).flip(0))

    def moved(self, v, x):
        return (
            0.7 * v
            + (torch.tanh(v) @ (self.W * self.mask) + x @ self.V)[..., self.order] * self.alive
        )

    def forward(self, sequences):
        v, outputs = torch.zeros_like(sequences[0] @ self.V), []
        for x in sequences:
            v = self.moved(v, x)
            outputs.append(torch.tanh(v))
        return torch.stack(outputs)


class RawDynamics(LayerDynamics):
    def start(self, layer):
        return torch.zeros(len(layer.W))

    def step(self, layer, state, x):
        return layer.moved(state, x)

    def output(self, layer, state, x):
        return torch.tanh(state)


class Wrapped(nn.Module):
    """Loops a LSTMCell and gives a readout of h and x."""

    def __init__(self):
        super().__init__()
        self.cell, self.readout = nn.LSTMCell(3, 4), nn.Linear(7, 2)

    def forward(self, inputs, states=None):
        outputs = []
        for x in inputs.unbind(1):
            states = self.cell(x, states)
            outputs.append(self.readout(torch.cat([states[0], x], -1)))
        return torch.stack(outputs, 1), states


class WrappedDynamics(LayerDynamics):
    def start(self, layer):
        return torch.zeros(8)

    def step(self, layer, state, x):
        return torch.cat(layer.cell(x, state.chunk(2)))

    def output(self, layer, state, x):
        return layer.readout(torch.cat([state[:4], x]))


class Started(nn.Module):
    """Two layers with slopes and dropout, from a state that is learned."""

    def __init__(self):
        super().__init__()
        self.cells = nn.ModuleList([nn.GRUCell(3, 3), nn.RNNCell(3, 3)])
        self.slopes = nn.ModuleList([nn.PReLU(), nn.PReLU()])
        self.dropout = nn.Dropout(0.5)
        self.h0 = nn.Parameter(torch.randn(6))

    def moved(self, h, x):
        parts = []
        for cell, slope, part in zip(self.cells, self.slopes, h.chunk(2, -1), strict=True):
            parts.append(slope(self.dropout(cell(x, part))))
            x = parts[-1]
        return torch.cat(parts, -1)

    def forward(self, x):
        h, outputs = self.h0.expand(len(x), -1), []
        for one in x.unbind(1):
            h = self.moved(h, one)
            outputs.append(h[:, 3:])
        return torch.stack(outputs, 1)


class StartedDynamics(LayerDynamics):
    def start(self, layer):
        return layer.h0

    def step(self, layer, state, x):
        return layer.moved(state, x)

    def output(self, layer, state, x):
        return state[3:]


class Rotating(nn.Module):
    """Complex weights over a state of real numbers."""

    def __init__(self):
        super().__init__()
        self.turn = nn.Parameter(torch.polar(torch.tensor([0.9, 1.1]), torch.rand(2)))
        self.inlet = nn.Parameter(torch.randn(3, 2, dtype=torch.complex64))

    def moved(self, z, x):
        z = torch.view_as_complex(z) * self.turn + x.to(self.turn.dtype) @ self.inlet
        return torch.tanh(torch.view_as_real(z))

    def forward(self, x):
        z, outputs = x.new_zeros(len(x), 2, 2), []
        for one in x.unbind(1):
            z = self.moved(z, one)
            outputs.append(z.flatten(1))
        return torch.stack(outputs, 1)


class RotatingDynamics(LayerDynamics):
    def start(self, layer):
        return torch.zeros(4)

    def step(self, layer, state, x):
        return layer.moved(state.view(2, 2), x).flatten()


class ScaledCell(nn.GRUCell):
    """A cell that takes one step, by way of torch's own."""

    def __init__(self):
        super().__init__(3, 4)
        self.scale = nn.Parameter(torch.rand(4))

    def forward(self, x, h=None):
        return self.scale * super().forward(x, h)


class ScaledDynamics(LayerDynamics):
    def start(self, layer):
        return torch.zeros(layer.hidden_size)

    def step(self, layer, state, x):
        return layer(x, state)


class Loop(nn.Module):
    """Loops a cell over the steps, in its own forward."""

    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def forward(self, x):
        h, outputs = None, []
        for one in x.unbind(1):
            h = self.cell(one, h)
            outputs.append(h)
        return torch.stack(outputs, 1)


DYNAMICS = {
    Leaky: LeakyDynamics,
    Raw: RawDynamics,
    Wrapped: WrappedDynamics,
    Started: StartedDynamics,
    Rotating: RotatingDynamics,
    ScaledCell: ScaledDynamics,
}
for _layer, _dynamics in DYNAMICS.items():
    register_layer(_layer, _dynamics, cell=_layer is ScaledCell)

KINDS = pytest.mark.parametrize("kind", DYNAMICS)


def made(kind, seed=0, **kwargs):
    torch.manual_seed(seed)
    return widened(kind(**kwargs)).eval()


def widened(module):
    """In float64, and complex numbers likewise."""

    def wide(w):
        is_real = w.is_floating_point()
        return w.double() if is_real else w.to(torch.complex128) if w.is_complex() else w

    return module._apply(wide)


def dense_growth(layer, x, n=None, *, state=None):
    """Growth along one sequence by dense Jacobians of the plain step, (n_steps, n)."""
    dynamics, layer = DYNAMICS[type(layer)](), widened(copy.deepcopy(layer)).eval()
    state = (dynamics.start(layer) if state is None else state).double().detach()
    jacobians = []
    for one in torch.as_tensor(x, dtype=torch.float64):
        step = partial(lambda s, one: dynamics.step(layer, s, one), one=one)
        jacobians.append(jacrev(step)(state).detach())
        state = step(state).detach()
    n_all = len(state)
    frame = initial_frame(n_all, n_all, seed=0, dtype=torch.float64, device="cpu")[:n].mT
    return growth_of(torch.stack(jacobians), frame)


def dense_exponents(layer, sequences=SEQUENCES, n=None, warmup=0):
    growth = np.mean([dense_growth(layer, x, n)[warmup:].mean(0) for x in sequences], 0)
    return np.sort(growth)[::-1]


class Model(nn.Module):
    """Scaling, a layer of one's own, and a readout of every step: what users' modules look like."""

    def __init__(self, layer):
        super().__init__()
        self.scale = nn.Linear(3, 3).double()
        self.inside = nn.ModuleList([Loop(layer) if isinstance(layer, ScaledCell) else layer])
        self.readout = nn.Linear(2, 2).double()

    def forward(self, x):
        (layer,), x = self.inside, self.scale(x)
        first = getattr(layer, "batch_first", True)
        outputs = layer(x if first else x.transpose(0, 1))
        outputs = outputs[0] if isinstance(outputs, tuple) else outputs
        return self.readout((outputs if first else outputs.transpose(0, 1))[..., -2:])


def net_of(layer, seed=0, **kwargs):
    torch.manual_seed(seed)
    settings = {"lr": 0.0, "max_epochs": 2, "verbose": 0, "train_split": None, **kwargs}
    return NeuralNetRegressor(Model(layer), **settings).initialize()


@KINDS
def test_spectrum_is_that_of_dense_jacobians(kind, monkeypatch):
    monkeypatch.setattr("lyapsk.tangent._jacobians.FEW_ENTRIES", 0)
    layer = made(kind)
    for n in (None, 1, 2):
        found = lyapunov_spectrum(layer, SEQUENCES, n_exponents=n).exponents
        np.testing.assert_allclose(found, dense_exponents(layer, n=n), atol=1e-9)
    warm = lyapunov_spectrum(layer, SEQUENCES, warmup=5).exponents
    np.testing.assert_allclose(warm, dense_exponents(layer, warmup=5), atol=1e-9)


def layer_of(net):
    (layer,) = net.module_.inside
    return layer.cell if isinstance(layer, Loop) else layer


@KINDS
def test_inside_of_modules_and_nets(kind):
    net = net_of(made(kind))
    module, layer = net.module_, layer_of(net)
    scaled = module.scale(torch.tensor(X)).detach()
    expected = lyapunov_spectrum(layer, scaled).per_sequence
    for model in (net, module):
        found = lyapunov_spectrum(model, X if model is net else torch.tensor(X))
        np.testing.assert_allclose(found.per_sequence, expected, atol=1e-12)


@pytest.mark.parametrize("method", ["qr", "lu"])
@pytest.mark.parametrize("kind", [Raw, Wrapped])
def test_every_method(kind, method):
    layer = made(kind)
    found = lyapunov_spectrum(layer, SEQUENCES, method=method).exponents
    np.testing.assert_allclose(found, dense_exponents(layer), atol=1e-8)


def test_lengths_steps_and_growth_are_followed():
    layer = made(Leaky)
    ragged = [x[:length] for x, length in zip(SEQUENCES, (12, 5, 9), strict=True)]
    found = lyapunov_spectrum(layer, ragged).per_sequence
    for own, x in zip(found, ragged, strict=True):
        np.testing.assert_allclose(np.sort(own), np.sort(dense_growth(layer, x, 4).mean(0)))
    joined = lyapunov_spectrum(layer, SEQUENCES, n_steps=24, keep=["growth", "frames"])
    expected = dense_growth(layer, SEQUENCES[:2].reshape(24, 3), 4)
    np.testing.assert_allclose(joined.growth[0], expected, atol=1e-9)
    assert joined.frames.shape == (1, 24, 4, 4)
    single = lyapunov_spectrum(layer.float(), SEQUENCES, dtype="float32").exponents
    np.testing.assert_allclose(single, dense_exponents(layer), atol=1e-4)
    started = lyapunov_spectrum(layer, SEQUENCES[:1], initial_state=np.ones(4), keep="growth")
    expected = dense_growth(layer, SEQUENCES[0], 4, state=torch.ones(4))
    np.testing.assert_allclose(started.growth[0], expected, atol=1e-9)


class Packing(nn.Module):
    """Packs around a layer that takes packed sequences."""

    def __init__(self):
        super().__init__()
        self.layer = made(Packed)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths.cpu().long(), True, enforce_sorted=False)
        return pad_packed_sequence(self.layer(packed)[0], batch_first=True)[0]


class Packed(Leaky):
    def forward(self, x):
        padded, lengths = pad_packed_sequence(x, batch_first=True)
        outputs, _ = super().forward(padded)
        return pack_padded_sequence(outputs, lengths, True, enforce_sorted=False), None


register_layer(Packed, LeakyDynamics)


def test_packed_sequences():
    module, lengths = Packing(), [5, 12, 9]
    found = lyapunov_spectrum(module, {"x": SEQUENCES, "lengths": np.array(lengths)})
    assert found.n_steps.tolist() == lengths
    leaky = made(Leaky)
    for own, x, length in zip(found.per_sequence, SEQUENCES, lengths, strict=True):
        expected = lyapunov_spectrum(leaky, x[None, :length]).exponents
        np.testing.assert_allclose(np.sort(own), np.sort(expected), atol=1e-12)


class Passing(nn.Module):
    """Passes a state to start from, by keyword."""

    def __init__(self, layer, name, parts):
        super().__init__()
        self.layer, self.name, self.parts = layer, name, parts

    def forward(self, x):
        h = torch.ones(len(x), 4, dtype=x.dtype)
        given = {self.name: tuple(i * h for i in range(self.parts)) if self.parts > 1 else h}
        return self.layer(x, **given)[0]


@pytest.mark.parametrize(("kind", "name", "parts"), [(Leaky, "h0", 1), (Wrapped, "states", 2)])
def test_states_that_a_module_passes(kind, name, parts):
    layer = made(kind)
    state = torch.arange(parts).repeat_interleave(4) if parts > 1 else torch.ones(4)
    found = lyapunov_spectrum(Passing(layer, name, parts), SEQUENCES[:1], keep="growth")
    expected = dense_growth(layer, SEQUENCES[0], len(state), state=state)
    np.testing.assert_allclose(found.growth[0], expected, atol=1e-9)


class Alone(Leaky):
    """Takes one sequence, without a batch."""

    def forward(self, x, h0=None):
        outputs, last = super().forward(x[None], None if h0 is None else h0[None])
        return outputs[0], last[0]


class PassingAlone(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = made(Alone)

    def forward(self, x):
        return self.layer(x, torch.ones(4, dtype=x.dtype))


def test_one_sequence_without_a_batch():
    register_layer(Alone, LeakyDynamics)
    found = lyapunov_spectrum(PassingAlone(), SEQUENCES[0]).exponents
    passing = Passing(made(Leaky), "h0", 1)
    np.testing.assert_allclose(found, lyapunov_spectrum(passing, SEQUENCES[:1]).exponents)


class Reservoir(Leaky):
    """Its weights are buffers: nothing is trained."""

    def __init__(self):
        super().__init__()
        for linear in (self.recurrent, self.input):
            for name, weight in list(linear.named_parameters()):
                delattr(linear, name)
                linear.register_buffer(name, weight.detach())


@pytest.mark.parametrize("kind", [Reservoir, Rotating])
def test_modules_without_real_parameters(kind):
    register_layer(Reservoir, LeakyDynamics)
    layer = made(kind)
    inside = lyapunov_spectrum(nn.Sequential(layer), SEQUENCES).exponents
    np.testing.assert_allclose(inside, lyapunov_spectrum(layer, SEQUENCES).exponents)
    if kind is Reservoir:
        leaky = lyapunov_spectrum(made(Leaky), SEQUENCES).exponents
        np.testing.assert_allclose(inside, leaky, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("gain", [1, 5, 20])
def test_weights_of_low_precision_and_of_great_size(dtype, gain):
    x = SEQUENCES[:2, :4]
    for seed in range(4):
        layer = made(Leaky, seed, n=100, leak=1.0)
        with torch.no_grad():
            layer.recurrent.weight.normal_(0, gain / 10)
        layer = layer.to(dtype)
        found = lyapunov_spectrum(layer, x, n_exponents=1).exponents
        np.testing.assert_allclose(found, dense_exponents(layer, x, n=1), atol=1e-7)


def population(kind):
    """Nets that differ in weights, beside some of another constant and another mask."""
    nets = [net_of(made(kind, seed), seed) for seed in range(4)]
    if kind is Leaky:
        nets[1:3] = [net_of(made(Leaky, seed, leak=0.9), seed) for seed in (1, 2)]
    if kind is Raw:
        layer = layer_of(nets[1])
        layer.alive.logical_not_()
        layer_of(nets[2]).order.copy_(torch.tensor([1, 0, 3, 2]))
    return nets


@KINDS
def test_networks_in_one_batch_are_as_alone(kind):
    nets = population(kind)
    transformer = LyapunovSpectrumTransformer(X, features=["quantiles"], n_points=None)
    together = transformer.fit_transform(nets)
    alone = [np.maximum(lyapunov_spectrum(net, X).exponents, -10) for net in nets]
    np.testing.assert_allclose(together, alone, atol=1e-9)
    assert np.ptp(together, 0).min() > 1e-4


def test_processes_give_the_same():
    nets = [*population(Leaky), net_of(made(Wrapped)), net_of(made(ScaledCell))]
    layer_of(nets[0]).function = lambda h: h
    rows = [LyapunovSpectrumTransformer(X, n_jobs=n).fit_transform(nets) for n in (1, 2)]
    np.testing.assert_allclose(rows[1], rows[0], atol=1e-9)


@pytest.mark.parametrize("kind", [Leaky, Raw])
def test_memory_knows_networks_by_weights_and_constants(kind, tmp_path):
    transformer = LyapunovSpectrumTransformer(X, memory=str(tmp_path))

    def n_kept(*nets):
        rows = transformer.fit_transform(nets)
        np.testing.assert_allclose(rows, LyapunovSpectrumTransformer(X).fit_transform(nets))
        return len(list(tmp_path.rglob("*.safetensors")))

    nets = population(kind)
    assert n_kept(*nets) == 4
    assert n_kept(*nets[::-1]) == 4
    assert n_kept(*copy.deepcopy(nets)) == 4
    assert n_kept(*pickle.loads(pickle.dumps(nets))) == 4
    layer = layer_of(nets[0])
    if kind is Leaky:
        layer.leak = 0.1
    else:
        layer.alive[:] = True
    assert n_kept(*nets) == 5
    with torch.no_grad():
        next(layer.parameters()).mul_(0.5)
    assert n_kept(*nets) == 6


@KINDS
def test_gradients_through_frames_are_autograds(kind):
    net = net_of(made(kind))
    gradient = frame_gradient(net, X, Y)
    assert gradient.error < 1e-8
    layer = layer_of(net)
    weights = {name: w for name, w in layer.named_parameters() if name in gradient.weights}
    left_out = dict(layer.named_parameters()).keys() - weights.keys()
    assert all(name == "h0" or name.startswith("readout") for name in left_out)
    loss = net.get_loss(net.infer(torch.tensor(X)), torch.tensor(Y), training=False)
    expected = torch.autograd.grad(loss, list(weights.values()))
    for name, own in zip(weights, expected, strict=True):
        np.testing.assert_allclose(gradient.weights[name].sum(0), own, atol=1e-10)
    assert all(w.grad is None for w in layer.parameters())


@KINDS
def test_scorers(kind):
    net = net_of(made(kind))
    for side in ("state", "adjoint"):
        result = GradientAlignmentScorer(n_directions=2, side=side).analyze(net, X, Y)
        assert result.gradient.error < 1e-8
        assert np.isfinite(result.score)
    for n_draws in (0, 2):
        assert np.isfinite(InputSensitivityScorer(n_draws=n_draws, size=1e-4)(net, X, Y))


@pytest.mark.filterwarnings("ignore::lyapsk.exceptions.LyapskWarning")
@pytest.mark.parametrize("kind", [Leaky, Started, ScaledCell])
def test_callbacks(kind):
    flossing = GradientFlossing(2, n_before=6, n_during=1, learning_rate=0.05, n_sequences=2)
    monitors = [LyapunovMonitor(), AlignmentMonitor(n_directions=2), flossing]
    net = net_of(made(kind), callbacks=monitors).fit(X[:, :6], Y[:, :6])
    assert flossing.losses_[6] < 0.6 * flossing.losses_[0]
    for name in ("lyapunov_largest", "alignment_state"):
        assert np.isfinite(net.history[-1][name])
    exponents = lyapunov_spectrum(net, X, n_exponents=2).exponents
    assert np.isfinite(exponents).all()


def test_flossing_reaches_the_weights_behind_a_parametrization():
    layer = made(Leaky)
    parametrizations.weight_norm(layer.recurrent)
    before = copy.deepcopy(layer.state_dict())
    flossing = GradientFlossing(2, n_before=5, learning_rate=0.05, n_sequences=2)
    net_of(layer, callbacks=[flossing], max_epochs=1).fit(X, Y)
    assert flossing.losses_[-1] < flossing.losses_[0]
    changed = {n for n, w in layer.state_dict().items() if not torch.equal(w, before[n])}
    assert changed == before.keys()


REPARAMETRIZED = {
    "orthogonal": lambda linear: parametrizations.orthogonal(linear),
    "weight_norm": lambda linear: parametrizations.weight_norm(linear),
    "pruned": lambda linear: prune.random_unstructured(linear, "weight", 0.4),
}


@pytest.mark.parametrize("name", REPARAMETRIZED)
def test_weights_are_those_of_the_forward(name):
    net = net_of(made(Leaky))
    REPARAMETRIZED[name](layer_of(net).recurrent)
    plain = net_of(made(Leaky))
    with torch.no_grad():
        layer_of(plain).recurrent.weight.copy_(layer_of(net).recurrent.weight)
    expected = [lyapunov_spectrum(model, X).exponents for model in (plain, layer_of(plain))]
    for _ in range(2):
        for model, own in zip((net, layer_of(net)), expected, strict=True):
            np.testing.assert_allclose(lyapunov_spectrum(model, X).exponents, own, atol=1e-12)
        scores = [GradientAlignmentScorer(n_directions=2).analyze(n, X, Y) for n in (net, plain)]
        assert scores[0].score == pytest.approx(scores[1].score, abs=1e-9)
        assert scores[0].gradient.error < 1e-8
    net.partial_fit(X, Y)


def test_pruned_weights_are_made_anew():
    net, plain = net_of(made(Leaky)), net_of(made(Leaky))
    for own in (net, plain):
        prune.l1_unstructured(layer_of(own).recurrent, "weight", 0.4)
        with torch.no_grad():
            layer_of(own).recurrent.weight_orig.mul_(2)
    plain.infer(torch.tensor(X))
    scores = [GradientAlignmentScorer(n_directions=2)(own, X, Y) for own in (net, plain)]
    assert scores[0] == scores[1]
    flossing = GradientFlossing(2, n_before=3, learning_rate=0.05, n_sequences=2)
    net.set_params(callbacks=[flossing])
    before = layer_of(net).recurrent.weight_orig.detach().clone()
    net.initialize_callbacks().partial_fit(X, Y)
    assert not torch.equal(before, layer_of(net).recurrent.weight_orig)


@pytest.mark.parametrize(
    "wrap", [partial(torch.compile, backend="eager"), nn.DataParallel], ids=["compile", "parallel"]
)
def test_wrappers_are_looked_through(wrap):
    layer = made(Leaky)
    expected = lyapunov_spectrum(layer, SEQUENCES).exponents
    for wrapped in (wrap(layer), nn.Sequential(wrap(layer)), wrap(nn.Sequential(layer))):
        found = lyapunov_spectrum(wrapped, SEQUENCES).exponents
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_threads_give_the_same():
    nets = [net_of(made(kind), seed) for seed, kind in enumerate(DYNAMICS)]
    expected = [lyapunov_spectrum(net, X).exponents for net in nets]
    with ThreadPoolExecutor(4) as pool:
        spectra = list(pool.map(lambda net: lyapunov_spectrum(net, X), nets * 3))
    for spectrum, own in zip(spectra, expected * 3, strict=True):
        np.testing.assert_allclose(spectrum.exponents, own, atol=1e-12)


def step(change):
    """Dynamics whose step is changed."""
    return {"step": lambda _, layer, state, x: change(layer, state, x)}


def true_step(layer, state, x):
    return LeakyDynamics().step(layer, state, x)


class NoDerivative(torch.autograd.Function):
    """The same, without a forward derivative."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass


def forward(change):
    """A forward whose outputs and last states are changed."""
    return {"forward": lambda layer, x: change(*Leaky.forward(layer, x))}


OUTPUTS = "must make outputs .n_sequences, n_steps, n_outputs. of inputs"

# What is wrong of the dynamics or of the layer, and what its error tells.
WRONG = {
    "sign": (step(lambda *a: -true_step(*a)), "at step 0 its outputs differ from those of the Own"),
    "bias": (
        step(lambda y, s, x: s.lerp(torch.tanh(y.recurrent.weight @ s + y.input(x)), y.leak)),
        "differ .* by .*biases",
    ),
    "leak": (
        step(lambda y, s, x: s.lerp(torch.tanh(y.recurrent(s) + y.input(x)), 0.49)),
        "differ .* by 0.0.*step sizes",
    ),
    "start": ({"start": lambda *_: torch.full((4,), 0.1)}, "at step 0 .*Compare start"),
    "narrow start": (
        {"start": lambda *_: torch.zeros(3)},
        r"step failed on a state .*\(3,\)",
    ),
    "start of many": ({"start": lambda *_: torch.zeros(1, 4)}, r"start gives .*\(1, 4\)"),
    "narrow step": (step(lambda y, s, x: s[:2]), r"step gives .* shape \(2,\).*\(4,\)"),
    "step of many": (step(lambda *a: true_step(*a)[None]), r"step gives .*\(1, 4\)"),
    "tuple": (step(lambda y, s, x: (s, s)), r"step gives a tuple.*torch\.cat"),
    "single precision": (step(lambda *a: true_step(*a).float()), "step gives .*float32.*type"),
    "other type": (
        step(lambda y, s, x: torch.ones(4, 4, dtype=torch.float32) @ s),
        r"step failed .*float64.* convert other tensors by \.to\(state\)",
    ),
    "failing step": (step(lambda y, s, x: y.nothing), "step failed .*AttributeError.*'nothing'"),
    "branch": (step(lambda y, s, x: s if s.sum() > 0 else x), "step failed .*torch.vmap"),
    "random": (step(lambda y, s, x: nn.functional.dropout(s)), "step failed .*random"),
    "narrow output": (
        {"output": lambda _, y, s, x: s[:2]},
        "gives 2 outputs, but the Own's forward gives 4.*output",
    ),
    "output of many": ({"output": lambda _, y, s, x: s[None]}, r"output gives .*\(1, 4\)"),
    "other output": ({"output": lambda _, y, s, x: torch.tanh(s)}, "at step 0 .*output"),
    "failing output": ({"output": lambda _, y, s, x: y.nothing}, "output failed .*'nothing'"),
    "failing push": (
        {"push": lambda _, y, s, x, t: y.nothing},
        "push failed .*'nothing'.*leave it",
    ),
    "no derivative": (step(lambda *a: NoDerivative.apply(true_step(*a))), "push failed .*define"),
    "wrong push": (
        {"push": lambda _, y, s, x, t: 0.5 * t},
        "push gives .* as entry 0 .*differences of step give .*Correct push",
    ),
    "nearly right push": (
        {"push": lambda _, *a: 1.001 * LeakyDynamics().push(*a)},
        "push gives .* as entry",
    ),
    "push of one part": (
        {"push": lambda _, *a: LeakyDynamics().push(*a) * torch.arange(4).clamp(max=1)},
        "push gives 0 as entry 0 ",
    ),
    "hidden state": (
        step(lambda *a: true_step(*a).detach()),
        "entry 0 .* has the derivative 0 .*detach",
    ),
    "partly hidden state": (
        step(lambda y, s, x: s.lerp(torch.tanh(y.recurrent(s.detach()) + y.input(x)), y.leak)),
        "has the derivative 0 .*detach",
    ),
    "narrow push": ({"push": lambda _, y, s, x, t: t[:2]}, r"push gives shape \(2,\)"),
    "last output alone": (forward(lambda outputs, last: last), OUTPUTS),
    "states first": (forward(lambda outputs, last: (last, outputs)), OUTPUTS),
    "no output": (forward(lambda outputs, last: None), OUTPUTS),
    "list": (forward(lambda outputs, last: list(outputs.unbind(1))), OUTPUTS),
    "dictionary": (forward(lambda outputs, last: {"outputs": outputs}), OUTPUTS),
    "batch_first": ({"batch_first": False}, "at step 1 .*set batch_first"),
}


@pytest.mark.parametrize("bare", [True, False], ids=["bare", "in a module"])
@pytest.mark.parametrize("case", WRONG)
def test_wrong_dynamics_are_told(case, bare):
    changes, message = WRONG[case]
    of_layer = changes.keys() & {"forward", "batch_first"}
    own = type("Own", (Leaky,), changes if of_layer else {})
    register_layer(own, type("Wrong", (LeakyDynamics,), {} if of_layer else changes))
    model = made(own) if bare else nn.Sequential(made(own))
    with pytest.raises(RecurrentLayerError, match=message) as error:
        lyapunov_spectrum(model, SEQUENCES)
    assert ("Wrong: " in str(error.value)) or message == OUTPUTS


class Kinked(nn.Module):
    """Its units are all at a kink where it starts, and stay there without inputs."""

    def __init__(self, function, n=200):
        super().__init__()
        self.function, self.recurrent = function, nn.Linear(n, n, bias=False)
        self.mixed, self.input = nn.Linear(n, n, bias=False), nn.Linear(3, n, bias=False)

    def moved(self, h, x):
        return self.mixed(self.function(self.recurrent(h) + self.input(x)))

    def forward(self, x):
        h, outputs = x.new_zeros(len(x), self.recurrent.out_features), []
        for one in x.unbind(1):
            h = self.moved(h, one)
            outputs.append(h)
        return torch.stack(outputs, 1)


class KinkedDynamics(LayerDynamics):
    def start(self, layer):
        return torch.zeros(layer.recurrent.out_features)

    def step(self, layer, state, x):
        return layer.moved(state, x)


def spikes(v):
    """Steps with the derivative of a sigmoid, as spiking networks are trained with."""
    soft = torch.sigmoid(v)
    return soft + ((v > 0).to(v) - soft).detach()


@pytest.mark.parametrize("x", [SEQUENCES, 0 * SEQUENCES, 1e4 * SEQUENCES])
@pytest.mark.parametrize(
    "function",
    [
        torch.relu,
        torch.abs,
        spikes,
        nn.Hardtanh(),
        lambda v: torch.sin(1e5 * v),
        lambda v: torch.tanh(1e3 * v),
        lambda v: torch.tanh(v.float()).double(),
        lambda v: v.float() * 1e6,
    ],
)
def test_no_kink_makes_a_layer_refused(function, x):
    register_layer(Kinked, KinkedDynamics)
    layer = made(Kinked, function=lambda v: function(v).to(v.dtype))
    lyapunov_spectrum(layer, x, n_exponents=1, n_steps=4)


def by_hand(_, layer, state, x, tangent):
    new = torch.tanh(layer.recurrent(state) + layer.input(x))
    changed = (1 - new * new) * (layer.recurrent.weight @ tangent)
    return torch.lerp(tangent, changed, layer.leak)


@pytest.mark.parametrize("gain", [0.0, 1.0, 1e3])
def test_a_right_push_by_hand_is_taken(gain):
    own = type("ByHand", (Leaky,), {})
    register_layer(own, type("HandDynamics", (LeakyDynamics,), {"push": by_hand}))
    layer, expected = made(own), made(Leaky)
    for each in (layer, expected):
        with torch.no_grad():
            each.recurrent.weight.mul_(gain)
    found = lyapunov_spectrum(layer, SEQUENCES).exponents
    np.testing.assert_allclose(found, lyapunov_spectrum(expected, SEQUENCES).exponents, atol=1e-9)


def test_wrong_dynamics_are_told_by_scorers_and_cost_one_row():
    net, good = net_of(made(NoGood)), net_of(made(Leaky))
    with pytest.raises(RecurrentLayerError, match="NoDynamics: at step 0"):
        GradientAlignmentScorer(n_directions=2)(net, X, Y)
    transformer = LyapunovSpectrumTransformer(X, error_score=np.nan)
    with pytest.warns(FailedNetworkWarning, match="network 1: NoDynamics: at step 0"):
        rows = transformer.fit_transform([good, net])
    assert np.isnan(rows[1]).all()
    assert np.isfinite(rows[0]).all()


class NoGood(Leaky):
    pass


class NoDynamics(LeakyDynamics):
    def step(self, layer, state, x):
        return -super().step(layer, state, x)


register_layer(NoGood, NoDynamics)

NAN = np.where(np.arange(108).reshape(3, 12, 3) == 4, np.nan, SEQUENCES)


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        (NAN, "holds nan in sequence 0 at step 1"),
        (SEQUENCES[..., :2], r"forward failed .*RuntimeError|got one of shape \(12, 2\)"),
        (SEQUENCES[:0], "0 sequences"),
        (SEQUENCES[:, :0], "0 steps|forward failed"),
    ],
)
def test_wrong_sequences_are_told(sequences, message):
    for model in (made(Leaky), nn.Sequential(made(Leaky)), made(ScaledCell)):
        with pytest.raises(InvalidInputError, match=f"sequences: .*({message})"):
            lyapunov_spectrum(model, sequences)


class Answering(nn.Module):
    """Loops a cell and answers; between steps a norm and a mask change the state."""

    def __init__(self, cell):
        super().__init__()
        self.cell, self.norm, self.readout = cell, nn.LayerNorm(4), nn.Linear(4, 2)

    def forward(self, x):
        h = x.new_zeros(len(x), 4)
        for one in x.unbind(1):
            h = normed(self.cell, self.norm, one, h) if self.norm else self.cell(one, h)
        return self.readout(h)


def normed(cell, norm, x, h):
    return torch.where(x[..., :1] > -1, norm(cell(x, h)), h)


class NormedCell(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.norm = nn.GRUCell(3, 4), nn.LayerNorm(4)

    def forward(self, x, h):
        return normed(self.cell, self.norm, x, h)


class NormedDynamics(LayerDynamics):
    def start(self, layer):
        return torch.zeros(4)

    def step(self, layer, state, x):
        return layer(x, state)


def test_loops_that_answer_by_themselves_are_told_how_to_be_written():
    model, remedy = made(Answering, cell=nn.GRUCell(3, 4)), "own, .*norm.*cell=True"
    with pytest.raises(RecurrentLayerError, match=f"does not get the state .*{remedy}"):
        lyapunov_spectrum(model, SEQUENCES)
    register_layer(Looped := type("Looped", (Answering,), {}), NormedDynamics)
    with pytest.raises(RecurrentLayerError, match=f"loop and answer by itself.*{remedy}"):
        lyapunov_spectrum(made(Looped, cell=nn.GRUCell(3, 4)), SEQUENCES)


def test_a_loop_with_mask_and_norm_is_followed_as_a_cell():
    register_layer(NormedCell, NormedDynamics, cell=True)
    model = made(Answering, cell=made(NormedCell))
    model.norm = None
    found = lyapunov_spectrum(model, SEQUENCES)
    expected = lyapunov_spectrum(
        lambda h, x: normed(model.cell.cell, model.cell.norm, x, h),
        SEQUENCES,
        initial_state=np.zeros((3, 4)),
    )
    np.testing.assert_allclose(found.exponents, expected.exponents, atol=1e-9)


class Locked(Leaky):
    """Cannot be copied."""

    def __init__(self):
        super().__init__()
        self.lock = Lock()


class Weightless(nn.Module):
    def forward(self, x):
        return x.cumsum(1)


def test_layers_that_cannot_be_read_are_told():
    register_layer(Weightless, RotatingDynamics)
    cases = (made(Locked), "copying its Locked failed"), (Weightless(), "Weightless has no weights")
    for layer, message in cases:
        for model in (layer, nn.Sequential(layer)):
            with pytest.raises(RecurrentLayerError, match=f"model: .*{message}"):
                lyapunov_spectrum(model, SEQUENCES)


class Needing(ScaledCell):
    """A cell that must be given a state."""

    def forward(self, x, h):
        return super().forward(x, h)


def test_a_cell_that_needs_a_state_is_given_one():
    register_layer(Needing, ScaledDynamics, cell=True)
    found = lyapunov_spectrum(made(Needing), SEQUENCES).exponents
    np.testing.assert_array_equal(found, lyapunov_spectrum(made(ScaledCell), SEQUENCES).exponents)


class Talkative(Leaky):
    """Gives more than outputs and last states: nothing, or what is no state."""

    def forward(self, x):
        outputs, last = super().forward(x)
        self.noted = [outputs, last]
        return outputs, self.more(outputs)


@pytest.mark.parametrize(
    "more",
    [lambda h: None, lambda h: h, lambda h: h.argmax(-1), lambda h: {"h": h}],
    ids=["none", "states", "numbers", "dictionary"],
)
def test_whatever_else_a_layer_gives(more):
    register_layer(Talkative, LeakyDynamics)
    layer, leaky = made(Talkative), made(Leaky)
    layer.more = more
    nets = [net_of(own) for own in (layer, leaky)]
    alignment, sensitivity = (
        GradientAlignmentScorer(n_directions=2),
        InputSensitivityScorer(n_draws=0),
    )
    for scorer in (lyapunov_spectrum, alignment, sensitivity):
        given = (X,) if scorer is lyapunov_spectrum else (X, Y)
        found, expected = (scorer(net, *given) for net in nets)
        assert getattr(found, "sum", found) == pytest.approx(getattr(expected, "sum", expected))


def test_loss_of_the_last_state():
    gradient = frame_gradient(NeuralNetRegressor(LastState, verbose=0).initialize(), X, Y[:, 0])
    assert gradient.error < 1e-8


class LastState(nn.Module):
    """Answers with the last state that its layer gives, which is wider than the outputs."""

    def __init__(self):
        super().__init__()
        self.layer = made(Wrapped)

    def forward(self, x):
        return torch.cat(self.layer(x)[1], -1)[:, 3:5]


def held_by(module):
    """All that a module holds, its hooks and its tensors among them."""
    return {
        name: {key: dict(v) if isinstance(v, dict) else v for key, v in vars(m).items()}
        for name, m in module.named_modules()
    }


@KINDS
def test_everything_is_left_as_it_was(kind):
    net = net_of(made(kind))
    module, layer = net.module_.train(), layer_of(net)
    next(layer.parameters()).requires_grad_(False)
    held, values = held_by(module), copy.deepcopy(module.state_dict())
    lyapunov_spectrum(net, X)
    lyapunov_spectrum(layer, SEQUENCES)
    LyapunovSpectrumTransformer(X).fit_transform([net])
    frame_gradient(net, X, Y)
    InputSensitivityScorer(n_draws=0)(net, X, Y)
    assert held_by(module) == held
    assert all(torch.equal(w, values[name]) for name, w in module.state_dict().items())
    assert all(w.grad is None for w in module.parameters())
    assert [w.requires_grad for w in layer.parameters()].count(False) == 1
    pickle.loads(pickle.dumps(net)).partial_fit(X, Y)


class Sized(Model):
    def __init__(self, n):
        super().__init__(Leaky(n).double())


@pytest.mark.filterwarnings("ignore::lyapsk.exceptions.LyapskWarning")
def test_search():
    net = NeuralNetRegressor(
        Sized, module__n=2, max_epochs=2, verbose=0, train_split=ValidSplit(3), lr=0.01
    )
    search = LyapunovSearchCV(net, {"module__n": [2, 3, 4]}, X, 3, 6, n_first=2, random_state=0)
    assert search.fit(X, Y).best_params_["module__n"] in (2, 3, 4)
