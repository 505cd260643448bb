"""Time of a fit of AeLLE and of its predictions, by rows and columns.

python benchmarks/aelle.py
"""

import os
import platform
import time

import numpy as np
import torch

from lyapsk import AeLLERegressor

SIZES = ((30, 90), (240, 90), (1_000, 90), (10_000, 90), (100_000, 90), (10_000, 1_024))
TARGETS = {(240, 90): 3, (10_000, 1_024): 60}
"""Seconds on two cores."""


def spectra_and_targets(n_rows, n_columns):
    """Rows bent by three hidden numbers, and a curved target."""
    rng = np.random.default_rng(0)
    hidden = rng.uniform(-1, 1, size=(n_rows, 3))
    X = np.tanh(hidden @ rng.normal(size=(3, n_columns))) + rng.normal(size=(n_rows, n_columns))
    return X, np.sin(3 * hidden[:, 0]) + hidden[:, 1] ** 2


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main():
    print(
        f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, {os.cpu_count()} cores, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}\n"
    )
    print("| rows x columns | fit | predict, with spread |\n|---|---|---|")
    for size in SIZES:
        X, y = spectra_and_targets(*size)
        aelle = AeLLERegressor(random_state=0)
        fitting = seconds(lambda: aelle.fit(X, y))  # noqa: B023
        predicting = seconds(lambda: aelle.predict(X, return_std=True))  # noqa: B023
        target = f" (target {TARGETS[size]} s)" if size in TARGETS else ""
        print(
            f"| {size[0]:,} x {size[1]:,} | {fitting:.1f} s{target} | {predicting:.1f} s |",
            flush=True,
        )


if __name__ == "__main__":
    main()
