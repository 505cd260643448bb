"""Gradients and frames against independent, dense computations."""

import numpy as np
import pytest
import torch
from helpers import LAYERS, dense_jacobians, hx_of, make_layer, torch_step
from scipy.linalg import block_diag
from skorch import NeuralNet
from torch import nn

from lyapsk.nets import recorded_calls
from lyapsk.scorers._directions import frame_overlaps, leading_right_vectors
from lyapsk.scorers._driven import drive_of
from lyapsk.scorers._gradients import backpropagate
from lyapsk.spectrum import initial_frame
from lyapsk.tangent import dynamics_of

RNG = np.random.default_rng(0)
N_STEPS = 7


class Wrapped(nn.Module):
    """A layer that takes (n_sequences, n_steps, n_inputs) and gives its outputs."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        if self.layer.batch_first:
            return self.layer(x)[0]
        return self.layer(x.transpose(0, 1))[0].transpose(0, 1)


class Linear(nn.Module):
    """The loss ``sum_t <y_t, h_t>``, whose gradient in the outputs is ``y``."""

    def forward(self, outputs, y):
        return (outputs * y).sum()


def state_gradients(layer, y):
    """Gradients (n_steps, n) of the loss in the full state, of which ``h`` comes from the top."""
    n = dynamics_of(layer, dtype=torch.float64, device="cpu").state_size
    offset = n - layer.hidden_size * (1 + isinstance(layer, nn.LSTM))
    if getattr(layer, "proj_size", 0):
        offset = n - layer.proj_size - layer.hidden_size
    gradients = torch.zeros(len(y), n, dtype=torch.float64)
    gradients[:, offset : offset + y.shape[-1]] = y
    return gradients


def adjoint_gradients(layer, inputs, y):
    """``delta_s = sum_{t >= s} (J_t ... J_{s+1})^T g_t``, then each step's part in the weights."""
    g = state_gradients(layer, y)
    start = torch.zeros(g.shape[1], dtype=torch.float64)
    jacobians = dense_jacobians(layer, inputs, start)
    states = [start]
    for x in inputs[:-1]:
        states.append(torch_step(layer, states[-1], x).detach())
    weights = [getattr(layer, f"weight_hh_l{index}") for index in range(layer.num_layers)]
    totals, delta = [torch.zeros_like(weight) for weight in weights], torch.zeros_like(start)
    for s in reversed(range(len(inputs))):
        delta = g[s] + (jacobians[s + 1].T @ delta if s + 1 < len(inputs) else 0)
        parts = torch.autograd.grad(torch_step(layer, states[s], inputs[s]), weights, delta)
        totals = [total + part for total, part in zip(totals, parts, strict=True)]
    return totals


def output_size(layer):
    return getattr(layer, "proj_size", 0) or layer.hidden_size


@pytest.mark.parametrize("name", LAYERS)
def test_gradient_is_that_of_the_adjoint_through_dense_jacobians(name):
    layer = make_layer(name, gain=1.5)
    x = torch.tensor(RNG.normal(size=(1, N_STEPS, 3)))
    y = torch.tensor(RNG.normal(size=(1, N_STEPS, output_size(layer))))
    net = NeuralNet(Wrapped, module__layer=layer, criterion=Linear).initialize()
    gradients = backpropagate(net, net.module_.layer, x, y)
    expected = adjoint_gradients(layer, x[0], y[0])
    for gradient, other in zip(gradients, expected, strict=True):
        assert torch.linalg.norm(gradient - other) < 1e-8 * torch.linalg.norm(other)


@pytest.mark.parametrize("name", ["tanh", "gru-stacked", "lstm-stacked", "lstm-projected"])
def test_drive_is_what_the_layer_got(name):
    layer = make_layer(name)
    x = torch.tensor(RNG.normal(size=(N_STEPS, 3)))
    n = state_gradients(layer, torch.zeros(1, output_size(layer))).shape[1]
    state = torch.tensor(RNG.normal(size=n))
    for hx, expected in ((hx_of(layer, state), state), (None, torch.zeros_like(state))):
        with recorded_calls(layer) as calls:
            layer(x.unsqueeze(1 - layer.batch_first), hx)
        start, inputs = drive_of(layer, calls, state_size=n, like=x)
        assert torch.equal(start, expected)
        assert torch.equal(inputs, x)


