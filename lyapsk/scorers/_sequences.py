"""The sequences of a data set, in batches as a net's own iterator collates them."""

import skorch
from skorch.dataset import unpack_data
from torch.utils.data import Subset

from .._message import message_of
from ..exceptions import InvalidInputError
from ..nets import check_order


def dataset_of(net, X, y, *, needs_targets=True):
    """The net's own data set of ``X`` and ``y``.

    Raises
    ------
    InvalidInputError
        If there are no sequences, or no targets where they are needed.
    """
    dataset = () if X is None else _tried(net.get_dataset, X, y)
    if _tried(len, dataset) == 0:
        raise InvalidInputError("X: got no sequences. Pass at least one.")
    check_order(net, dataset)
    if needs_targets and loss_is_skorchs(net) and _lacks_targets(dataset):
        raise InvalidInputError(
            "y: got None. What is asked of is the net's loss, which needs targets: pass those "
            "that net.fit takes, or as X a torch Dataset that holds them."
        )
    return dataset


def batches(net, dataset):
    """Inputs and targets, batch by batch."""
    iterator = iter(net.get_iterator(dataset, training=False))
    while (batch := _tried(next, iterator, None)) is not None:
        yield unpack_data(batch)


def _tried(function, *args):
    """What skorch or torch make of the data, or an error that says whose they are."""
    try:
        return function(*args)
    except Exception as error:
        raise InvalidInputError(
            f"X, y: the net's own data set or iterator failed on them with {type(error).__name__}: "
            f"{message_of(error)}. They must be what net.fit takes."
        ) from error


def loss_is_skorchs(net):
    """Whether a net takes its loss as skorch does, from answers and targets as they are."""
    return type(net).get_loss.__module__.startswith("skorch.")


def _lacks_targets(dataset):
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    # A subclass may make its targets from X.
    return type(dataset) is skorch.dataset.Dataset and dataset.y is None
