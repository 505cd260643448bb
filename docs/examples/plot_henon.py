"""
A map that is no network
========================

Any map can be followed, given as a function of torch operations. Hénon's is the classic test:
``x' = 1 - 1.4 x^2 + y``, ``y' = 0.3 x``. Its exponents are known to be 0.4192 and -1.6232 nats per
step, and their sum is exactly ``log 0.3``, because every step shrinks areas by that factor. The
figure shows how the mean growth settles, over eight trajectories.
"""

from math import log

import matplotlib.pyplot as plt
import numpy as np
import torch

from lyapsk import lyapunov_spectrum
from lyapsk.plotting import ConvergenceDisplay


def henon(state):
    x, y = state.unbind(-1)
    return torch.stack([1 - 1.4 * x**2 + y, 0.3 * x], dim=-1)


start = 0.1 * np.random.default_rng(0).random((8, 2))
spectrum = lyapunov_spectrum(henon, initial_state=start, n_steps=1500, warmup=100, keep="growth")
for found, error, known in zip(
    spectrum.exponents, spectrum.standard_error, (0.4192, -1.6232), strict=True
):
    print(f"{found:+.4f} ± {error:.4f}, known {known:+.4f}")
print(f"sum less log 0.3: {spectrum.exponents.sum() - log(0.3):.0e}")

figure, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
ConvergenceDisplay.from_predictions(spectrum, ax=ax)
_ = ax.set(title="Exponents of Hénon's map", xscale="log")
