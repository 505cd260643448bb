"""
The gradient turns toward growth
================================

:class:`~lyapsk.callbacks.AlignmentMonitor` records, as a network learns, how far the leading
directions of the loss gradient lie in the directions of the state that grow fastest.
:class:`~lyapsk.plotting.HistoryDisplay` draws what was recorded;
:class:`~lyapsk.plotting.GradientAlignmentDisplay` looks at the trained network step by step.
0 is chance, 1 is containment. :ref:`sphx_glr_gallery_plot_study_3_gradient.py` does this with
several networks and seeds.
"""

import matplotlib.pyplot as plt
import torch

from lyapsk.callbacks import AlignmentMonitor
from lyapsk.plotting import GradientAlignmentDisplay, HistoryDisplay
from lyapsk.tasks import digits_by_rows

task = digits_by_rows()
torch.manual_seed(0)
net = task.net("RNN", hidden_size=32, learning_rate=0.003, callbacks=[AlignmentMonitor()])
net.fit(task.X_train, task.y_train)

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
names = ["alignment_state", "alignment_adjoint"]
HistoryDisplay.from_estimator(net, names=names, ax=left)
left.set_title("Through training")
left.legend(["state side", "adjoint side"], loc=(0.4, 0.12), fontsize="small")
GradientAlignmentDisplay.from_estimator(net, task.X_valid[:64], task.y_valid[:64], ax=right)
_ = right.set_title("After training, state side")
