"""Adjoint and gradient from frames, against autograd and dense Jacobians."""

import numpy as np
import pytest
import torch
from helpers import LAYERS, dense_jacobians, make_layer, make_net, tokens, torch_step
from skorch import NeuralNet, NeuralNetClassifier, NeuralNetRegressor
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lyapsk import frame_gradient
from lyapsk.exceptions import InvalidInputError
from lyapsk.nn import LRU
from lyapsk.tangent import dynamics_of, weights_of

RNG = np.random.default_rng(0)
N_STEPS = 7


def output_size(layer):
    return getattr(layer, "proj_size", 0) or layer.hidden_size


class Model(nn.Module):
    """Reads out the last output, every output, or what the layer says of its last state."""

    def __init__(self, layer, where):
        super().__init__()
        self.layer, self.where = layer, where
        self.readout = nn.Linear(output_size(layer), 3).double()

    def forward(self, x):
        outputs, hx = self.layer(x if self.layer.batch_first else x.transpose(0, 1))
        if not self.layer.batch_first:
            outputs = outputs.transpose(0, 1)
        if self.where == "last state":
            return torch.cat([part.sum(0) for part in (hx if isinstance(hx, tuple) else (hx,))], -1)
        return self.readout(outputs[:, -1] if self.where == "end" else outputs)


class CrossEntropyOfSteps(nn.Module):
    def forward(self, outputs, y):
        return nn.functional.cross_entropy(outputs.flatten(0, -2), y.flatten())


class SumOfSquares(nn.Module):
    def forward(self, outputs, y):
        return outputs.square().sum()


def net_of(layer, where, task):
    """A net in float64, inputs and targets of five sequences in batches of three."""
    if task == "classification":
        kind, criterion = NeuralNet, CrossEntropyOfSteps
        y = RNG.integers(3, size=(5, N_STEPS) if where == "each step" else (5,))
    else:
        kind, criterion = NeuralNetRegressor, nn.MSELoss
        y = RNG.normal(size=(5, N_STEPS, 3) if where == "each step" else (5, 3))
    if where == "last state":
        criterion = SumOfSquares
    net = kind(
        Model, module__layer=layer, module__where=where, criterion=criterion, batch_size=3
    ).initialize()
    return net, RNG.normal(size=(5, N_STEPS, 3)), y


def autograd(net, x, y):
    """Gradient of the net's own loss of one batch, by torch's own backward through the layer."""
    layer = net.module_.layer
    of_outputs = ("weight_ho", "weight_io", "bias") if isinstance(layer, LRU) else ()
    names = [name for name in weights_of(layer) if not name.startswith(of_outputs or "none")]
    with parametrize.cached():
        loss = net.get_loss(net.infer(torch.tensor(x)), torch.tensor(y), training=False)
        weights = [getattr(layer, name) for name in names]
        return dict(zip(names, torch.autograd.grad(loss, weights), strict=True))


