"""What must be known of a class of recurrent layers."""

from abc import ABC, abstractmethod

import torch


class Kind(ABC):
    """How layers of one class become cells.

    Attributes
    ----------
    is_cell : bool
        Whether the module takes one step in each call, as ``torch.nn.RNNCell``.
    is_own : bool
        Whether it is a user's own, whose word is not taken for it.
    """

    is_cell = False
    is_own = False

    @abstractmethod
    def weights(self, layer):
        """Weights by name, as the layer's forward uses them."""

    @abstractmethod
    def cells(self, layer, weights):
        """Cells from weights, connected to them by autograd.

        Parameters
        ----------
        layer : torch.nn.Module
            Tells the constants.
        weights : dict of str to Tensor of shape (n_networks, ...)

        Returns
        -------
        list of tuple of Cell
            From the lowest layer to the highest; where the layer is bidirectional, each tuple
            holds the cell that reads forward and the one that reads backward.
        """

    def start(self, layer):
        """Full state (n,) where the layer's forward starts; None stands for zero."""
        return None

    def state_of(self, layer, hx):
        """Full states (n_sequences, n) from the states that the layer takes and gives."""
        return state_from_torch(hx)

    def batch_first(self, layer):
        """Whether inputs are (n_sequences, n_steps, ...)."""
        return layer.batch_first


def state_from_torch(hx):
    """Full state from what torch calls ``hx``.

    Parameters
    ----------
    hx : Tensor of shape (n_layers, n_sequences, n_units), or for LSTM a pair ``(h, c)`` of them
        With two directions, each layer comes twice; of a cell without the layers.

    Returns
    -------
    Tensor of shape (n_sequences, n)
    """
    parts = hx if isinstance(hx, tuple | list) else (hx,)
    if parts[0].ndim < 3:
        return torch.cat([torch.atleast_2d(part) for part in parts], -1)
    blocks = [block for layer_parts in zip(*parts, strict=True) for block in layer_parts]
    return torch.cat(blocks, -1)
