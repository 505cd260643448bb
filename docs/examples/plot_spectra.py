"""
Spectra before and after training
=================================

An Elman network, a GRU and an LSTM learn to read digits row by row. Untrained, all of them forget:
their exponents are well below zero, so that a change of the state dies within a few steps. Learning
lifts the largest exponents toward zero, where a change stays. Bands are one standard error over
eight sequences.

The LSTM has twice as many exponents, because its state has two parts, ``h`` and ``c``; relative
rank puts all on one axis.
"""

from copy import deepcopy

import matplotlib.pyplot as plt
import torch

from lyapsk import lyapunov_spectrum
from lyapsk.plotting import SpectrumDisplay
from lyapsk.tasks import digits_by_rows

task, kinds = digits_by_rows(), ["RNN", "GRU", "LSTM"]
torch.manual_seed(0)
before = [task.net(kind, hidden_size=32).initialize() for kind in kinds]
after = [deepcopy(net).partial_fit(task.X_train, task.y_train) for net in before]

figure, axes = plt.subplots(1, 2, figsize=(8, 3.6), sharey=True, layout="constrained")
for ax, nets, title in zip(axes, (before, after), ("Before", "After"), strict=True):
    spectra = [lyapunov_spectrum(net, task.X_valid[:8]) for net in nets]
    SpectrumDisplay.from_predictions(spectra, names=["Elman", "GRU", "LSTM"], ax=ax)
    ax.axhline(0, color="0.3", lw=0.8, ls=":")
    ax.set(title=f"{title} training", ylim=(-6, 0.5))
