"""What comparison.py measures: errors and speed of lyapsk, published formulas and packages.

Each function returns rows by name, the columns to show, and what the table says, as text.
"""

import time
from functools import cache

import numpy as np
import torch
from comparison_features import HENON, driven_layer
from comparison_lyapsk import Lyapsk
from comparison_rivals import Lyapynov, Pynamicalsys, series_estimators
from spectrum import KINDS, dense_step, textbook
from torch import nn

from lyapsk import lyapunov_spectrum
from lyapsk.spectrum import initial_frame

CPU = {"dtype": torch.float64, "device": torch.device("cpu")}

ABOUT_PUBLISHED = """\
Leading exponent, in nats per step, of torch's default layers of 32 units along 4 random sequences
of {n_steps} steps. The truth has the Jacobians of the full state by autograd, and a QR
decomposition at every step; lyapsk's error is the largest of all exponents. "As published" has the
formula of [the code](https://github.com/shlizee/LyapunovAutoEncode) of arXiv 2006.14123 and
2204.04876, written anew: the Jacobian of `h` alone, the cell left out, and transposed; that code
gives bits per step. For Elman and GRU transposing changes little, and less the longer the
sequences. The time is that of the textbook method of `benchmarks/spectrum.py`, which forms the
Jacobians of the full state, beside lyapsk's."""

ABOUT_HENON = """\
The Henon map, {n_steps:,} steps, both exponents. The speed is in steps per second, beside lyapsk's;
that of 100 trajectories counts the steps of all. Of pynamicalsys the method for two dimensions is
taken. The error is that of the leading exponent from {leading}, most of it because the steps are so
few; the sum is log 0.3. The seconds in which numba compiles are left out."""

ABOUT_ELMAN = """\
Time beside lyapsk's for all exponents of default Elman networks along {n_steps} steps of data; the
50 networks along 2 sequences. The other packages are given the step and its Jacobian, and take one
sequence and one network at a time. The textbook forms the Jacobians of all sequences at once. The
error is the largest of the 64 exponents beside QR at every step from another frame, {warmup} steps
ahead: of the packages only lyapsk lets its frame settle in these steps, not the state alone.
The seconds in which numba compiles are left out."""

ABOUT_SERIES = """\
Leading exponent, in nats per step, from a series of {n_steps:,} numbers alone, with the estimators'
own settings. From the equations it is the known one of the Henon map, and lyapsk's of the networks,
which have 64 units."""


@cache
def rival(kind):
    """A package, imported and compiled once."""
    return kind()


def installed(kinds):
    return {kind.name: rival(kind) for kind in kinds if not isinstance(rival(kind).package, str)}


