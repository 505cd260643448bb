"""The sequences of a data set, one by one, as a net's own iterator collates them."""

import skorch
from skorch.dataset import get_len, unpack_data
from skorch.utils import multi_indexing
from torch.utils.data import Subset

from ..exceptions import InvalidInputError


def dataset_of(net, X, y):
    """The net's own data set of ``X`` and ``y``, which must hold targets.

    Raises
    ------
    InvalidInputError
        If there are no sequences or no targets.
    """
    dataset = () if X is None else net.get_dataset(X, y)
    if len(dataset) == 0:
        raise InvalidInputError("X: got no sequences. Pass at least one.")
    if _lacks_targets(dataset):
        raise InvalidInputError(
            "y: got None. The gradient is that of the net's loss, which needs targets: pass those "
            "that net.fit takes, or as X a torch Dataset that holds them."
        )
    return dataset


def single_sequences(net, dataset):
    """Yield inputs and targets of one sequence at a time, each a batch of one."""
    for batch in net.get_iterator(dataset, training=False):
        inputs, targets = unpack_data(batch)
        for index in range(get_len(inputs)):
            only = slice(index, index + 1)
            yield multi_indexing(inputs, only), multi_indexing(targets, only)


def _lacks_targets(dataset):
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    # A subclass may make its targets from X.
    return type(dataset) is skorch.dataset.Dataset and dataset.y is None
