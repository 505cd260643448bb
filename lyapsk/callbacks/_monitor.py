"""What callbacks share that read a network now and then as it trains."""

import time
import warnings
from abc import abstractmethod

import numpy as np

from .._checks import refusal
from ..exceptions import InvalidInputError, LyapskError, LyapskWarning
from ._epochs import is_chosen, outside_of_epoch
from ._few import OfFewSequences


class Monitor(OfFewSequences):
    """Reads the same few sequences before the first epoch and after chosen ones.

    Parameters
    ----------
    n_sequences, epochs, random_state
        See ``OfFewSequences``; the sequences are of the validation data, or of the training data
        where there are no others.
    prefix : str
        Of ``names``.

    Attributes
    ----------
    names : tuple of str
        What is recorded; the last is the time that it took, in seconds.
    before_ : dict of str to float
        The numbers before the first epoch, under the same names.
    """

    _names = ()

    def __init__(self, n_sequences, epochs, random_state, prefix):
        super().__init__(n_sequences, epochs, random_state)
        self.prefix = prefix

    @property
    def names(self):
        """What is recorded in the history."""
        return tuple(f"{self.prefix}{name}" for name in self._names)

    def initialize(self):
        """Forget what was seen, and check what was asked for."""
        super().initialize()
        if not isinstance(self.prefix, str):
            raise refusal("prefix", self.prefix, "a string")
        return self

    def on_train_begin(self, net, **kwargs):
        """Refuse two that would record under the same names."""
        for _, other in net.callbacks_:
            if other is self or not isinstance(other, Monitor):
                continue
            twice = set(self.names) & set(other.names)
            if twice:
                raise InvalidInputError(
                    f"prefix: got {self.prefix!r}, with which {type(self).__name__} records "
                    f"{min(twice)!r} in the history as {type(other).__name__} does. Give each a "
                    "prefix of its own, such as 'encoder_'."
                )

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
