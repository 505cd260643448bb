"""Every layer of the table against torch's own forward and its automatic differentiation."""

import pytest
import torch
from helpers import LAYERS, dense_jacobians, make_layer, one_step, torch_step
from torch import nn

from lyapsk.tangent import Stack, _gates, dynamics_of
from lyapsk.tangent._torch import TORCH_KINDS

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
    new_state, _ = one_step(dynamics, state, x)
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
    _, push = one_step(dynamics, state, x)
    pushed = push(identity.expand(1, 2, -1, -1))
    for i in range(2):
        J = dense_jacobians(layer, x[0, i : i + 1], state[0, i])[0]
        torch.testing.assert_close(pushed[0, i].mT, J[:, :k], rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", LAYERS)
def test_steps_of_a_chunk_are_those_taken_one_by_one(name):
    dynamics = dynamics_of(make_layer(name), **CPU)
    state, _ = random_point(dynamics)
    inputs = torch.randn(5, 1, 2, 3, generator=torch.Generator().manual_seed(2)).double()
    states, push_of = dynamics.linearize(state, inputs)
    tangents = torch.eye(dynamics.state_size, dtype=torch.float64).expand(1, 2, -1, -1)
    for step, x in enumerate(inputs):
        state, push = one_step(dynamics, state, x)
        torch.testing.assert_close(states[step], state, rtol=0, atol=1e-14)
        together = torch.empty(tangents.shape, dtype=torch.float64)
        push_of(step, tangents, together)
        torch.testing.assert_close(together, push(tangents), rtol=0, atol=1e-14)


def test_lstm_jacobian_has_all_four_blocks():
    layer = make_layer("lstm")
    dynamics = dynamics_of(layer, **CPU)
    _, push = one_step(dynamics, *random_point(dynamics))
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
    joined, push = one_step(together, state, x)
    pushed = push(identity.expand(3, 2, -1, -1))
    for i, part in enumerate(parts):
        alone, push_alone = one_step(part, state[i : i + 1], x[i : i + 1])
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
    before, _ = one_step(dynamics, *point)
    with torch.no_grad():
        layer.weight_hh_l0.zero_()
    assert torch.equal(one_step(dynamics, *point)[0], before)


@pytest.mark.parametrize("kind", TORCH_KINDS)
def test_every_kind_of_torch_steps_and_pushes_as_autograd_says(kind):
    torch.manual_seed(0)
    module = kind(3, 4).double()
    dynamics = dynamics_of(module, **CPU)
    state, x = random_point(dynamics)

    def step(s):
        parts = s.split(4) if isinstance(module, nn.LSTM | nn.LSTMCell) else (s,)
        if isinstance(module, nn.RNNBase):
            parts = [part[None] for part in parts]
        after = module(x[0, 0][None] if parts[0].ndim > 1 else x[0, 0], _alone_or_tuple(parts))
        after = after[1] if isinstance(module, nn.RNNBase) else after
        return torch.cat([part.flatten() for part in _as_tuple(after)])

    stepped, push = one_step(dynamics, state, x)
    identity = torch.eye(len(state[0, 0]), dtype=torch.float64).expand(1, 2, -1, -1)
    torch.testing.assert_close(stepped[0, 0], step(state[0, 0]), rtol=0, atol=1e-14)
    J = torch.autograd.functional.jacobian(step, state[0, 0])
    torch.testing.assert_close(push(identity)[0, 0].mT, J, rtol=0, atol=1e-14)


def _alone_or_tuple(parts):
    return parts[0] if len(parts) == 1 else tuple(parts)


def _as_tuple(value):
    return value if isinstance(value, tuple) else (value,)


@pytest.mark.parametrize("together", [1, 2**12, 2**16])
@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM])
def test_steps_combined_in_groups_are_those_taken_alone(monkeypatch, kind, together):
    monkeypatch.setattr(_gates, "COMBINED_AT_ONCE", together)
    torch.manual_seed(0)
    dynamics = dynamics_of(kind(3, 16, num_layers=2).double(), **CPU)
    n = dynamics.state_size
    state, x = torch.randn(1, 2, n).double(), torch.randn(64, 1, 2, 3).double()
    states, push = dynamics.linearize(state, x)
    before, tangents = torch.cat([state[None], states[:-1]]), torch.randn(1, 2, n, n).double()
    for step in (0, 1, 9, 40, 63, 12, 0):  # back as well: eliminations take steps again
        found, alone = torch.empty_like(tangents), torch.empty_like(tangents)
        push(step, tangents, found)
        dynamics.linearize(before[step], x[step : step + 1])[1](0, tangents, alone)
        torch.testing.assert_close(found, alone)
