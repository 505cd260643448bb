"""
Which layers remember?
======================

Exponents of all layers that ``lyapsk.tasks`` knows, torch's own and those of :mod:`lyapsk.nn`, of
32 units, untrained, along the same digits read pixel by pixel. Each mark is an exponent. At zero a
change of the state stays as it is, left of it it dies: by half in a step at -0.7.

Most layers that were made for long memory have all or many of their exponents near zero before they
have learned anything; LEM, which has gates, does not, and neither do torch's own. Those must get
there by learning. Of IndRNN's units some remember and others die: with relu, a unit that is silent
has an exponent of minus infinity, far out of the picture.
"""

import matplotlib.pyplot as plt
import torch

from lyapsk import lyapunov_spectrum, nn
from lyapsk.tasks import digits_by_pixels

task = digits_by_pixels()
kinds = ["RNN", "GRU", "LSTM", *(name for name in nn.__all__ if name != "RecurrentLayer")]
spectra = {}
for kind in kinds:
    torch.manual_seed(0)
    net = task.net(kind, hidden_size=32).initialize()
    spectra[kind] = lyapunov_spectrum(net, task.X_valid[:4], warmup=10).exponents

kinds.sort(key=lambda kind: spectra[kind].mean())
figure, ax = plt.subplots(figsize=(8, 4.4), layout="constrained")
for row, kind in enumerate(kinds):
    own = kind in ("RNN", "GRU", "LSTM")
    height, colour = [row] * len(spectra[kind]), "#D55E00" if own else "#0072B2"
    ax.plot(spectra[kind], height, "|", ms=13, c=colour, alpha=0.6)
ax.axvline(0, color="0.3", lw=0.8, ls=":")
ax.set_yticks(range(len(kinds)), ["Elman" if kind == "RNN" else kind for kind in kinds])
ax.set(xlim=(-4, 0.3), xlabel="Exponents (nats per step)")
_ = ax.set_title("Untrained layers: torch's own in orange, others in blue")
