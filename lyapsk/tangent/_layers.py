"""From torch's recurrent layers to their dynamics: one row of a table for each kind."""

import torch
from torch import nn

from ._elman import ElmanCell
from ._gates import Gates
from ._gru import GRUCell
from ._lstm import LSTMCell
from ._stack import Stack

_KINDS = {
    nn.RNN: (ElmanCell, 1),
    nn.GRU: (GRUCell, 3),
    nn.LSTM: (LSTMCell, 4),
    nn.RNNCell: (ElmanCell, 1),
    nn.GRUCell: (GRUCell, 3),
    nn.LSTMCell: (LSTMCell, 4),
}


def is_recurrent(module):
    """Whether ``module`` is a recurrent layer or cell whose dynamics are known.

    A subclass with a forward of its own is not: what it does to inputs or states is its own.
    """
    kind = _kind(module)
    return kind is not None and type(module).forward is kind.forward


def cells_of(layer, *, dtype, device):
    """Cells of a recurrent layer, from a copy of the weights that it has now.

    Parameters
    ----------
    layer : torch.nn.RNN, GRU, LSTM, RNNCell, GRUCell or LSTMCell
    dtype : torch.dtype
    device : torch.device

    Returns
    -------
    list of tuple of Cell
        From the lowest layer to the highest; where the layer is bidirectional, each tuple holds
        the cell that reads forward and the one that reads backward.
    """
    kind, n_gates = _KINDS[_kind(layer)]
    like = torch.empty(0, dtype=dtype, device=device)

    def cell(suffix):
        recurrent = _gates(layer, "hh", suffix, n_gates, like)
        inputs = _gates(layer, "ih", suffix, n_gates, like)
        return kind(recurrent, inputs, **_extras(layer, suffix, like))

    if isinstance(layer, nn.RNNCellBase):
        return [(cell(""),)]
    directions = ("", "_reverse") if layer.bidirectional else ("",)
    return [tuple(cell(f"_l{i}{d}") for d in directions) for i in range(layer.num_layers)]


def dynamics_of(layer, *, dtype, device):
    """Joint dynamics of all layers of a recurrent layer of one direction; see ``cells_of``."""
    return Stack(tuple(cell for (cell,) in cells_of(layer, dtype=dtype, device=device)))


def named_weights(layer, stack):
    """Weights of a stack, or their gradients, as torch names and shapes them.

    Parameters
    ----------
    layer : recurrent layer or cell
        Of one direction.
    stack : Stack
        As ``dynamics_of`` makes it of ``layer``.

    Returns
    -------
    dict of str to Tensor
        With the networks in front.
    """
    cell_layer = isinstance(layer, nn.RNNCellBase)
    named = {}
    for index, cell in enumerate(stack.cells):
        suffix = "" if cell_layer else f"_l{index}"
        named[f"weight_ih{suffix}"] = cell.input.weight.flatten(1, 2)
        named[f"weight_hh{suffix}"] = cell.recurrent.weight.flatten(1, 2)
        if layer.bias:
            named[f"bias_ih{suffix}"] = cell.input.bias.flatten(1)
            named[f"bias_hh{suffix}"] = cell.recurrent.bias.flatten(1)
        if getattr(cell, "projection", None) is not None:
            named[f"weight_hr{suffix}"] = cell.projection
    return named


def state_from_torch(hx):
    """Full state from what torch calls ``hx``.

    Parameters
    ----------
    hx : Tensor of shape (n_layers, n_sequences, n_units), or for LSTM a pair ``(h, c)`` of them
        With two directions, each layer comes twice.

    Returns
    -------
    Tensor of shape (n_sequences, n)
    """
    parts = hx if isinstance(hx, tuple | list) else (hx,)
    blocks = [block for layer_parts in zip(*parts, strict=True) for block in layer_parts]
    return torch.cat(blocks, -1)


def _kind(module):
    return next((kind for kind in _KINDS if isinstance(module, kind)), None)


def _extras(layer, suffix, like):
    """What cells have beside their gates."""
    if isinstance(layer, nn.RNN | nn.RNNCell):
        return {"nonlinearity": layer.nonlinearity}
    projection = _held(layer, f"weight_hr{suffix}", like)
    return {} if projection is None else {"projection": projection}


def _gates(layer, which, suffix, n_gates, like):
    weight = _held(layer, f"weight_{which}{suffix}", like).unflatten(1, (n_gates, -1))
    bias = _held(layer, f"bias_{which}{suffix}", like)
    if bias is None:
        return Gates(weight, weight.new_zeros(1, 1, *weight.shape[1:3]))
    return Gates(weight, bias.view(1, 1, n_gates, -1))


def _held(layer, name, like):
    """Copy of a weight with the network in front; None where the layer has no such weight."""
    weight = getattr(layer, name, None)
    return None if weight is None else weight.detach().to(like, copy=True).unsqueeze(0)
