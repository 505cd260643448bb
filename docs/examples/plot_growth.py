"""
What makes a network's state grow
=================================

An exponent is a mean over steps. :class:`~lyapsk.plotting.GrowthDisplay` shows the steps
themselves: along one image, read pixel by pixel, changes of the state of a trained GRU shrink at
some pixels (blue) and grow at others (orange). The grey line is what the network reads. Growth is
smoothed over three steps.
"""

import matplotlib.pyplot as plt
import torch

from lyapsk.plotting import GrowthDisplay
from lyapsk.tasks import digits_by_pixels

task = digits_by_pixels()
torch.manual_seed(0)
net = task.net("GRU", hidden_size=32, max_epochs=6).fit(task.X_train, task.y_train)

figure, ax = plt.subplots(figsize=(8, 3.4), layout="constrained")
GrowthDisplay.from_estimator(net, task.X_valid[3], window=3, ax=ax)
_ = ax.set_title("Growth of the leading direction, one digit")
