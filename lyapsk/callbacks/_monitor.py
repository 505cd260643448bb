"""What callbacks share that read a network now and then as it trains."""

import time
import warnings
from abc import abstractmethod

import numpy as np

from ..exceptions import LyapskError, LyapskWarning
from ._epochs import is_chosen, outside_of_epoch
from ._few import OfFewSequences


class Monitor(OfFewSequences):
    """Reads the same few sequences before the first epoch and after chosen ones.

    Parameters
    ----------
    n_sequences : int
        Sequences that are read, drawn once from the validation data, or from the training data
        where there are no others.
    epochs : "doubling", int or collection of int
        After epochs 1, 2, 4, 8 and so on; every how many epochs; or after which.
    random_state : int, RandomState or None
        Draws the sequences.

    Attributes
    ----------
    names : tuple of str
        What is recorded; the last is the time that it took, in seconds.
    before_ : dict of str to float
        The numbers before the first epoch, under the same names.
    indices_ : ndarray of int
        Sequences that are read.
    """

    names = ()

    @abstractmethod
    def read(self, net, dataset, epoch):
        """The numbers, in the order of ``names`` but without the time.

        Parameters
        ----------
        net : skorch net
        dataset : torch Dataset
            The few sequences, with targets where there are some.
        epoch : int
            Epochs done.
        """

    def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        """Read once before the first epoch."""
        if not hasattr(self, "before_"):
            with outside_of_epoch(net):
                self.before_ = self._measured(net, dataset_train, dataset_valid, 0)

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        """Read after a chosen epoch."""
        epoch, measured = len(net.history), {}
        if is_chosen(epoch, self.epochs):
            try:
                measured = self._measured(net, dataset_train, dataset_valid, epoch)
            except LyapskError as error:
                self._warn(f"epoch {epoch} could not be read: {error}")
        for name in self.names:
            net.history.record(name, measured.get(name, np.nan))

    def _measured(self, net, dataset_train, dataset_valid, epoch):
        start = time.perf_counter()
        dataset = dataset_train if dataset_valid is None else dataset_valid
        values = self.read(net, self.few(dataset), epoch)
        return dict(zip(self.names, (*values, time.perf_counter() - start), strict=True))

    def _warn(self, message):
        warnings.warn(f"{type(self).__name__}: {message}", LyapskWarning, stacklevel=3)
