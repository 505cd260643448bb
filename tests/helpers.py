"""Layers, nets and independent computations that the tests share."""

from functools import partial

import numpy as np
import torch
from skorch import NeuralNetClassifier
from torch import nn
from torch.func import jacrev

from lyapsk import nn as lnn
from lyapsk.tangent import state_from_torch

LAYERS = {
    "tanh": lambda: nn.RNN(3, 6),
    "relu": lambda: nn.RNN(3, 6, nonlinearity="relu"),
    "tanh-stacked": lambda: nn.RNN(3, 4, num_layers=2, batch_first=True),
    "tanh-unbiased": lambda: nn.RNN(3, 6, bias=False),
    "gru": lambda: nn.GRU(3, 5, batch_first=True),
    "gru-stacked": lambda: nn.GRU(3, 4, num_layers=3, dropout=0.5),
    "gru-unbiased": lambda: nn.GRU(3, 5, bias=False),
    "lstm": lambda: nn.LSTM(3, 4),
    "lstm-stacked": lambda: nn.LSTM(3, 3, num_layers=2, batch_first=True),
    "lstm-unbiased": lambda: nn.LSTM(3, 4, bias=False),
    "lstm-projected": lambda: nn.LSTM(3, 5, num_layers=2, proj_size=2),
    **{
        f"{name}{end}": partial(getattr(lnn, name), 3, n_units, **kwargs)
        for name in lnn.__all__
        if name != "RecurrentLayer"
        for end, n_units, kwargs in (
            ("", 4, {"batch_first": True}),
            ("-stacked-unbiased", 3, {"num_layers": 2, "bias": False}),
        )
    },
    "IndRNN": lambda: lnn.IndRNN(3, 4, nonlinearity="tanh"),
    "IndRNN-stacked-unbiased": lambda: lnn.IndRNN(3, 3, 2, bias=False, nonlinearity="tanh"),
}


def make_layer(name, *, gain=1.0, seed=0):
    """A layer of the table in float64 and eval mode; ``gain`` multiplies its weights."""
    torch.manual_seed(seed)
    layer = LAYERS[name]().double().eval()
    with torch.no_grad():
        for weight in layer.parameters():
            weight *= gain
    return layer


def hx_of(layer, state):
    """What torch calls ``hx``, for one sequence, from its full state (n,)."""
    n_units = layer.hidden_size
    n_parts = 2 if isinstance(layer, nn.LSTM) else getattr(layer, "n_parts", 1)
    sizes = [getattr(layer, "proj_size", 0) or n_units, *[n_units] * (n_parts - 1)]
    blocks = state.split(sizes * layer.num_layers)
    parts = tuple(torch.stack(blocks[i::n_parts]).unsqueeze(1) for i in range(n_parts))
    return parts[0] if n_parts == 1 else parts


def torch_step(layer, state, x):
    """One step of the full state, by torch's own forward: states (n,), inputs (n_inputs,)."""
    _, hx = layer(x[None, None], hx_of(layer, state))
    return state_from_torch(hx)[0]


def dense_jacobians(layer, inputs, state):
    """Jacobians along one sequence (n_steps, n_inputs), by automatic differentiation."""
    jacobians = []
    for x in inputs:
        jacobians.append(jacrev(lambda s, x=x: torch_step(layer, s, x))(state).detach())
        state = torch_step(layer, state, x).detach()
    return torch.stack(jacobians)


def growth_of(jacobians, frame):
    """Textbook iteration with numpy: ``log abs diag R_t``, (n_steps, k), from frame (n, k)."""
    Q, growth = np.asarray(frame), []
    for J in np.asarray(jacobians):
        Q, R = np.linalg.qr(J @ Q)
        with np.errstate(divide="ignore"):
            growth.append(np.log(np.abs(np.diag(R))))
    return np.array(growth)


class Reader(nn.Module):
    """Embedding, dropout and a recurrent layer: what users' modules look like."""

    def __init__(self, kind=nn.GRU, n_units=5, n_tokens=7, n_classes=3):
        super().__init__()
        self.embedding = nn.Embedding(n_tokens, 4)
        self.dropout = nn.Dropout(0.5)
        self.recurrent = kind(4, n_units, batch_first=True)
        self.readout = nn.Linear(n_units, n_classes)

    def forward(self, tokens):
        outputs, _ = self.recurrent(self.dropout(self.embedding(tokens)))
        return self.readout(outputs[:, -1])


def make_net(kind=nn.GRU, n_units=5, seed=0, **kwargs):
    """An initialised skorch classifier over token sequences."""
    torch.manual_seed(seed)
    net = NeuralNetClassifier(
        Reader,
        module__kind=kind,
        module__n_units=n_units,
        criterion=nn.CrossEntropyLoss,
        **{"max_epochs": 1, "verbose": 0, **kwargs},
    )
    return net.initialize()


def tokens(n_sequences=4, n_steps=12, seed=0):
    """Token sequences (n_sequences, n_steps) for ``Reader``."""
    return np.random.default_rng(seed).integers(0, 7, (n_sequences, n_steps))


def one_step(dynamics, state, x):
    """The state after one step, and a function that pushes tangents through it."""
    states, push = dynamics.linearize(state, x[None])

    def pushed(tangents):
        out = torch.full(tangents.shape, torch.nan, dtype=tangents.dtype)
        push(0, tangents, out)
        return out

    return states[0], pushed


class Hostile:
    """Unpickled, it writes a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")