@pytest.mark.parametrize("name", ["tanh-stacked", "lstm-stacked", "lstm-projected"])
def test_vectors_are_those_of_the_block_diagonal_gradient(name):
    layer = make_layer(name)
    dynamics = dynamics_of(layer, dtype=torch.float64, device="cpu")
    weights = [getattr(layer, f"weight_hh_l{index}") for index in range(layer.num_layers)]
    gradients = [torch.tensor(RNG.normal(size=tuple(w.shape))) for w in weights]
    # The cell has no columns in weight_hh: columns of zeros in its place.
    cells = [cell.state_size - cell.output_size for cell in dynamics.cells]
    blocks = [np.pad(g.numpy(), ((0, 0), (0, c))) for g, c in zip(gradients, cells, strict=True)]
    *_, Vh = np.linalg.svd(block_diag(*blocks))
    vectors = leading_right_vectors(gradients, dynamics, 3).numpy()
    np.testing.assert_allclose(np.abs(np.sum(vectors * Vh[:3], 1)), 1, atol=1e-12)


def test_vectors_beyond_the_rank_are_missing():
    dynamics = dynamics_of(make_layer("tanh"), dtype=torch.float64, device="cpu")
    left, right = torch.tensor(RNG.normal(size=(2, 6)))
    for gradient, rank in ((left.outer(right), 1), (torch.zeros(6, 6), 0)):
        for precision in (torch.float64, torch.float32):
            vectors = leading_right_vectors([gradient.to(precision)], dynamics, 3)
            assert vectors.isnan().all(1).tolist() == [False] * rank + [True] * (3 - rank)
            assert vectors[:rank].isfinite().all()


@pytest.mark.parametrize("name", LAYERS)
def test_frame_of_a_step_is_the_one_before_it(name):
    layer = make_layer(name)
    if name == "relu":
        nn.init.constant_(layer.bias_hh_l0, 5.0)  # no unit dies
    dynamics = dynamics_of(layer, dtype=torch.float64, device="cpu")
    n, q = dynamics.state_size, 3
    inputs = torch.tensor(RNG.normal(size=(2, N_STEPS, 3)))
    vectors = torch.tensor(RNG.normal(size=(2, 2, n)))
    vectors /= torch.linalg.norm(vectors, dim=-1, keepdim=True)
    frame = initial_frame(n, q, seed=0, dtype=torch.float64, device="cpu")
    start = torch.zeros(2, n, dtype=torch.float64)
    overlaps = frame_overlaps(dynamics, start, inputs, frame, vectors)
    for sequence in range(2):
        Q = frame.mT.numpy()
        for step, J in enumerate(dense_jacobians(layer, inputs[sequence], start[0]).numpy()):
            expected = (Q.T @ vectors[sequence].numpy().T) ** 2
            np.testing.assert_allclose(overlaps[sequence, step], expected, atol=1e-9)
            Q, _ = np.linalg.qr(J @ Q)


def test_dead_directions_count_as_the_mean_over_all_that_could_stand_there():
    layer = make_layer("tanh-unbiased")
    with torch.no_grad():
        layer.weight_hh_l0[[0, 1, 3, 4, 5]] = 0  # only unit 2 remembers
    dynamics = dynamics_of(layer, dtype=torch.float64, device="cpu")
    inputs = torch.tensor(RNG.normal(size=(1, 4, 3)))
    vector = torch.tensor(RNG.normal(size=(1, 1, 6)))
    vector /= torch.linalg.norm(vector)
    frame = initial_frame(6, 3, seed=0, dtype=torch.float64, device="cpu")
    start = torch.zeros(1, 6, dtype=torch.float64)
    overlaps = frame_overlaps(dynamics, start, inputs, frame, vector)[0, ..., 0]
    leading = float(vector[0, 0, 2] ** 2)
    np.testing.assert_allclose(overlaps[1:], [[leading, *[(1 - leading) / 5] * 2]] * 3, atol=1e-12)
