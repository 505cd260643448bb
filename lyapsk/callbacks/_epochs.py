"""After which epochs a callback looks at a network."""

import time
from collections.abc import Collection
from contextlib import contextmanager

from skorch.callbacks import EpochTimer

from .._checks import is_count, refusal

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
    if not all(map(is_count, epochs if several else [epochs])):
        allowed = f"a whole number of at least 1, a collection of them, or {DOUBLING!r}"
        raise refusal("epochs", epochs, allowed)


@contextmanager
def outside_of_epoch(net):
    """Let what happens as an epoch begins not count for its duration in the history."""
    start = time.time()
    yield
    for _, callback in net.callbacks_:
        if isinstance(callback, EpochTimer):
            callback.epoch_start_time_ += time.time() - start
