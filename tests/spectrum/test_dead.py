"""Dead directions: as many as exact arithmetic finds."""

import numpy as np
import pytest
import torch
from torch import nn

from lyapsk import lyapunov_spectrum
from lyapsk.nn import IndRNN
from lyapsk.spectrum._elimination import Elimination

PRIME = 2**31 - 1
RNG = np.random.default_rng(0)
SHAPES = [(16, 2, 1.0), (24, 1, 1.0), (16, 2, 1.5), (12, 2, 0.3)]


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


def rank_of_product(layer, x):
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
            own = W @ own + (V @ outputs[step] if outputs else 0)
            own = np.where(on[:, None], own % PRIME, 0)
            pushed.append(own)
        outputs = pushed
        product.append(own)
    return rank(np.concatenate(product))


@pytest.mark.parametrize("shape", SHAPES)
def test_no_direction_is_alive_that_exact_arithmetic_finds_dead(shape, monkeypatch):
    found, expected = {"qr": [], "lu": [], "lu as on a GPU": []}, []
    for seed in range(4):
        layer, X = rectified(*shape, seed), RNG.normal(size=(2, 40, 3))
        expected += [rank_of_product(layer, x) for x in X]
        for case, counts in found.items():
            with monkeypatch.context() as patched:
                patched.setattr(Elimination, "_reads_pivots", case == "lu")
                spectrum = lyapunov_spectrum(layer, X, method=case[:2])
            counts += np.isfinite(spectrum.per_sequence).sum(1).tolist()
    for counts in found.values():
        less = np.array(expected) - counts
        assert (less >= 0).all()
        # Where the last direction dies away under rounding error, it is taken for dead.
        assert less.sum() <= 1


@pytest.mark.parametrize("method", ["qr", "lu"])
def test_a_rank_that_falls_when_directions_have_long_been_dead_is_seen(method):
    mixing = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(0)).double())
    mixing = mixing.Q

    def step(state, x):
        return mixing @ (x * (mixing.mT @ state))

    factors = np.full((1, 40, 4), [1.0, 0.9, 0.4, 0.8])
    factors[:, 2, 3] = 0
    factors[:, 20, 2] = 0
    found = lyapunov_spectrum(step, factors, initial_state=np.ones((1, 4)), method=method)
    np.testing.assert_allclose(found.exponents[:2].sum(), np.log(0.9), atol=0.1)
    assert np.isneginf(found.exponents).tolist() == [False, False, True, True]


@pytest.mark.parametrize("method", ["qr", "lu", "auto"])
def test_what_died_is_dead_at_every_later_step_and_in_every_later_block(method):
    torch.manual_seed(0)
    layer = IndRNN(3, 6, batch_first=True)
    with torch.no_grad():
        layer.bias_l0[:3] = 10
    keep = () if method == "lu" else ("growth",)
    spectrum = lyapunov_spectrum(layer, RNG.normal(size=(1, 200, 3)), method=method, keep=keep)
    dead = np.isneginf(spectrum.exponents)
    assert dead.tolist() == [False] * 3 + [True] * 3
    assert spectrum.standard_error[:3].max() < 1
    if keep:
        gone = np.isneginf(spectrum.growth[0])
        assert (np.diff(gone.astype(int), axis=0) >= 0).all()
        assert (gone[-1] == dead).all()


def test_directions_that_died_in_the_warmup_may_live_after_it():
    factors = np.full((1, 50, 2), [1.0, 0.9])
    factors[:, 3, 1] = 0
    for method in ("qr", "lu"):
        found = lyapunov_spectrum(
            lambda state, x: x * state,
            factors,
            initial_state=np.ones((1, 2)),
            warmup=10,
            method=method,
        )
        np.testing.assert_allclose(found.exponents, [0, np.log(0.9)], atol=1e-2)
