"""After which epochs a callback looks at a network."""

import time
from collections.abc import Collection
from contextlib import contextmanager
from numbers import Integral

from skorch.callbacks import EpochTimer

from ..exceptions import InvalidInputError

DOUBLING = "doubling"
"""After epochs 1, 2, 4, 8, ..."""


def is_chosen(epoch, epochs):
    """Whether ``epochs``, as users give them, hold an epoch."""
    if isinstance(epochs, str):
        return epoch & (epoch - 1) == 0
    return epoch in epochs if isinstance(epochs, Collection) else epoch % epochs == 0


def check_epochs(epochs):
    """Refuse what is neither a count, nor a collection of counts, nor "doubling"."""
    if isinstance(epochs, str) and epochs == DOUBLING:
        return
    several = isinstance(epochs, Collection) and not isinstance(epochs, str)
    for epoch in epochs if several else [epochs]:
        if not is_count(epoch):
            raise InvalidInputError(
                f"epochs: got {epochs!r}. It must be a whole number of at least 1, a collection "
                f"of them, or {DOUBLING!r}."
            )


@contextmanager
def outside_of_epoch(net):
    """Let what happens as an epoch begins not count for its duration in the history."""
    start = time.time()
    yield
    for _, callback in net.callbacks_:
        if isinstance(callback, EpochTimer):
            callback.epoch_start_time_ += time.time() - start


def is_count(value):
    """Whether a value is a whole number of at least 1."""
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= 1
