"""Read the epochs of trained networks."""

from collections.abc import Mapping
from numbers import Real

import numpy as np

from ..exceptions import InvalidInputError, InvalidTypeError
from ._entries import is_pair


def finished_epochs(entry, n_epochs):
    """The epochs of a skorch net, of a history, or of the network in a pair.

    Epochs without a duration, in a history where others have one, were interrupted and are
    left out.

    Parameters
    ----------
    entry : NeuralNet, History, list of Mapping, or pair
    n_epochs : int
        How many there must be at least.

    Returns
    -------
    list of Mapping

    Raises
    ------
    InvalidTypeError
        If ``entry`` is nothing of the kind.
    InvalidInputError
        If there are too few epochs.
    """
    network = entry[0] if is_pair(entry) and not isinstance(entry[0], Mapping) else entry
    history = (network.history or []) if hasattr(network, "history") else network
    epochs = history.to_list() if hasattr(history, "to_list") else history
    if not isinstance(epochs, list | tuple) or not all(isinstance(e, Mapping) for e in epochs):
        raise InvalidTypeError(
            f"X: got {type(network).__name__}. Each entry must be a trained skorch net, its "
            "history, or a list with a dict for each epoch. Put a single one into a list: [net]."
        )
    finished = [epoch for epoch in epochs if "dur" in epoch] or list(epochs)
    if len(finished) < n_epochs:
        raise InvalidInputError(
            f"X: its history holds {len(finished)} of the n_epochs={n_epochs} finished epochs to "
            "read. Train it for longer with net.partial_fit, leave it out, or lower n_epochs."
        )
    return finished


def number_columns(epochs):
    """Names of the columns that hold a number in each of the epochs."""
    names = [key for key in epochs[0] if isinstance(key, str)]
    return [key for key in names if all(_is_number(epoch.get(key)) for epoch in epochs)]


def common_columns(histories, n_epochs):
    """Columns of numbers in the first epochs of all histories, without mere book-keeping."""
    columns = [number_columns(epochs[:n_epochs]) for epochs in histories]
    common = [key for key in columns[0] if all(key in own for own in columns)]
    common = [key for key in common if not _is_book_keeping(key)]
    if not common:
        raise InvalidInputError(
            "keys: got None, but the histories share no column of numbers to read. The first "
            f"holds {_listed(columns[0])}. Leave out networks that record something else."
        )
    return common


def curves_of(epochs, keys, n_epochs):
    """Columns of a history up to an epoch, (n_keys, n_epochs).

    Raises
    ------
    InvalidInputError
        If an epoch lacks a column.
    """
    epochs = epochs[:n_epochs]
    for number, epoch in enumerate(epochs, start=1):
        missing = [key for key in keys if not _is_number(epoch.get(key))]
        if missing:
            raise InvalidInputError(
                f"keys: epoch {number} of its history has no number {missing[0]!r}. Those in all "
                f"epochs to read are {_listed(number_columns(epochs))}."
            )
    return np.array([[epoch[key] for epoch in epochs] for key in keys], dtype=float)


def _listed(columns):
    return ", ".join(map(repr, columns)) or "none"


def _is_number(value):
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        float(value)
    except OverflowError:  # a whole number beyond all floats
        return False
    return True


def _is_book_keeping(key):
    return key in ("epoch", "dur") or key.endswith("_batch_count")
