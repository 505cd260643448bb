"""What ``X`` holds: networks, or pairs of a network and its reference."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
from torch import nn

from ..exceptions import InvalidInputError, InvalidTypeError
from ..nets import failed

_PLACES = ("network", "reference of network")


def entries_of(X):
    """The entries of a list, a tuple or an object array, or the lazy collection that X is.

    Rows of a 2-d array become lists.
    """
    objects = isinstance(X, np.ndarray) and X.dtype == object and X.ndim in (1, 2)
    in_memory = objects or isinstance(X, list | tuple)
    if not in_memory and not _is_lazy(X):
        raise InvalidTypeError(
            f"X: got {type(X).__name__}. It must be a list, an object array or another sequence "
            "with one entry for each network, also where there is a single one: [net]."
        )
    if len(X) == 0:
        raise InvalidInputError("X: got no networks. Pass at least one.")
    if objects:
        return X.tolist()
    return list(X) if in_memory else X


def _is_lazy(X):
    """Whether X gives one entry at a time; texts, modules and arrays are no collections."""
    can = hasattr(X, "__getitem__") and hasattr(X, "__len__")
    return can and not isinstance(X, str | bytes | Mapping | nn.Module) and not hasattr(X, "shape")


class Networks(Sequence):
    """The networks of all entries, one after another; of a lazy collection read when asked for.

    Parameters
    ----------
    X : as ``entries_of`` takes it
    paired : bool
        Whether entries are pairs.
    """

    def __init__(self, X, *, paired):
        entries = entries_of(X)
        self.in_memory = isinstance(entries, list)
        self.width = 1 + paired
        self._entries = groups_of(entries, paired=paired) if self.in_memory else entries
        self._paired = paired

    def __len__(self):
        return self.width * len(self._entries)

    def __getitem__(self, index):
        position, place = divmod(index, self.width)
        entry = self._entries[position]
        if not self.in_memory:
            entry = group_of(entry, position, paired=self._paired)
        return entry[place]

    @property
    def first_of_each(self):
        """The first network of each entry."""
        return _EveryOther(self) if self.width == 2 else self

    @property
    def on_disk(self):
        """Whether to look at the networks takes more than memory."""
        return not self.in_memory or any(isinstance(n, str | os.PathLike) for n in self)


class _EveryOther(Sequence):
    def __init__(self, networks):
        self._networks = networks

    def __len__(self):
        return len(self._networks) // 2

    def __getitem__(self, index):
        return self._networks[2 * index]


def is_pair(entry):
    """Whether an entry holds two things; a skorch net or a module is no sequence."""
    return isinstance(entry, tuple | list | np.ndarray) and len(entry) == 2


def groups_of(entries, *, paired, name="X"):
    """Each entry as a tuple: ``(network,)``, or ``(network, reference)`` where ``paired``."""
    return [
        group_of(entry, position, paired=paired, name=name)
        for position, entry in enumerate(entries)
    ]


def group_of(entry, position, *, paired, name="X"):
    """One entry as a tuple."""
    if is_pair(entry) != paired:
        raise InvalidInputError(_advice(entry, position, name, paired))
    return tuple(entry) if paired else (entry,)


def check_same_size(sizes, *, name):
    """Refuse pairs of different networks; ``sizes`` are state sizes, a list for each pair."""
    for position, pair in enumerate(sizes):
        if len(set(pair)) > 1:
            raise InvalidInputError(
                f"{name}: entry {position} pairs a network of state size {pair[0]} with a "
                f"reference of state size {pair[1]}. A reference is the same network at an "
                "earlier checkpoint."
            )


def by_group(function, networks):
    """Apply a function of many networks to those of all groups at once, so that they batch.

    Parameters
    ----------
    function : callable
        ``function(networks, names)`` is a list of results or errors; the names say which group a
        network is from, and which of its networks it is.
    networks : Networks

    Returns
    -------
    list of results, of tuples of results where the groups are pairs, or of errors
        For each group; the first error of its networks where there is one.
    """
    width = networks.width
    names = [f"{place} {i}" for i in range(len(networks) // width) for place in _PLACES[:width]]
    results = function(networks, names)
    return [_joined(results[i : i + width]) for i in range(0, len(results), width)]


def _joined(results):
    errors = [result for result in results if failed(result)]
    if errors:
        return errors[0]
    return results[0] if len(results) == 1 else tuple(results)


def _advice(entry, position, name, paired):
    if paired:
        return (
            f"{name}: features names 'change', but entry {position} is no pair: got "
            f"{type(entry).__name__}. Make each entry (network, reference), the reference being "
            "the same network at an earlier checkpoint, for example a deep copy from before its "
            "training; or leave 'change' out of features."
        )
    return (
        f"{name}: entry {position} is a pair, but features does not name 'change'. Add 'change' "
        "to features to have each network compared with its reference, or make each entry a "
        "network alone."
    )
