"""Watch the spectrum of a network as it trains, and warn of what it says."""

import numpy as np

from ..nets import lyapunov_spectrum
from ._epochs import DOUBLING
from ._monitor import Monitor

CHAOTIC, FORGETFUL = np.log(100.0), 10
"""Growth in nats over a sequence, and times that a sequence outlasts the horizon, to warn of."""


class LyapunovMonitor(Monitor):
    """Record the Lyapunov spectrum in the history of a net, and warn once of a bad one.

    Before the first epoch and after each chosen one, the spectrum along the same few sequences is
    taken and five numbers recorded: ``lyapunov_largest``, the largest exponent in nats per step;
    ``lyapunov_entropy_rate``, the sum of the positive ones; ``lyapunov_n_positive``, their
    number; ``gradient_horizon``, the steps over which gradients change by a factor of e; and
    ``lyapunov_dur``, the seconds that this took. Epochs that are not chosen hold NaN. Net and
    generators are left as they were, so that training goes on as it would have.

    Parameters
    ----------
    n_sequences : int, default=1
        Sequences that are read, drawn once from the validation data, or from the training data
        where there are no others. More make the numbers steadier, and take longer.
    epochs : "doubling", int or collection of int, default="doubling"
        After epochs 1, 2, 4, 8 and so on; every how many epochs; or after which, counted from 1.
    layer : str, optional
        Name of the recurrent layer, where the module has several.
    random_state : int, RandomState or None, default=0
        Draws the sequences.

    Attributes
    ----------
    spectra_ : dict of int to LyapunovSpectrum
        By the number of epochs done.
    before_ : dict of str to float
        The numbers before the first epoch, under the same names.
    indices_ : ndarray of int
        Sequences that are read.
    warned_ : set of str
        What was warned of: "chaotic", "dead" or "forgetful".

    See Also
    --------
    lyapunov_spectrum : Takes the spectrum.

    Notes
    -----
    It warns of a network that is *chaotic*, whose largest exponent is positive by more than two
    standard errors and multiplies gradients by more than 100 over a sequence; *dead*, in which no
    perturbation outlives a step; or *forgetful*, whose gradient horizon is less than a tenth of
    the sequences. With the defaults it takes less than a tenth of the time of training on the
    tasks of ``lyapsk.tasks`` (``python benchmarks/monitor.py``).

    Examples
    --------
    >>> from lyapsk.callbacks import LyapunovMonitor
    >>> from lyapsk.tasks import digits_by_rows
    >>> task, monitor = digits_by_rows(), LyapunovMonitor()
    >>> net = task.net("GRU", hidden_size=16, max_epochs=4, callbacks=[monitor])
    >>> net = net.fit(task.X_train, task.y_train)
    >>> list(monitor.spectra_)
    [0, 1, 2, 4]
    >>> bool(net.history[-1, "lyapunov_largest"] == monitor.spectra_[4].exponents[0])
    True
    """

    names = (
        "lyapunov_largest",
        "lyapunov_entropy_rate",
        "lyapunov_n_positive",
        "gradient_horizon",
        "lyapunov_dur",
    )

    def __init__(self, *, n_sequences=1, epochs=DOUBLING, layer=None, random_state=0):
        super().__init__(n_sequences, epochs, random_state)
        self.layer = layer

    def initialize(self):
        """Forget what was seen."""
        super().initialize()
        self.spectra_, self.warned_ = {}, set()
        return self

    def read(self, net, dataset, epoch):
        """Largest exponent, entropy rate, number of positive exponents, horizon."""
        spectrum = lyapunov_spectrum(net, dataset, layer=self.layer)
        self.spectra_[epoch] = spectrum
        self._advise(spectrum, epoch)
        largest = float(spectrum.exponents[0])
        n_positive = float(spectrum.n_positive)
        return largest, spectrum.entropy_rate, n_positive, spectrum.gradient_horizon

    def _advise(self, spectrum, epoch):
        for kind, message in _warnings(spectrum):
            if kind not in self.warned_:
                self.warned_.add(kind)
                self._warn(f"after {epoch} epochs the network is {kind}: {message}")


def _warnings(spectrum):
    """What there is to warn of."""
    largest, error = spectrum.exponents[0], spectrum.standard_error[0]
    n_steps = int(spectrum.n_steps.max())
    if np.isneginf(largest):
        yield (
            "dead",
            "no perturbation of its state outlives a step, so no gradient does. Look for units "
            "that are saturated or never active: use smaller weights or inputs, or a smaller "
            "learning rate.",
        )
    elif largest > max(2 * error, CHAOTIC / n_steps):
        yield (
            "chaotic",
            f"its largest exponent is {largest:.2g} nats per step, so gradients grow "
            f"{np.exp(min(largest * n_steps, 700)):.1g} times over the {n_steps} steps of a "
            "sequence. Use smaller recurrent weights, a smaller learning rate, or clip gradients.",
        )
    elif largest < -FORGETFUL / n_steps:
        yield (
            "forgetful",
            f"gradients shrink by a factor of e every {-1 / largest:.1f} steps, while sequences "
            f"have {n_steps}. Where the task needs a longer memory, use larger or orthogonal "
            "recurrent weights, or forget gates that start open (a positive bias).",
        )
