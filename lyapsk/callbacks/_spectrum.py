"""Watch the spectrum of a network as it trains, and warn of what it says."""

from ..nets import lyapunov_spectrum
from ..spectrum import diagnose
from ._epochs import DOUBLING
from ._monitor import Monitor


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
    prefix : str, default=""
        Put before the names that are recorded, to tell those of several layers apart.

    Attributes
    ----------
    spectra_ : dict of int to LyapunovSpectrum
        By the number of epochs done.
    before_ : dict of str to float
        The numbers before the first epoch, under the same names.
    indices_ : ndarray of int
        Sequences that are read.
    warned_ : set of str
        What was warned of: "chaotic", "dead" or "forgetting".

    See Also
    --------
    lyapsk.lyapunov_spectrum : Takes the spectrum.
    lyapsk.diagnose : Says the same of one spectrum.

    Notes
    -----
    It warns at once of a network that is *chaotic*, whose largest exponent is positive by more than
    two standard errors and multiplies gradients by more than 100 over a sequence, or *dead*, in
    which no perturbation outlives a step. Where training ends it warns of one that was *forgetting*
    when last read, whose gradient horizon is less than a tenth of the sequences: nearly every
    network starts like that, and those that learn to remember leave it behind. With the defaults
    it takes less than a tenth of the time of training on the tasks of ``lyapsk.tasks``
    (``python benchmarks/monitor.py``).

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

    _names = (
        "lyapunov_largest",
        "lyapunov_entropy_rate",
        "lyapunov_n_positive",
        "gradient_horizon",
        "lyapunov_dur",
    )

    def __init__(self, *, n_sequences=1, epochs=DOUBLING, layer=None, random_state=0, prefix=""):
        super().__init__(n_sequences, epochs, random_state, prefix)
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
        self._advise(epoch, "chaotic", "dead")
        largest = float(spectrum.exponents[0])
        n_positive = float(spectrum.n_positive)
        return largest, spectrum.entropy_rate, n_positive, spectrum.gradient_horizon

    def on_train_end(self, net, **kwargs):
        """Warn of a network that training did not teach to remember."""
        epoch = max(self.spectra_, default=0)
        if epoch:
            self._advise(epoch, "forgetting")

    def _advise(self, epoch, *kinds):
        found = diagnose(self.spectra_[epoch])
        if found.kind in kinds and found.kind not in self.warned_:
            self.warned_.add(found.kind)
            self._warn(
                f"after {epoch} epochs the network is {found.kind}. {found.summary} For training: "
                f"{found.meaning} {found.advice}"
            )
