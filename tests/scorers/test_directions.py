"""Singular vectors and frames of both sides against dense computations."""

import numpy as np
import pytest
import torch
from helpers import LAYERS, dense_jacobians, make_layer, torch_step
from scipy.linalg import block_diag
from torch import nn
from torch.nn.utils import parametrize

from lyapsk.scorers._directions import _leading, adjoint_side, state_side
from lyapsk.scorers._readings import Reading
from lyapsk.spectrum import initial_frame
from lyapsk.tangent import dynamics_of

RNG = np.random.default_rng(0)
N_SEQUENCES, N_STEPS, Q, M = 2, 7, 3, 2


def make_reading(name):
    """A layer whose directions all live, its dynamics, and sequences with random ``g_t``."""
    layer = make_layer(name)
    if name == "relu":
        nn.init.constant_(layer.bias_hh_l0, 5.0)
    dynamics = dynamics_of(layer, dtype=torch.float64, device="cpu")
    n = dynamics.state_size
    reading = Reading(
        state=torch.zeros(N_SEQUENCES, n, dtype=torch.float64),
        inputs=torch.tensor(RNG.normal(size=(N_SEQUENCES, N_STEPS, 3))),
        state_gradients=torch.tensor(RNG.normal(size=(N_SEQUENCES, N_STEPS, n))),
        lengths=torch.tensor([N_STEPS, N_STEPS - 2]),
    )
    reading.state_gradients[~reading.within] = 0
    frame = initial_frame(n, Q, seed=0, dtype=torch.float64, device="cpu")
    return layer, dynamics, reading, frame


def states_jacobians_adjoint(layer, reading, i):
    """Of one sequence as far as it goes, states before each step."""
    inputs = reading.inputs[i, : reading.lengths[i]]
    J = dense_jacobians(layer, inputs, reading.state[i]).numpy()
    states = [reading.state[i]]
    for x in inputs[:-1]:
        states.append(torch_step(layer, states[-1], x).detach())
    delta, adjoint = np.zeros(J.shape[-1]), []
    for s in reversed(range(len(J))):
        delta = reading.state_gradients[i, s].numpy() + (
            J[s + 1].T @ delta if s + 1 < len(J) else 0
        )
        adjoint.append(delta)
    return torch.stack(states), J, np.array(adjoint[::-1])


def blocks_of(layer, dynamics):
    """Each layer's part of the state, and what of it the recurrent matrices read."""
    whole = dynamics.with_recurrent_terms()
    return list(zip(whole.blocks, whole.read_back, strict=True))


def recurrent_gradients(layer, reading, i, states, adjoint, dynamics):
    """Gradients with respect to the layers' recurrent matrices, (n_rows, n_in) each."""
    if dynamics.cells[0].diagonal:
        # They have none: that of a linear term, added to the new state, stands for it.
        return [torch.tensor(adjoint).T @ states]
    with parametrize.cached():
        weights = [getattr(layer, f"weight_hh_l{index}") for index in range(layer.num_layers)]
        gradients = [torch.zeros_like(weight) for weight in weights]
        for state, x, delta in zip(states, reading.inputs[i], adjoint, strict=False):
            own = torch.autograd.grad(torch_step(layer, state, x), weights, torch.tensor(delta))
            gradients = [total + part for total, part in zip(gradients, own, strict=True)]
    return gradients


CONSTRAINED = {
    f"{name}{end}"
    for name in ("AntisymmetricRNN", "LipschitzRNN")
    for end in ("", "-stacked-unbiased")
}
STACKED_WITHOUT_MATRICES = {
    f"{name}-stacked-unbiased" for name in ("IndRNN", "MinGRU", "MinLSTM", "LRU")
}


@pytest.mark.parametrize("name", sorted(LAYERS.keys() - CONSTRAINED - STACKED_WITHOUT_MATRICES))
def test_state_side(name):
    layer, dynamics, reading, frame = make_reading(name)
    overlaps = state_side(dynamics, reading, frame, M)
    for i, length in enumerate(reading.lengths):
        states, J, adjoint = states_jacobians_adjoint(layer, reading, i)
        gradients = recurrent_gradients(layer, reading, i, states, adjoint, dynamics)
        padded = [
            np.pad(g.numpy(), ((0, 0), (0, state.stop - read.stop)))
            for g, (state, read) in zip(gradients, blocks_of(layer, dynamics), strict=True)
        ]
        vectors = np.linalg.svd(block_diag(*padded))[2][:M]
        frame_before = frame.mT.numpy()
        for s in range(length):
            expected = (frame_before.T @ vectors.T) ** 2
            np.testing.assert_allclose(overlaps[i, s], expected, atol=1e-9)
            frame_before, _ = np.linalg.qr(J[s] @ frame_before)


