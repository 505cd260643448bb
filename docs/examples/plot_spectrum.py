"""
Spectra of three layers
=======================

An untrained Elman network, a GRU and an LSTM on the same sequences.
"""

from lyapsk import lyapunov_spectrum
from lyapsk.plotting import SpectrumDisplay
from lyapsk.tasks import digits_by_rows

task = digits_by_rows()
nets = [task.net(kind, hidden_size=32).initialize() for kind in ("RNN", "GRU", "LSTM")]
spectra = [lyapunov_spectrum(net, task.X_valid[:4]).exponents for net in nets]
_ = SpectrumDisplay.from_predictions(spectra)
