"""Every layer of the table against torch's own forward and its automatic differentiation."""

import pytest
import torch
from helpers import LAYERS, dense_jacobians, make_layer, torch_step
from torch import nn

from lyapsk.tangent import Stack, dynamics_of, is_recurrent

CPU = {"dtype": torch.float64, "device": torch.device("cpu")}


def random_point(dynamics, n_sequences=2):
    generator = torch.Generator().manual_seed(1)
    state = torch.randn(1, n_sequences, dynamics.state_size, generator=generator)
    x = torch.randn(1, n_sequences, 3, generator=generator)
    return state.double(), x.double()


@pytest.mark.parametrize("name", LAYERS)
def test_step_is_torch_step(name):
    layer = make_layer(name)
    dynamics = dynamics_of(layer, **CPU)
    state, x = random_point(dynamics)
    new_state, _ = dynamics.linearize(state, x)
    for i in range(2):
        expected = torch_step(layer, state[0, i], x[0, i])
        torch.testing.assert_close(new_state[0, i], expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("k", [1, None], ids=["one tangent", "all tangents"])
def test_push_is_the_full_jacobian(name, k):
    layer = make_layer(name)
    dynamics = dynamics_of(layer, **CPU)
    state, x = random_point(dynamics)
    identity = torch.eye(dynamics.state_size, dtype=torch.float64)[:k]
    _, push = dynamics.linearize(state, x)
    pushed = push(identity.expand(1, 2, -1, -1))
    for i in range(2):
        J = dense_jacobians(layer, x[0, i : i + 1], state[0, i])[0]
        torch.testing.assert_close(pushed[0, i].mT, J[:, :k], rtol=0, atol=1e-14)


def test_lstm_jacobian_has_all_four_blocks():
    layer = make_layer("lstm")
    dynamics = dynamics_of(layer, **CPU)
    _, push = dynamics.linearize(*random_point(dynamics))
    J = push(torch.eye(8, dtype=torch.float64).expand(1, 2, -1, -1)).mT
    h, c = slice(0, 4), slice(4, 8)
    for rows in (h, c):
        for columns in (h, c):
            assert J[..., rows, columns].abs().max() > 1e-3


@pytest.mark.parametrize("name", LAYERS)
def test_networks_joined_in_a_batch_stay_themselves(name):
    parts = [dynamics_of(make_layer(name, seed=seed), **CPU) for seed in range(3)]
    together = Stack.concatenate(parts)
    state, x = random_point(together)
    state, x = state.expand(3, -1, -1), x.expand(3, -1, -1)
    identity = torch.eye(together.state_size, dtype=torch.float64)
    joined, push = together.linearize(state, x)
    pushed = push(identity.expand(3, 2, -1, -1))
    for i, part in enumerate(parts):
        alone, push_alone = part.linearize(state[i : i + 1], x[i : i + 1])
        torch.testing.assert_close(joined[i], alone[0], rtol=0, atol=1e-14)
        expected = push_alone(identity.expand(1, 2, -1, -1))[0]
        torch.testing.assert_close(pushed[i], expected, rtol=0, atol=1e-14)


def test_shapes_tell_which_networks_may_join():
    tanh, relu = (dynamics_of(make_layer(name), **CPU) for name in ("tanh", "relu"))
    assert tanh.shape == dynamics_of(make_layer("tanh", seed=5), **CPU).shape
    assert tanh.shape != relu.shape


def test_dynamics_keep_the_weights_that_they_were_made_from():
    layer = make_layer("gru")
    dynamics = dynamics_of(layer, **CPU)
    point = random_point(dynamics)
    before, _ = dynamics.linearize(*point)
    with torch.no_grad():
        layer.weight_hh_l0.zero_()
    assert torch.equal(dynamics.linearize(*point)[0], before)


def test_every_recurrent_layer_of_torch_is_in_the_table():
    kinds = {type(make_layer(name)) for name in LAYERS}
    known = {kind for kind in (nn.RNN, nn.GRU, nn.LSTM) if is_recurrent(kind(1, 1))}
    assert kinds == known == {nn.RNN, nn.GRU, nn.LSTM}