def distance(gradient, expected):
    """Relative, of all weights together."""
    assert gradient.keys() == expected.keys()
    gradient = np.concatenate([np.sum(gradient[name], 0).ravel() for name in expected])
    expected = np.concatenate([g.detach().numpy().ravel() for g in expected.values()])
    return np.linalg.norm(gradient - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("where", ["end", "each step"])
@pytest.mark.parametrize("name", LAYERS)
def test_all_directions_give_autograds_gradient(name, where, task):
    net, x, y = net_of(make_layer(name, gain=1.5), where, task)
    gradient = frame_gradient(net, x[:3], y[:3])
    assert distance(gradient.weights, autograd(net, x[:3], y[:3])) < 1e-8
    assert frame_gradient(net, x, y).error < 1e-8


@pytest.mark.parametrize("name", ["tanh-stacked", "gru-stacked", "lstm-stacked", "lstm-projected"])
def test_last_states_of_all_layers_count(name):
    net, x, y = net_of(make_layer(name), "last state", "regression")
    gradient = frame_gradient(net, x[:3], y[:3])
    assert distance(gradient.weights, autograd(net, x[:3], y[:3])) < 1e-8


@pytest.mark.parametrize("name", ["tanh", "gru", "lstm"])
def test_adjoint_is_that_of_dense_jacobians(name):
    layer = make_layer(name)
    net, x, y = net_of(layer, "end", "regression")
    gradient = frame_gradient(net, x[:2], y[:2])
    n = gradient.adjoint.shape[-1]
    for sequence in range(2):
        start = torch.zeros(n, dtype=torch.float64)
        J = dense_jacobians(layer, torch.tensor(x[sequence]), start)
        state = start
        for step in torch.tensor(x[sequence]):
            state = torch_step(layer, state, step).detach()
        h = state[: layer.hidden_size].requires_grad_()
        loss = (net.module_.readout(h) - torch.tensor(y[sequence])).square().sum() / 6
        delta = torch.zeros(n, dtype=torch.float64)
        delta[: layer.hidden_size] = torch.autograd.grad(loss, h)[0]
        for s in range(N_STEPS - 1, -1, -1):
            np.testing.assert_allclose(gradient.adjoint[sequence, s], delta, atol=1e-12)
            delta = J[s].T @ delta


@pytest.mark.parametrize("name", ["tanh", "gru-stacked", "lstm-stacked"])
def test_share_is_that_of_the_truncated_gradient(name):
    net, x, y = net_of(make_layer(name), "each step", "regression")
    whole = frame_gradient(net, x, y)
    assert whole.share[-1] == pytest.approx(1, abs=1e-10)
    np.testing.assert_allclose(whole.share_per_step[:, -1], 1, atol=1e-10)
    hidden = [key for key in whole.weights if key.startswith("weight_hh")]

    def flat(gradient):
        return np.concatenate([gradient.weights[key].reshape(5, -1) for key in hidden], 1)

    G = flat(whole)
    for q in (1, 3):
        leading = frame_gradient(net, x, y, n_directions=q)
        np.testing.assert_allclose(leading.coordinates, whole.coordinates[..., :q], atol=1e-12)
        np.testing.assert_allclose(leading.share, whole.share[:q], atol=1e-12)
        shares = np.sum(flat(leading) * G, 1) / np.sum(G * G, 1)
        assert leading.share[-1] == pytest.approx(shares.mean(), abs=1e-12)
        assert leading.share_error[-1] == pytest.approx(shares.std(ddof=1) / 5**0.5, abs=1e-12)
        steps = np.square(leading.adjoint).sum(-1) / np.square(whole.adjoint).sum(-1)
        np.testing.assert_allclose(leading.share_per_step[:, -1], steps.mean(0), atol=1e-12)
        assert leading.error > 1e-3


def test_dead_directions_do_not_spoil_the_gradient():
    layer = make_layer("relu", gain=0.7)
    with torch.no_grad():
        layer.bias_hh_l0[:4] = -10
    net, x, y = net_of(layer, "each step", "regression")
    gradient = frame_gradient(net, x, y)
    assert np.linalg.matrix_rank(dense_relu(layer, x[0])) < 6
    assert gradient.error < 1e-8
    assert np.isfinite(gradient.share).all()


def dense_relu(layer, x):
    start = torch.zeros(6, dtype=torch.float64)
    return dense_jacobians(layer, torch.tensor(x), start)[-1].numpy()


class Packing(nn.Module):
    """Reads as many steps of each sequence as it is told; the loss is at every step."""

    def __init__(self):
        super().__init__()
        self.layer = nn.GRU(2, 4, batch_first=True).double()
        self.readout = nn.Linear(4, 1, bias=False).double()

    def forward(self, x, length):
        packed = pack_padded_sequence(x, length.cpu(), batch_first=True, enforce_sorted=False)
        outputs, last = self.layer(packed)
        outputs, _ = pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])
        return self.readout(outputs).squeeze(-1).sum(1) + last[0].sum(-1)


def test_sequences_of_unequal_lengths():
    net = NeuralNetRegressor(Packing, batch_size=2).initialize()
    lengths = np.array([4, 7, 5, 2, 3])
    data = {"x": RNG.normal(size=(5, 7, 2)), "length": lengths}
    y = RNG.normal(size=5)
    gradient = frame_gradient(net, data, y)
    assert gradient.error < 1e-12
    for i, length in enumerate(lengths):
        alone = frame_gradient(net, {"x": data["x"][[i], :length], "length": lengths[[i]]}, y[[i]])
        factor = 1 if i == 4 else 2  # the loss is a mean over the batch
        np.testing.assert_allclose(factor * gradient.adjoint[i, :length], alone.adjoint[0])
        assert np.isnan(gradient.adjoint[i, length:]).all()
        assert np.isnan(gradient.coordinates[i, length:]).all()


class Looped(nn.Module):
    """A cell that the forward loops over the steps, from a state of its own."""

    def __init__(self, kind):
        super().__init__()
        self.cell, self.readout = kind(2, 4).double(), nn.Linear(4, 1).double()
        self.start = nn.Parameter(torch.full((4,), 0.3).double())

    def forward(self, x):
        h = self.start.expand(len(x), 4)
        hx, outputs = (h, 2 * h) if isinstance(self.cell, nn.LSTMCell) else h, []
        for step in x.unbind(1):
            hx = self.cell(step, hx)
            outputs.append(hx[0] if isinstance(hx, tuple) else hx)
        return self.readout(torch.stack(outputs, 1)).squeeze(-1)


