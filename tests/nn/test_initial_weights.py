"""How weights are drawn, as each layer says."""

from math import log

import pytest
import torch

from lyapsk import nn as lnn

NAMES = [name for name in lnn.__all__ if name != "RecurrentLayer"]
N_INPUTS, N_UNITS = 50, 400
BY_UNITS, BY_INPUTS = N_UNITS**-0.5, N_INPUTS**-0.5


def uniform(low, high):
    return low, high, (high - low) / 12**0.5


def normal(std):
    return -6 * std, 6 * std, std


AS_TORCH = uniform(-BY_UNITS, BY_UNITS)
DEFAULT = {"weight_ih": AS_TORCH, "weight_hh": AS_TORCH, "bias": AS_TORCH}
AS_LINEAR = {"weight_ih": uniform(-BY_INPUTS, BY_INPUTS)}

# Lowest and highest value and standard deviation of each weight.
DRAWN = {
    "AntisymmetricRNN": DEFAULT | {"weight_hh": normal(BY_UNITS)},
    "CoRNN": DEFAULT,
    "OrthogonalRNN": DEFAULT | {"weight_hh": normal(BY_UNITS)},
    "LipschitzRNN": DEFAULT
    | dict.fromkeys(("weight_hh", "weight_linear"), normal(0.1**0.5 * BY_UNITS)),
    "LEM": DEFAULT | {"weight_zy": AS_TORCH},
    "IndRNN": DEFAULT | {"weight_hh": uniform(0, 1)},
    "RateRNN": DEFAULT | {"weight_hh": normal(1.7 * BY_UNITS)},
    "MinGRU": AS_LINEAR,
    "MinLSTM": AS_LINEAR,
    "LRU": {
        "weight_ih": normal((2 * N_INPUTS) ** -0.5),
        "weight_ho": normal(BY_UNITS),
        "weight_io": normal(BY_INPUTS),
        "bias": (0, 0, 0),
    },
}


def made(name):
    torch.manual_seed(0)
    gain = {"gain": 1.7} if name == "RateRNN" else {}
    return getattr(lnn, name)(N_INPUTS, N_UNITS, **gain)


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_drawn_as_documented(name):
    layer = made(name)
    for weight_name, (low, high, std) in DRAWN[name].items():
        weight = getattr(layer, f"{weight_name}_l0").detach()
        assert weight.min() >= low
        assert weight.max() <= high
        assert weight.std().item() == pytest.approx(std, rel=0.1)
        assert abs(weight.mean().item()) == pytest.approx(abs(low + high) / 2, abs=0.2 * std)


def test_eigenvalues_are_drawn_evenly_from_the_ring():
    layer = made("LRU")
    area = torch.exp(-2 * layer.log_decay_l0.exp())
    low, high = 0.5**2, 0.999**2
    assert area.mean().item() == pytest.approx((low + high) / 2, rel=0.1)
    assert area.std().item() == pytest.approx((high - low) / 12**0.5, rel=0.1)
    turns = layer.log_phase_l0.exp() / (2 * torch.pi)
    assert turns.mean().item() == pytest.approx(0.5, rel=0.1)
    assert turns.std().item() == pytest.approx(1 / 12**0.5, rel=0.1)
    torch.testing.assert_close(torch.exp(2 * layer.log_scale_l0), 1 - area)


@pytest.mark.parametrize("name", ["MinGRU", "MinLSTM"])
def test_units_of_minimal_layers_keep_their_states_for_times_from_2_to_100(name):
    layer = made(name)
    *of_gates, of_candidate = layer.bias_l0.detach().chunk(layer.n_gates)
    assert of_candidate.abs().max() <= BY_INPUTS
    gates = [torch.sigmoid(bias) for bias in of_gates]
    kept = 1 - gates[0] if name == "MinGRU" else gates[0] / (gates[0] + gates[1])
    log_times = -torch.log(1 - kept)
    low, high = log(2), log(100)
    assert log_times.min() > low - 1e-5
    assert log_times.max() < high + 1e-5
    assert log_times.mean().item() == pytest.approx((low + high) / 2, rel=0.1)
    assert log_times.std().item() == pytest.approx((high - low) / 12**0.5, rel=0.1)


def test_upper_layers_of_minimal_ones_are_drawn_by_what_they_read():
    layer = lnn.MinGRU(N_INPUTS, N_UNITS, 2)
    assert layer.weight_ih_l1.abs().max() <= BY_UNITS