def ratios(functions, repeats):
    """Median seconds of each function over those of the first, in turns, after one to warm up."""
    taken = {name: [] for name in functions}
    for turn in range(repeats + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if turn:
                taken[name].append(time.perf_counter() - start)
    medians = {name: float(np.median(seconds)) for name, seconds in taken.items()}
    return {name: median / next(iter(medians.values())) for name, median in medians.items()}


def times(ratio):
    return f"{ratio:.2g} x" if ratio < 10 else f"{ratio:,.0f} x"


def exponents(jacobians, warmup=0, seed=0):
    """Of a sequence of Jacobians (n_sequences, n, n), by QR at every step; seed 0 as in lyapsk."""
    total = 0
    for t, J in enumerate(jacobians):
        if t == 0:
            Q = initial_frame(J.shape[-1], J.shape[-1], seed=seed, **CPU).mT
        Q, R = torch.linalg.qr(J @ Q)
        if t >= warmup:
            total = total + R.diagonal(dim1=-2, dim2=-1).abs().log()
    return (total / (t + 1 - warmup)).mean(0).sort(descending=True).values.numpy()


def formula_jacobians(layer, X):
    """Of the full state, by the gates' formulas."""
    n = layer.hidden_size * (2 if isinstance(layer, nn.LSTM) else 1)
    state = torch.zeros(len(X), n, dtype=torch.float64)
    for x in torch.as_tensor(X).unbind(1):
        state, J = dense_step(layer, state, x)
        yield J


def published_jacobians(layer, X):
    """Of ``h`` with respect to ``h`` alone, to be multiplied transposed."""
    n = layer.hidden_size
    return (J[:, :n, :n].mT for J in formula_jacobians(layer, X))


def autograd_jacobians(layer, X):
    """Of torch's own layer with respect to its full state."""
    layer, n = layer.double(), layer.hidden_size
    n_parts = 2 if isinstance(layer, nn.LSTM) else 1

    def step(x, state):
        parts = tuple(state.reshape(n_parts, 1, 1, n).unbind(0))
        after = layer(x[None, None], parts if n_parts == 2 else parts[0])[1]
        return torch.cat(after if n_parts == 2 else (after,), -1).flatten()

    states = torch.zeros(len(X), n_parts * n, dtype=torch.float64)
    for inputs in torch.as_tensor(X).unbind(1):
        pairs = list(zip(inputs, states, strict=True))
        yield torch.stack(
            [torch.autograd.functional.jacobian(lambda s, x=x: step(x, s), s) for x, s in pairs]
        )
        states = torch.stack([step(x, s) for x, s in pairs]).detach()


def published(quick):
    """The formula of the published code, and lyapsk, against autograd."""
    n_steps, rows = (40 if quick else 200), {}
    for name, kind in KINDS.items():
        case = driven_layer(32, 4, n_steps, kind=kind)
        runs = {
            "lyapsk": lambda case=case: lyapunov_spectrum(*case, device="cpu").exponents,
            "textbook": lambda case=case: textbook(*case),
        }
        theirs = exponents(published_jacobians(*case))
        own, truth = runs["lyapsk"](), exponents(autograd_jacobians(*case))
        rows[name] = {
            "autograd": f"{truth[0]:.3f}",
            "lyapsk's error": f"{np.abs(own - truth).max():.0e}",
            "as published": f"{theirs[0]:.3f}",
            "exponents, as published": f"{len(own)}, {len(theirs)}",
            "textbook's time": times(ratios(runs, 3 if quick else 7)["textbook"]),
        }
    return rows, list(rows["LSTM"]), ABOUT_PUBLISHED.format(n_steps=n_steps)


def henon(quick):
    """The Henon map: speed and errors."""
    n_steps, n_many = (500 if quick else 3000), 100
    own, many = rival(Lyapsk), f"lyapsk, {n_many} trajectories"
    runs = {"lyapsk": lambda: own.henon(n_steps), many: lambda: own.henon(n_steps, n_many)}
    for name, other in installed((Pynamicalsys, Lyapynov)).items():
        runs[name] = lambda other=other: other.henon(n_steps)
    speeds = {name: 1 / taken for name, taken in ratios(runs, 2 if quick else 5).items()}
    speeds[many] *= n_many
    rows = {}
    for name, run in runs.items():
        found = run()
        rows[name] = {
            "speed": times(speeds[name]),
            "error": f"{abs(found[0] - HENON[0]):.4f}",
            "error of the sum": f"{abs(found.sum() - HENON[1]):.0e}",
        }
    return rows, list(rows["lyapsk"]), ABOUT_HENON.format(n_steps=n_steps, leading=HENON[0])


def elman(quick):
    """Driven Elman networks, of which the others are given the step and its Jacobian."""
    n_steps, warmup = (60, 20) if quick else (500, 200)
    cases = {
        "16 units": (16, 1, 1),
        "64 units": (64, 1, 1),
        "64 units, 8 sequences": (64, 1, 8),
        "50 networks of 16": (16, 50, 2),
    }
    packages = installed((Lyapsk, Pynamicalsys, Lyapynov))
    runs = {name: package.elman for name, package in packages.items()}
    runs["textbook"] = lambda layers, X: [textbook(layer, X) for layer in layers]
    rows = {name: {} for name in runs}
    for case, (n_units, n_networks, n_sequences) in cases.items():
        _, X = driven_layer(n_units, n_sequences, n_steps)
        layers = [driven_layer(n_units, 1, 1, seed)[0] for seed in range(n_networks)]
        timed = {name: lambda run=run, on=(layers, X): run(*on) for name, run in runs.items()}
        for name, ratio in ratios(timed, 2 if quick else 5).items():
            rows[name][case] = times(ratio)
    layer, X = driven_layer(64, 1, warmup + n_steps)
    truth = exponents(formula_jacobians(layer, X), warmup, seed=1)
    for name, package in packages.items():
        (found,) = package.elman([layer], X, warmup)
        rows[name]["error"] = f"{np.abs(found - truth).max():.0e}"
    return rows, [*cases, "error"], ABOUT_ELMAN.format(n_steps=n_steps, warmup=warmup)


def series(quick):
    """Estimators that see nothing but a series of numbers."""
    n_steps = 400 if quick else 2000
    systems = {"Henon map, x": (HENON[0], henon_series(n_steps))} | network_series(n_steps)
    rows = {"from the equations": {name: f"{truth:.2f}" for name, (truth, _) in systems.items()}}
    for name, estimate in series_estimators().items():
        rows[name] = {system: f"{estimate(x):.2f}" for system, (_, x) in systems.items()}
    return rows, list(systems), ABOUT_SERIES.format(n_steps=n_steps)


def henon_series(n_steps, n_before=200):
    x, y, seen = 0.1, 0.1, []
    for _ in range(n_before + n_steps):
        x, y = 1 - 1.4 * x * x + y, 0.3 * x
        seen.append(x)
    return np.array(seen[n_before:])


def network_series(n_steps, n_before=200):
    """Leading exponent, and one unit's states, of a chaotic network and of one that is driven."""
    driven, X = driven_layer(64, 1, n_before + n_steps)
    chaotic = nn.RNN(1, 64, bias=False, batch_first=True)
    nn.init.normal_(chaotic.weight_hh_l0, std=3 / 64**0.5)
    start = torch.randn(1, 1, 64, **CPU)
    found = {}
    for name, layer, inputs in (
        ("chaotic network, one unit", chaotic.double(), np.zeros((*X.shape[:2], 1))),
        ("driven network, one unit", driven.double(), X),
    ):
        spectrum = lyapunov_spectrum(
            layer, inputs, initial_state=start.flatten(), warmup=n_before, n_exponents=1
        )
        with torch.no_grad():
            states, _ = layer(torch.as_tensor(inputs), start)
        found[name] = spectrum.exponents[0], states[0, n_before:, 0].numpy()
    return found