@pytest.mark.parametrize("kind", [nn.RNNCell, nn.GRUCell, nn.LSTMCell])
def test_cells(kind):
    net = NeuralNetRegressor(Looped, module__kind=kind).initialize()
    x, y = RNG.normal(size=(3, 6, 2)), RNG.normal(size=(3, 6))
    gradient = frame_gradient(net, x, y)
    assert gradient.error < 1e-8
    shapes = {name: g.shape[1:] for name, g in gradient.weights.items()}
    assert shapes == {name: weight.shape for name, weight in net.module_.cell.named_parameters()}


def test_float32_nets_are_followed_in_float64():
    net = make_net(nn.LSTM)
    gradient = frame_gradient(net, tokens(), np.array([0, 1, 2, 0]))
    assert gradient.adjoint.dtype == np.float64
    assert 0 < gradient.error < 1e-5


class Feedback(nn.Module):
    """A cell whose outputs are fed back as inputs."""

    def __init__(self):
        super().__init__()
        self.cell, self.readout = nn.GRUCell(1, 4), nn.Linear(4, 1)

    def forward(self, x):
        h, y = torch.zeros(len(x), 4), x[:, 0]
        for _ in range(6):
            h = self.cell(y, h)
            y = self.readout(h)
        return y


def test_feedback_shows_in_the_error():
    net = NeuralNetRegressor(Feedback).initialize()
    x, y = np.ones((3, 4, 1), "float32"), np.zeros((3, 1), "float32")
    assert frame_gradient(net, x, y).error > 1e-3


def test_parts_are_as_together(monkeypatch):
    net, x, y = net_of(make_layer("lstm"), "end", "regression")
    together = frame_gradient(net, x, y)
    monkeypatch.setattr("lyapsk.scorers._readings.NUMBERS_AT_ONCE", 1)
    apart = frame_gradient(net, x, y)
    for name in together.weights:
        np.testing.assert_allclose(apart.weights[name], together.weights[name], atol=1e-14)
    np.testing.assert_allclose(apart.share, together.share, rtol=1e-12)


def test_prints_and_refuses():
    net = make_net()
    y = np.array([0, 1, 2, 0])
    assert "5 of 5 directions carry 1 of the gradient" in repr(frame_gradient(net, tokens(), y))
    with pytest.raises(InvalidInputError, match=r"n_directions: got 6.*at most the size"):
        frame_gradient(net, tokens(), y, n_directions=6)


def test_no_gradient_has_no_share():
    layer = make_layer("tanh")
    net, x, y = net_of(layer, "end", "regression")
    nn.init.zeros_(net.module_.readout.weight)
    gradient = frame_gradient(net, x, y)
    assert np.isnan(gradient.share).all()
    assert gradient.error == 0
    assert (gradient.adjoint == 0).all()


def test_recurrent_tangent_is_a_finite_difference():
    layer = make_layer("lstm-stacked")
    dynamics = dynamics_of(layer, dtype=torch.float64, device="cpu")
    n = dynamics.state_size
    states, x = torch.tensor(RNG.normal(size=(2, 4, n))), torch.tensor(RNG.normal(size=(2, 4, 3)))
    shapes = [(2, *cell.recurrent.weight.shape[1:]) for cell in dynamics.cells]
    direction = [torch.tensor(RNG.normal(size=shape)) for shape in shapes]
    pushed = dynamics.recurrent_tangent(states, x, direction)
    for i in range(2):
        moved = []
        for eps in (1e-6, -1e-6):
            other = make_layer("lstm-stacked")
            with torch.no_grad():
                for level, change in enumerate(direction):
                    getattr(other, f"weight_hh_l{level}").add_(eps * change[i].flatten(0, 1))
                moved.append(
                    [torch_step(other, s, u) for s, u in zip(states[i], x[i], strict=True)]
                )
        expected = (torch.stack(moved[0]) - torch.stack(moved[1])).detach() / 2e-6
        np.testing.assert_allclose(pushed[i], expected, atol=1e-8)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_gpu_agrees_with_cpu(kind):
    y = np.array([0, 1, 2, 0])
    here = frame_gradient(make_net(kind), tokens(), y, device="cpu")
    there = frame_gradient(make_net(kind, device="cuda"), tokens(), y, device="cuda")
    np.testing.assert_allclose(there.share, here.share, atol=1e-4)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_a_classifiers_own_loss(kind):
    """skorch takes the logarithm of probabilities for NLLLoss."""

    class Softmax(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = getattr(nn, kind)(3, 4, batch_first=True).double()
            self.readout = nn.Linear(4, 3).double()

        def forward(self, x):
            return self.readout(self.layer(x)[0][:, -1]).softmax(-1)

    net = NeuralNetClassifier(Softmax).initialize()
    x, y = RNG.normal(size=(4, 6, 3)), np.array([0, 1, 2, 0])
    assert distance(frame_gradient(net, x, y).weights, autograd(net, x, y)) < 1e-8
