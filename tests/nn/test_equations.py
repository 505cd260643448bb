"""Every layer against the equations of its paper, written out once more with numpy."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lyapsk import nn as lnn

NAMES = [name for name in lnn.__all__ if name != "RecurrentLayer"]
PHI = {"tanh": np.tanh, "relu": lambda v: np.maximum(v, 0), "identity": lambda v: v}


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


# One step each: (weights, state, input) -> (output, new state), a state being a list of its parts.


def antisymmetric(w, state, x, step_size=0.3, diffusion=0.1):
    (h,) = state
    M = w.weight_hh - w.weight_hh.T - diffusion * np.eye(len(h))
    h = h + step_size * np.tanh(M @ h + w.weight_ih @ x + w.bias)
    return h, [h]


def coupled_oscillatory(w, state, x, step_size=0.3, stiffness=1.0, damping=1.0):
    y, z = state
    of_y, of_z = np.split(w.weight_hh, 2, axis=1)
    drive = of_y @ y + of_z @ z + w.weight_ih @ x + w.bias
    z = z + step_size * (np.tanh(drive) - stiffness * y - damping * z)
    y = y + step_size * z
    return y, [y, z]


def orthogonal(w, state, x, nonlinearity="tanh"):
    h = PHI[nonlinearity](w.weight_hh @ state[0] + w.weight_ih @ x + w.bias)
    return h, [h]


def lipschitz(w, state, x, step_size=0.3, antisymmetric=0.75, shift=0.001):
    (h,) = state
    A, W = (
        (1 - antisymmetric) * (M + M.T) + antisymmetric * (M - M.T) - shift * np.eye(len(h))
        for M in (w.weight_linear, w.weight_hh)
    )
    h = h + step_size * (A @ h + np.tanh(W @ h + w.weight_ih @ x + w.bias))
    return h, [h]


def long_expressive_memory(w, state, x, step_size=1.0):
    y, z = state
    from_x = [V @ x for V in np.split(w.weight_ih, 4)]
    b1, b2, bz, by = np.split(w.bias, 4)
    W1, W2, Wz = np.split(w.weight_hh, 3)
    dt = step_size * sigmoid(W1 @ y + from_x[0] + b1)
    dt_bar = step_size * sigmoid(W2 @ y + from_x[1] + b2)
    z = (1 - dt) * z + dt * np.tanh(Wz @ y + from_x[2] + bz)
    y = (1 - dt_bar) * y + dt_bar * np.tanh(w.weight_zy @ z + from_x[3] + by)
    return y, [y, z]


def independent(w, state, x, nonlinearity="relu"):
    h = PHI[nonlinearity](w.weight_hh * state[0] + w.weight_ih @ x + w.bias)
    return h, [h]


def rate(w, state, x, step_size=0.3, gain=1.0):
    (h,) = state
    h = h + step_size * (-h + w.weight_hh @ np.tanh(h) + w.weight_ih @ x + w.bias)
    return h, [h]


def minimal_gru(w, state, x):
    z, candidate = np.split(w.weight_ih @ x + w.bias, 2)
    h = (1 - sigmoid(z)) * state[0] + sigmoid(z) * candidate
    return h, [h]


def minimal_lstm(w, state, x):
    f, i, candidate = np.split(w.weight_ih @ x + w.bias, 3)
    f, i = sigmoid(f), sigmoid(i)
    h = f / (f + i) * state[0] + i / (f + i) * candidate
    return h, [h]


def linear_recurrent_unit(w, state, x, radius=None):
    eigenvalue = np.exp(-np.exp(w.log_decay) + 1j * np.exp(w.log_phase))
    B, C = as_complex(w.weight_ih, axis=0), as_complex(w.weight_ho, axis=1).conj()
    s = eigenvalue * (state[0] + 1j * state[1]) + np.exp(w.log_scale) * (B @ x)
    return (C @ s).real + w.weight_io @ x + w.bias, [s.real, s.imag]


def as_complex(halves, axis):
    real, imaginary = np.split(halves, 2, axis)
    return real + 1j * imaginary


EULER = {"step_size": 0.17}
EQUATIONS = {
    "AntisymmetricRNN": (antisymmetric, [{}, EULER | {"diffusion": 0.6}]),
    "CoRNN": (coupled_oscillatory, [{}, EULER | {"stiffness": 1.4, "damping": 0.6}]),
    "OrthogonalRNN": (orthogonal, [{}, {"nonlinearity": "relu"}, {"nonlinearity": "identity"}]),
    "LipschitzRNN": (lipschitz, [{}, EULER | {"antisymmetric": 0.6, "shift": 0.3}]),
    "LEM": (long_expressive_memory, [{}, EULER]),
    "IndRNN": (independent, [{}, {"nonlinearity": "tanh"}, {"nonlinearity": "identity"}]),
    "RateRNN": (rate, [{}, EULER | {"gain": 2.0}]),
    "MinGRU": (minimal_gru, [{}]),
    "MinLSTM": (minimal_lstm, [{}]),
    "LRU": (linear_recurrent_unit, [{}, {"radius": (0.1, 0.2)}]),
}


def weights_of(layer, index):
    """Effective weights of one layer by name; biases that it lacks are zero."""
    named = [n.removeprefix("parametrizations.") for n, _ in layer.named_parameters()]
    names = [n.removesuffix(".original") for n in named if f"_l{index}" in n]
    weights = {n.removesuffix(f"_l{index}"): getattr(layer, n).detach().numpy() for n in names}
    n_biases = 1 if "weight_io" in weights else len(weights["weight_ih"]) // layer.hidden_size
    return SimpleNamespace(**{"bias": np.zeros(n_biases * layer.hidden_size)} | weights)


def followed(step, layer, sequence, state):
    """Outputs and last states along one sequence; states are (n_layers, n_parts, n)."""
    lasts = []
    for index, parts in enumerate(state):
        weights, outputs = weights_of(layer, index), []
        for x in sequence:
            output, parts = step(weights, parts, x)
            outputs.append(output)
        sequence = np.array(outputs)
        lasts.append(parts)
    return sequence, np.array(lasts)


def test_every_public_layer_is_in_the_table():
    assert sorted(EQUATIONS) == sorted(NAMES)


@pytest.mark.parametrize("bias", [True, False], ids=["biased", "unbiased"])
@pytest.mark.parametrize(
    ("name", "constants"), [(name, case) for name in NAMES for case in EQUATIONS[name][1]]
)
def test_forward_follows_the_equations(name, constants, bias):
    torch.manual_seed(0)
    layer = getattr(lnn, name)(3, 4, 2, bias=bias, dtype=torch.float64, **constants)
    with torch.no_grad():
        # Biases as drawn may be zero.
        for weight in layer.parameters():
            weight += 0.1 * torch.randn_like(weight)
    rng = np.random.default_rng(0)
    sequences, states = rng.normal(size=(6, 2, 3)), rng.normal(size=(layer.n_parts, 2, 2, 4))
    parts = tuple(map(torch.tensor, states))
    outputs, lasts = layer(torch.tensor(sequences), parts[0] if len(parts) == 1 else parts)
    lasts = torch.stack(lasts if isinstance(lasts, tuple) else (lasts,))
    step = EQUATIONS[name][0]
    for i in range(2):
        expected, last = followed(
            lambda *args: step(*args, **constants),
            layer,
            sequences[:, i],
            states[:, :, i].swapaxes(0, 1),
        )
        np.testing.assert_allclose(outputs[:, i].detach(), expected, rtol=0, atol=1e-13)
        np.testing.assert_allclose(
            lasts[:, :, i].transpose(0, 1).detach(), last, rtol=0, atol=1e-13
        )
