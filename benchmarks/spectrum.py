"""Speed of the spectrum engine, beside the textbook method and a measured floor.

    python benchmarks/spectrum.py [--quick]

The times of a row are taken in turns, so that a busy moment of the machine meets all of them, and
are medians; from 256 units on, the textbook's and the floor's are scaled up from 2 steps. The
textbook forms the dense Jacobian of every step and calls ``torch.linalg.qr`` on its product with
the frame. The floor is what no method without approximations can leave out at every step: the
products of the layer's weights with the frame, and one triangular factorisation.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from functools import partial
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
from lyapsk._cores import on_all_cores
from lyapsk.spectrum import initial_frame

KINDS = {"LSTM": nn.LSTM, "Elman": nn.RNN, "GRU": nn.GRU}
N_INPUTS, N_SEQUENCES, N_STEPS = 4, 8, 60
FEWEST_ROUNDS, MOST_ROUNDS, SECONDS = 3, 50, 4.0
CPU = {"dtype": torch.float64, "device": torch.device("cpu")}


def seconds(*functions):
    """Median times of calls in turns, after one of each to warm up."""
    for function in functions:
        function()
    rounds, began = [], time.perf_counter()
    while len(rounds) < MOST_ROUNDS:
        rounds.append([_one_call(function) for function in functions])
        spent = (time.perf_counter() - began) / len(functions)
        if spent > (SECONDS if len(rounds) >= FEWEST_ROUNDS else 4 * SECONDS):
            break
    return np.median(rounds, axis=0)


def _one_call(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


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


def floor(layer, n_steps, coupling="full"):
    """Take the products and factorisations that ``n_steps`` steps need, on all cores."""
    weight = layer.weight_hh_l0.detach().double()
    n = layer.hidden_size * (2 if isinstance(layer, nn.LSTM) else 1)
    n_frames, n_products, n = (
        (1, 2 * layer.num_layers - 1, layer.num_layers * n)
        if coupling == "full"
        else (layer.num_layers, 1, n)
    )
    frames = torch.randn(N_SEQUENCES, n, n, dtype=torch.float64)
    pushed = torch.randn(N_SEQUENCES, n, n, dtype=torch.float64)

    def one_step(index):
        for _ in range(n_frames):
            for _ in range(n_products):
                frames[index, :, : weight.shape[1]] @ weight.T
            torch.linalg.lu_factor_ex(pushed[index].mT)

    def all_steps(indices):
        for _ in range(n_steps):
            for index in indices:
                one_step(index)

    n_cores = torch.get_num_threads()
    shares = [range(core, N_SEQUENCES, n_cores) for core in range(n_cores)]
    return lambda: on_all_cores(all_steps, shares)


def layer_rows(quick):
    """Every layer and size against textbook and floor."""
    for name, kind in KINDS.items():
        for n_units in (32, 64, 128) if quick else (32, 64, 128, 256, 512):
            torch.manual_seed(0)
            layer = kind(N_INPUTS, n_units)
            X = sequences(N_SEQUENCES, N_STEPS)
            n_steps = N_STEPS if n_units <= 128 else 2
            own, book, least = seconds(
                partial(lyapunov_spectrum, layer, X, device="cpu"),
                partial(textbook, layer, X[:, :n_steps]),
                floor(layer, n_steps),
            ) * (1, N_STEPS / n_steps, N_STEPS / n_steps)
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
    full, few = seconds(
        *(partial(lyapunov_spectrum, layer, X, n_exponents=k, device="cpu") for k in (None, 5))
    )
    yield (
        f"5 leading exponents, LSTM, H = {n_units}",
        f"{few * 1e3:.0f} ms",
        f"{full / few:.0f} x the full spectrum (target 40 at H = 512)",
        "",
    )


def layers_rows(quick):
    """Stacked layers, each with its own frame, against one joint frame."""
    for n_units, n_steps in [(32, N_STEPS)] if quick else [(128, N_STEPS), (256, 20)]:
        layer = nn.LSTM(N_INPUTS, n_units, num_layers=3)
        X = sequences(N_SEQUENCES, n_steps)
        full, apart, full_floor, apart_floor = seconds(
            *(
                partial(lyapunov_spectrum, layer, X, coupling=coupling, device="cpu")
                for coupling in ("full", "layers")
            ),
            *(floor(layer, 2, coupling) for coupling in ("full", "layers")),
        )
        yield (
            f"3 stacked LSTM layers, H = {n_units}, {N_SEQUENCES} x {n_steps}",
            f"{apart * 1e3:.0f} ms",
            f'coupling="layers" {full / apart:.1f} x "full" (target 5)',
            f"the floors differ by {full_floor / apart_floor:.1f} x",
        )


def population_row(quick):
    """Many small networks as batches against one by one."""
    layers = [nn.GRU(N_INPUTS, 24) for _ in range(50 if quick else 200)]
    X = sequences(8, 64)
    transformer = LyapunovSpectrumTransformer(X, device="cpu").fit(layers)
    together, loop = seconds(
        lambda: transformer.spectra(layers),
        lambda: [lyapunov_spectrum(layer, X, device="cpu") for layer in layers],
    )
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
        times = seconds(
            *(partial(lyapunov_spectrum, net, X, device="cpu") for net in (torchs, own))
        )
        yield (
            f"Elman as a layer of one's own, H = {n_units}, {N_SEQUENCES} x {N_STEPS}",
            f"{times[1] * 1e3:.0f} ms",
            f"takes {times[1] / times[0]:.1f} x torch.nn.RNN's time",
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
    transformers = [
        LyapunovSpectrumTransformer(X, device=device).fit(layers) for device in ("cpu", "cuda")
    ]
    on_cpu, on_gpu = seconds(*(partial(t.spectra, layers) for t in transformers))
    yield (
        "200 GRUs of 24 units on a GPU",
        f"{on_gpu * 1e3:.0f} ms",
        f"{on_cpu / on_gpu:.1f} x its machine's CPU (target 30 x two cores)",
        "",
    )
    layer, X = nn.LSTM(N_INPUTS, 1024), sequences(8, 10)
    by_qr, fast = seconds(
        *(
            partial(lyapunov_spectrum, layer, X, method=method, device="cuda")
            for method in ("qr", "auto")
        )
    )
    yield (
        "LSTM, H = 1024, on a GPU",
        f"{fast * 1e3:.0f} ms",
        f"{by_qr / fast:.1f} x torch.linalg.qr on the same GPU (target 10)",
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
        layers_rows,
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
