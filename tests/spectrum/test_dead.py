"""Dead directions: as many as exact arithmetic finds."""

import numpy as np
import pytest
import torch
from torch import nn

from lyapsk import lyapunov_spectrum
from lyapsk.spectrum._elimination import Elimination

PRIME = 2**31 - 1
SHAPES = [(24, 1, 1.0), (16, 1, 3.0), (16, 2, 1.0), (12, 2, 0.3)]


def rectified(hidden, n_layers, gain, seed):
    """Layers of ReLU units, whose Jacobians are singular and whose products lose rank for long."""
    torch.manual_seed(seed)
    layer = nn.RNN(3, hidden, n_layers, nonlinearity="relu", batch_first=True).double()
    with torch.no_grad():
        for name, weight in layer.named_parameters():
            if "weight_hh" in name:
                nn.init.orthogonal_(weight).mul_(gain)
    return layer


def modular(weight):
    """What binary fractions are modulo a prime."""

    def entry(value):
        numerator, denominator = float(value).as_integer_ratio()
        return numerator * pow(denominator, -1, PRIME) % PRIME

    return np.vectorize(entry, otypes=[object])(weight.detach().numpy())


def rank(matrix):
    """By elimination modulo the prime."""
    matrix, found = matrix.copy(), 0
    for column in range(matrix.shape[1]):
        filled = np.flatnonzero(matrix[found:, column])
        if len(filled):
            matrix[[found, found + filled[0]]] = matrix[[found + filled[0], found]]
            matrix[found] = matrix[found] * pow(int(matrix[found, column]), -1, PRIME) % PRIME
            below = matrix[found + 1 :]
            below -= np.outer(below[:, column], matrix[found])
            below %= PRIME
            found += 1
    return found


def rank_of_product(layer, x, coupling):
    """Rank of the product of the Jacobians along a sequence, without rounding.

    It is that of the product modulo a prime, but for a chance of about one in the prime.
    """
    n_layers, hidden = layer.num_layers, layer.hidden_size
    outputs, product = [], []
    below = torch.tensor(x)
    start = np.eye(n_layers * hidden, dtype=int).astype(object)
    for index in range(n_layers):
        W, V = (modular(getattr(layer, f"weight_{way}_l{index}")) for way in ("hh", "ih"))
        one = nn.RNN(len(below[0]), hidden, nonlinearity="relu", batch_first=True).double()
        own = {n[:-1] + "0": p for n, p in layer.named_parameters() if n.endswith(f"l{index}")}
        one.load_state_dict(own)
        below = one(below[None])[0][0].detach()
        active = below.numpy() > 0
        pushed, own = [], start[index * hidden : (index + 1) * hidden]
        for step, on in enumerate(active):
            own = W @ own + (V @ outputs[step] if outputs and coupling == "full" else 0)
            own = np.where(on[:, None], own % PRIME, 0)
            pushed.append(own)
        outputs = pushed
        product.append(own)
    return rank(np.concatenate(product))


@pytest.mark.parametrize("coupling", ["full", "layers"])
@pytest.mark.parametrize("method", ["qr", "lu", "lu as on a GPU"])
@pytest.mark.parametrize("shape", SHAPES)
def test_dead_directions_are_those_of_exact_arithmetic(shape, method, coupling, monkeypatch):
    if method == "lu as on a GPU":
        monkeypatch.setattr(Elimination, "_reads_pivots", False)
    more = []
    for seed in range(4):
        layer, X = rectified(*shape, seed), np.random.default_rng(seed).normal(size=(2, 40, 3))
        spectrum = lyapunov_spectrum(layer, X, method=method[:2], coupling=coupling)
        alive = np.isfinite(spectrum.per_sequence).sum(1)
        more += [n - rank_of_product(layer, x, coupling) for n, x in zip(alive, X, strict=True)]
    if layer.num_layers == 1 or coupling == "layers":
        assert not any(more)
    else:
        # Some that die away over many steps, under rounding error, pass for alive.
        assert min(more) >= 0
        assert np.mean(more) <= 0.5
