"""What ``X`` holds: networks, or pairs of a network and its reference."""

import numpy as np

from ..exceptions import InvalidInputError, InvalidTypeError
from ..nets import failed

_PLACES = ("network", "reference of network")


def entries_of(X):
    """The entries of a list, a tuple or an object array; rows of a 2-d array become lists."""
    objects = isinstance(X, np.ndarray) and X.dtype == object and X.ndim in (1, 2)
    if not objects and not isinstance(X, list | tuple):
        raise InvalidTypeError(
            f"X: got {type(X).__name__}. It must be a list or an object array with one entry for "
            "each network, also where there is a single one: [net]."
        )
    if len(X) == 0:
        raise InvalidInputError("X: got no networks. Pass at least one.")
    return X.tolist() if objects else list(X)


def is_pair(entry):
    """Whether an entry holds two things; a skorch net or a module is no sequence."""
    return isinstance(entry, tuple | list | np.ndarray) and len(entry) == 2


def groups_of(entries, *, paired, name):
    """Each entry as a tuple: ``(network,)``, or ``(network, reference)`` where ``paired``."""
    for position, entry in enumerate(entries):
        if is_pair(entry) != paired:
            raise InvalidInputError(_advice(entry, position, name, paired))
    return [tuple(entry) if paired else (entry,) for entry in entries]


def check_same_size(sizes, *, name):
    """Refuse pairs of different networks; ``sizes`` are state sizes, a list for each pair."""
    for position, pair in enumerate(sizes):
        if len(set(pair)) > 1:
            raise InvalidInputError(
                f"{name}: entry {position} pairs a network of state size {pair[0]} with a "
                f"reference of state size {pair[1]}. A reference is the same network at an "
                "earlier checkpoint."
            )


def by_group(function, groups):
    """Apply a function of many networks to those of all groups at once, so that they batch.

    Parameters
    ----------
    function : callable
        ``function(networks, names)`` is a list of results or errors; the names say which group a
        network is from, and which of its networks it is.
    groups : list of tuple
        Of one length.

    Returns
    -------
    list of results, of tuples of results where the groups are pairs, or of errors
        For each group; the first error of its networks where there is one.
    """
    width = len(groups[0])
    names = [f"{place} {i}" for i in range(len(groups)) for place in _PLACES[:width]]
    results = function([network for group in groups for network in group], names)
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
