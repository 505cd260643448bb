"""What drove a recurrent layer while a net ran one sequence."""

import torch
from torch import nn

from ..exceptions import RecurrentLayerError
from ..nets import read_cell, read_layer


def drive_of(layer, calls, *, state_size, like):
    """Initial state and inputs of a layer that has read one sequence.

    Parameters
    ----------
    layer : recurrent layer or cell
    calls : list
        As recorded.
    state_size : int
    like : Tensor
        Of the type and on the device that are wanted.

    Returns
    -------
    state : Tensor of shape (n,)
        The full state that it started from.
    inputs : Tensor of shape (n_steps, n_inputs)
    """
    read = read_cell if isinstance(layer, nn.RNNCellBase) else read_layer
    sequences, state = read(layer, calls)
    if len(sequences) != 1:
        raise RecurrentLayerError(
            f"layer: the net's forward passes {len(sequences)} sequences to its "
            f"{type(layer).__name__} for each one of X. It must pass one: check that batch_first "
            "fits the data."
        )
    if state is None:
        state = torch.zeros(1, state_size)
    return state[0].to(like), sequences[0].to(like)