def test_recurrent_matrices_of_constrained_layers_are_those_that_act():
    """The gradient is taken to ``W - W^T - g I``, and to ``A`` and ``W``, which are not free."""
    for name, of_linear in (("AntisymmetricRNN", False), ("LipschitzRNN", True)):
        layer, dynamics, reading, _ = make_reading(name)
        states, _, adjoint = states_jacobians_adjoint(layer, reading, 0)
        after = torch.cat([states[1:], torch_step(layer, states[-1], reading.inputs[0, -1])[None]])
        M = getattr(layer, "weight_linear_l0", None)
        change = (after - states).detach() / layer.step_size
        if of_linear:
            A = 0.25 * (M + M.T) + 0.75 * (M - M.T) - layer.shift * torch.eye(len(M))
            change = change - states @ A.T.detach()
        delta = layer.step_size * torch.tensor(adjoint)
        expected = ((1 - change**2) * delta).T @ states
        if of_linear:
            expected = torch.cat([delta.T @ states, expected])
        whole = dynamics.weight_gradient(
            states[None], reading.inputs[:1], torch.tensor(adjoint)[None]
        )
        torch.testing.assert_close(whole.recurrent[0][0], expected.detach(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", LAYERS)
def test_adjoint_side(name):
    layer, dynamics, reading, frame = make_reading(name)
    overlaps = adjoint_side(dynamics, reading, frame, M)
    for i, length in enumerate(reading.lengths):
        states, J, adjoint = states_jacobians_adjoint(layer, reading, i)
        products = [
            adjoint[:, state].T @ states.numpy()[:, outputs]
            for state, outputs in blocks_of(layer, dynamics)
        ]
        vectors = np.linalg.svd(block_diag(*products))[0][:, :M]
        P = frame.mT.numpy()
        for s in reversed(range(length)):
            np.testing.assert_allclose(overlaps[i, s], (P.T @ vectors) ** 2, atol=1e-9)
            P, _ = np.linalg.qr(J[s].T @ P)


def test_adjoint_inside_the_backward_frame_is_contained():
    """Four tanh units: the loss asks of the first two, which only hear of each other."""
    layer = nn.RNN(3, 4, bias=False).double()
    strong = 0.9 * torch.tensor([[0.6, -0.8], [0.8, 0.6]])
    with torch.no_grad():
        layer.weight_hh_l0.copy_(torch.block_diag(strong, 0.1 * torch.eye(2)))
    dynamics = dynamics_of(layer, dtype=torch.float64, device="cpu")
    g = torch.tensor(RNG.normal(size=(1, 12, 4)))
    g[..., 2:] = 0
    reading = Reading(
        torch.zeros(1, 4).double(),
        0.1 * torch.tensor(RNG.normal(size=(1, 12, 3))),
        torch.tensor([12]),
        g,
    )
    frame = initial_frame(4, 2, seed=0, dtype=torch.float64, device="cpu")
    overlaps = adjoint_side(dynamics, reading, frame, 2)[0].sum(1)
    np.testing.assert_allclose(overlaps[0], 1, atol=1e-6)
    assert (overlaps[-1] < 0.99).all()


def test_vectors_are_ordered_over_layers_and_missing_beyond_the_rank():
    dynamics = dynamics_of(make_layer("lstm-stacked"), dtype=torch.float64, device="cpu")
    places, n = dynamics.read_back, dynamics.state_size
    left, right = torch.tensor(RNG.normal(size=(2, 3, 12))), torch.tensor(RNG.normal(size=(2, 3)))
    small, large = left[0].T @ right.diag_embed()[0], 10 * left[1, 0].outer(right[1])
    vectors = _leading([small[None], large[None]], places, 5, n, right=True)[0]
    assert vectors.isnan().all(1).tolist() == [False] * 4 + [True]
    assert vectors[:4].isfinite().all()
    assert vectors[0, places[1]].norm() == pytest.approx(1)
    assert torch.cosine_similarity(vectors[0, places[1]], right[1], 0).abs() == pytest.approx(1)
    nothing = _leading([torch.zeros(1, 12, 3).double()] * 2, places, 2, n, right=True)
    assert nothing.isnan().all()


@pytest.mark.parametrize("side", [state_side, adjoint_side])
def test_dead_directions_count_as_the_mean_over_all_that_could_stand_there(side):
    layer = make_layer("tanh-unbiased")
    with torch.no_grad():
        layer.weight_hh_l0.zero_()
        layer.weight_hh_l0[2, 2] = 0.5  # only unit 2 remembers
    dynamics = dynamics_of(layer, dtype=torch.float64, device="cpu")
    reading = Reading(
        torch.zeros(1, 6).double(),
        torch.tensor(RNG.normal(size=(1, 5, 3))),
        torch.tensor([5]),
        torch.tensor(RNG.normal(size=(1, 5, 6))),
    )
    frame = initial_frame(6, 3, seed=0, dtype=torch.float64, device="cpu")
    overlaps = side(dynamics, reading, frame, 1)[0, ..., 0]
    settled = overlaps[1:] if side is state_side else overlaps[:-1]
    leading = settled[:, :1]
    np.testing.assert_allclose(settled[:, 1:], ((1 - leading) / 5).expand(-1, 2), atol=1e-12)
    assert leading[0].item() < 1
