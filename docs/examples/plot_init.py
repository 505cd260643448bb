"""
From forgetting to chaos
========================

The recurrent weights of an Elman network of 64 units are drawn uniformly between plus and minus a
half-width. Narrow weights make a network that forgets at once, wide ones a chaotic network, in
which every small change grows. In between, where the largest exponent crosses zero, changes last.

For a wide tanh network without inputs that point is known: a half-width of ``sqrt(3 / units)``
(dotted). Inputs and biases push the crossing to somewhat wider weights. Points are the means over
three seeds, with standard errors.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

from lyapsk import lyapunov_spectrum
from lyapsk.plotting import SpectrumDisplay
from lyapsk.tasks import digits_by_pixels

task, n_units = digits_by_pixels(), 64
widths = np.geomspace(0.05, 1.0, 9)


def exponents(width, seed):
    """Of an untrained network, along four digits read pixel by pixel."""
    torch.manual_seed(seed)
    net = task.net("RNN", hidden_size=n_units, half_width=width).initialize()
    return lyapunov_spectrum(net, task.X_valid[:4], warmup=10).exponents


spectra = np.array([[exponents(width, seed) for seed in range(3)] for width in widths])
largest = spectra[..., 0]

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
SpectrumDisplay.from_predictions(
    list(spectra[:, 0]),
    values=np.log2(widths),
    value_name="Half-width (log2)",
    ax=left,
)
left.set(title="One network for each width", ylim=(-6, 1))
right.errorbar(widths, largest.mean(1), largest.std(1, ddof=1) / 3**0.5, marker="o", capsize=3)
right.axhline(0, color="0.3", lw=0.8, ls=":")
right.axvline((3 / n_units) ** 0.5, color="0.3", lw=0.8, ls=":")
right.set(title="The edge of chaos", xscale="log", xlabel="Half-width of the recurrent weights")
right.set_xticks([0.05, 0.1, 0.2, 0.5, 1], ["0.05", "0.1", "0.2", "0.5", "1"], minor=False)
right.minorticks_off()
_ = right.set_ylabel("Largest exponent (nats per step)")
