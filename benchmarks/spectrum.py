"""Speed of the spectrum engine, beside the textbook method and a measured floor.

    python benchmarks/spectrum.py [--quick]

All ratios of a row are taken in one run on one machine, each time the median of several; from
256 units on, the textbook's time is scaled up from 2 steps. The textbook forms the dense Jacobian
of every step and calls ``torch.linalg.qr`` on its product with the frame. The floor is what no
method without approximations can leave out at every step: the products of the layer's weights with
the frame, and one triangular factorisation.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lyapsk import (
    LayerDynamics,
    LyapunovSpectrumTransformer,
    lyapunov_spectrum,
    register_layer,
)
from lyapsk.spectrum import initial_frame, on_all_cores

KINDS = {"LSTM": nn.LSTM, "Elman": nn.RNN, "GRU": nn.GRU}
N_INPUTS, N_SEQUENCES, N_STEPS = 4, 8, 60
CPU = {"dtype": torch.float64, "device": torch.device("cpu")}


def seconds(function, *, at_least=3, budget=4.0):
    """Median time of a call, after one to warm up."""
    function()
    times = []
    while len(times) < at_least or (sum(times) < budget and len(times) < 50):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
        if sum(times) > 4 * budget:
            break
    return float(np.median(times))


def sequences(n_sequences, n_steps, seed=0):
    return np.random.default_rng(seed).normal(size=(n_sequences, n_steps, N_INPUTS))


def dense_step(layer, state, x):
    """One step of a single layer and its dense Jacobian, by its gates' formulas."""
    W, V = layer.weight_hh_l0.detach().double(), layer.weight_ih_l0.detach().double()
    b, c = layer.bias_hh_l0.detach().double(), layer.bias_ih_l0.detach().double()
    n = W.shape[1]
    from_h, from_x = state[:, :n] @ W.T + b, x @ V.T + c
    if isinstance(layer, nn.RNN):
        h = torch.tanh(from_h + from_x)
        return h, (1 - h * h)[:, :, None] * W
    if isinstance(layer, nn.GRU):
        r, z = torch.sigmoid((from_h + from_x)[:, : 2 * n]).chunk(2, -1)
        g = torch.tanh(from_x[:, 2 * n :] + r * from_h[:, 2 * n :])
        slope = (1 - z) * (1 - g * g)
        J = (slope * from_h[:, 2 * n :] * r * (1 - r))[:, :, None] * W[:n]
        J += ((state - g) * z * (1 - z))[:, :, None] * W[n : 2 * n]
        J += (slope * r)[:, :, None] * W[2 * n :] + torch.diag_embed(z)
        return g + z * (state - g), J
    i, f, g, o = (from_h + from_x).chunk(4, -1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    old = state[:, n:]
    cell = f * old + i * g
    t = cell.tanh()
    J = torch.empty(len(x), 2 * n, 2 * n, dtype=torch.float64)
    J[:, n:, :n] = (g * i * (1 - i))[:, :, None] * W[:n]
    J[:, n:, :n] += (old * f * (1 - f))[:, :, None] * W[n : 2 * n]
    J[:, n:, :n] += (i * (1 - g * g))[:, :, None] * W[2 * n : 3 * n]
    J[:, n:, n:] = torch.diag_embed(f)
    slope = (o * (1 - t * t))[:, :, None]
    J[:, :n] = slope * J[:, n:]
    J[:, :n, :n] += (t * o * (1 - o))[:, :, None] * W[3 * n :]
    return torch.cat([o * t, cell], -1), J


def textbook(layer, X):
    """Dense Jacobians and QR at every step, all sequences as one batch; returns exponents."""
    n = layer.hidden_size * (2 if isinstance(layer, nn.LSTM) else 1)
    state = torch.zeros(len(X), n, dtype=torch.float64)
    Q = initial_frame(n, n, seed=0, **CPU).mT.expand(len(X), n, n)
    total = 0
    for x in torch.as_tensor(X).unbind(1):
        state, J = dense_step(layer, state, x)
        Q, R = torch.linalg.qr(J @ Q)
        total = total + R.diagonal(dim1=-2, dim2=-1).abs().log()
    return (total / X.shape[1]).mean(0).sort(descending=True).values.numpy()


def floor_seconds(layer, n_steps):
    """Time of the products and factorisations that ``n_steps`` steps need, on all cores."""
    weight = layer.weight_hh_l0.detach().double()
    n = layer.hidden_size * (2 if isinstance(layer, nn.LSTM) else 1)
    frames = torch.randn(N_SEQUENCES, n, n, dtype=torch.float64)
    pushed = torch.randn(N_SEQUENCES, n, n, dtype=torch.float64)

    def one_step(index):
        frames[index, :, : weight.shape[1]] @ weight.T
        torch.linalg.lu_factor_ex(pushed[index].mT)

    def some_steps(indices):
        for _ in range(5):
            for index in indices:
                one_step(index)

    n_cores = torch.get_num_threads()
    shares = [range(core, N_SEQUENCES, n_cores) for core in range(n_cores)]
    return seconds(lambda: on_all_cores(some_steps, shares)) / 5 * n_steps


def layer_rows(quick):
    """Every layer and size against textbook and floor."""
    for name, kind in KINDS.items():
        for n_units in (32, 64, 128) if quick else (32, 64, 128, 256, 512):
            torch.manual_seed(0)
            layer = kind(N_INPUTS, n_units)
            X = sequences(N_SEQUENCES, N_STEPS)
            own = seconds(lambda: lyapunov_spectrum(layer, X, device="cpu"))  # noqa: B023
            n_steps = N_STEPS if n_units <= 128 else 2
            book = seconds(lambda: textbook(layer, X[:, :n_steps])) * N_STEPS / n_steps  # noqa: B023
            least = floor_seconds(layer, N_STEPS)
            check_agreement(layer, X[:, :20])
            target = 3.0 if n_units <= 64 else 2.3
            yield (
                f"{name}, H = {n_units}, {N_SEQUENCES} x {N_STEPS}",
                f"{own * 1e3:.0f} ms",
                f"{book / own:.1f} x textbook (target {target:g})",
                f"{own / least:.2f} x floor" + (" (target 1.4)" if n_units >= 128 else ""),
            )


def check_agreement(layer, X):
    """What is timed is the same number."""
    expected = textbook(layer, X)
    found = lyapunov_spectrum(layer, X, device="cpu").exponents
    live = expected > -20
    assert np.abs(found - expected)[live].max() < 1e-6, "the textbook and lyapsk disagree"


def leading_row(quick):
    """A few exponents against all of them."""
    n_units = 128 if quick else 512
    layer = nn.LSTM(N_INPUTS, n_units)
    X = sequences(N_SEQUENCES, 20)
    full = seconds(lambda: lyapunov_spectrum(layer, X, device="cpu"))
    few = seconds(lambda: lyapunov_spectrum(layer, X, n_exponents=5, device="cpu"))
    yield (
        f"5 leading exponents, LSTM, H = {n_units}",
        f"{few * 1e3:.0f} ms",
        f"{full / few:.0f} x the full spectrum (target 40 at H = 512)",
        "",
    )


def layers_row(quick):
    """Stacked layers, each with its own frame, against one joint frame."""
    layer = nn.LSTM(N_INPUTS, 32 if quick else 128, num_layers=3)
    X = sequences(N_SEQUENCES, N_STEPS)
    both = [
        seconds(lambda c=coupling: lyapunov_spectrum(layer, X, coupling=c, device="cpu"))
        for coupling in ("full", "layers")
    ]
    yield (
        f"3 stacked LSTM layers, H = {layer.hidden_size}",
        f"{both[1] * 1e3:.0f} ms",
        f'coupling="layers" {both[0] / both[1]:.1f} x "full" (target 5)',
        "",
    )


def population_row(quick):
    """Many small networks as batches against one by one."""
    layers = [nn.GRU(N_INPUTS, 24) for _ in range(50 if quick else 200)]
    X = sequences(8, 64)
    transformer = LyapunovSpectrumTransformer(X, device="cpu").fit(layers)
    together = seconds(lambda: transformer.spectra(layers))
    loop = seconds(lambda: [lyapunov_spectrum(layer, X, device="cpu") for layer in layers])
    yield (
        f"{len(layers)} GRUs of 24 units, 8 x 64",
        f"{together * 1e3:.0f} ms",
        f"{loop / together:.1f} x a loop over networks (target 4)",
        "",
    )


class OwnElman(nn.RNN):
    """An Elman layer that lyapsk knows by its step alone."""


class OwnDynamics(LayerDynamics):
    """Without a push of its own: derivatives by automatic differentiation."""

    def start(self, layer):
        return torch.zeros(layer.hidden_size)

    def step(self, layer, state, x):
        from_input = layer.weight_ih_l0 @ x + layer.bias_ih_l0
        return torch.tanh(from_input + layer.weight_hh_l0 @ state + layer.bias_hh_l0)


def own_layer_rows(quick):
    """A registered layer against torch's with the same weights."""
    register_layer(OwnElman, OwnDynamics)
    X = sequences(N_SEQUENCES, N_STEPS)
    for n_units in (32, 64) if quick else (16, 32, 64, 128, 256):
        own = OwnElman(N_INPUTS, n_units, batch_first=True)
        torchs = nn.RNN(N_INPUTS, n_units, batch_first=True)
        torchs.load_state_dict(own.state_dict())
        both = [
            seconds(lambda n=net: lyapunov_spectrum(n, X, device="cpu")) for net in (torchs, own)
        ]
        yield (
            f"Elman as a layer of one's own, H = {n_units}, {N_SEQUENCES} x {N_STEPS}",
            f"{both[1] * 1e3:.0f} ms",
            f"takes {both[1] / both[0]:.1f} x torch.nn.RNN's time",
            "",
        )


def precision_row(quick):
    """Single precision against double."""
    errors, n_units = [], 32 if quick else 128
    for kind in KINDS.values():
        torch.manual_seed(0)
        layer, X = kind(N_INPUTS, n_units), sequences(N_SEQUENCES, N_STEPS)
        single, double = (
            lyapunov_spectrum(layer, X, dtype=dtype, device="cpu").exponents
            for dtype in ("float32", "float64")
        )
        errors.append(np.abs(single - double).max())
    least, most = min(errors), max(errors)
    yield (
        f"float32, H = {n_units}",
        "",
        f"largest error {least:.0e} to {most:.0e} nats per step",
        "",
    )


def memory_row(quick):
    """Peak memory of a process against the number of steps, where the system tells it."""
    if not Path("/proc/self/status").exists():
        return
    script = (
        "import re, numpy, torch\nfrom lyapsk import lyapunov_spectrum\n"
        "X = numpy.zeros((8, {n_steps}, 4)) + 0.1\n"
        "lyapunov_spectrum(torch.nn.LSTM(4, 64), X, device='cpu')\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    steps = (30, 300)
    peaks = [
        int(subprocess.check_output([sys.executable, "-c", script.format(n_steps=n)]))
        for n in steps
    ]
    yield (
        f"peak memory, LSTM, H = 64, {steps[0]} and {steps[1]} steps",
        f"{peaks[1] / 1024:.0f} MiB",
        f"{peaks[1] / peaks[0]:.2f} x the peak (target 1.1)",
        "",
    )


def gpu_rows(quick):
    """The same population and a wide layer, on a GPU where there is one."""
    if not torch.cuda.is_available():
        return
    layers = [nn.GRU(N_INPUTS, 24) for _ in range(200)]
    X = sequences(8, 64)
    times = {}
    for device in ("cpu", "cuda"):
        transformer = LyapunovSpectrumTransformer(X, device=device).fit(layers)
        times[device] = seconds(lambda t=transformer: t.spectra(layers))
    yield (
        "200 GRUs of 24 units on a GPU",
        f"{times['cuda'] * 1e3:.0f} ms",
        f"{times['cpu'] / times['cuda']:.1f} x its machine's CPU (target 30 x two cores)",
        "",
    )
    layer, X = nn.LSTM(N_INPUTS, 1024), sequences(8, 10)
    methods = [
        seconds(lambda m=method: lyapunov_spectrum(layer, X, method=m, device="cuda"))
        for method in ("qr", "auto")
    ]
    yield (
        "LSTM, H = 1024, on a GPU",
        f"{methods[1] * 1e3:.0f} ms",
        f"{methods[0] / methods[1]:.1f} x torch.linalg.qr on the same GPU (target 10)",
        "",
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes only, about a minute")
    quick = parser.parse_args().quick
    print(
        f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, {os.cpu_count()} cores, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}\n"
    )
    print("| case | time | speed | beside the floor |\n|---|---|---|---|")
    for rows in (
        layer_rows,
        leading_row,
        layers_row,
        population_row,
        own_layer_rows,
        precision_row,
        memory_row,
        gpu_rows,
    ):
        for row in rows(quick):
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
