"""
What a better spectrum would look like
======================================

An AeLLE is fitted to the spectra of thirty untrained networks and to their losses after training.
From the code of a network that came out badly it then walks toward codes of better ones, and
decodes them (:meth:`AeLLERegressor.improve <lyapsk.AeLLERegressor.improve>`). The dashes are the
spectrum as it is.

This is a statement about networks like those seen in the fit, not a recipe: nobody promises that a
network which is made to have such a spectrum will do as well.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.pipeline import make_pipeline

from lyapsk import AeLLERegressor, LyapunovSpectrumTransformer
from lyapsk.plotting import BetterSpectrumDisplay
from lyapsk.tasks import characters, make_population

task = characters(n_train=256, n_valid=64, n_steps=24)
population = make_population(task, 30, kinds=["RNN"], hidden_sizes=(8, 32), max_epochs=6, verbose=0)
nets, log_loss = population.nets(0), np.log(population.final_loss)
predictor = make_pipeline(
    LyapunovSpectrumTransformer(task.X_valid[:4]), AeLLERegressor(random_state=0)
)
predictor.fit(nets, log_loss)

figure, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
BetterSpectrumDisplay.from_estimator(
    predictor,
    [nets[np.argmax(log_loss)]],
    larger_is_better=False,
    value_name="Predicted log of the final loss",
    ax=ax,
)
ax.axhline(0, color="0.3", lw=0.8, ls=":")
_ = ax.set(title="From the worst Elman network to better ones", ylim=(-8, 1))
