"""
Flossing moves exponents
========================

:class:`~lyapsk.callbacks.GradientFlossing` changes the recurrent weights before training so that
the leading exponents come near a target, by default zero, where gradients neither die nor grow. It
goes back through the computation of the exponents themselves (R. Engelken, arXiv 2312.17306). Here
it moves ten of the 32 exponents of an Elman network, and leaves most of the others behind.
"""

import matplotlib.pyplot as plt
import torch

from lyapsk import lyapunov_spectrum
from lyapsk.callbacks import GradientFlossing
from lyapsk.plotting import SpectrumDisplay
from lyapsk.tasks import delayed_copy

torch.manual_seed(0)
task = delayed_copy(n_train=256, n_valid=64, delay=20)
flossing = GradientFlossing(n_exponents=10, n_before=50)
net = task.net(
    "RNN",
    hidden_size=32,
    max_epochs=1,
    learning_rate=1e-8,  # so that the epoch itself changes next to nothing
    callbacks=[flossing],
).initialize()

before = lyapunov_spectrum(net, task.X_valid[:8])
net.partial_fit(task.X_train, task.y_train)
after = lyapunov_spectrum(net, task.X_valid[:8])

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
left.plot(flossing.losses_)
left.set(title="What flossing minimises", yscale="log", xlabel="Updates of the weights")
left.set_ylabel("Mean squared distance\n(nats per step, squared)")
SpectrumDisplay.from_predictions([before, after], names=["before", "after"], ax=right)
right.axhline(0, color="0.3", lw=0.8, ls=":")
_ = right.set_title("Exponents, on other sequences")
