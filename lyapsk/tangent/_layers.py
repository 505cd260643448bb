"""From torch's recurrent layers to their dynamics: one row of a table for each kind."""

import torch
from torch import nn

from ._elman import ElmanCell
from ._gates import Gates
from ._gru import GRUCell
from ._lstm import LSTMCell
from ._stack import Stack


def _elman(layer, recurrent, inputs, suffix):
    return ElmanCell(recurrent, inputs, layer.nonlinearity)


def _gru(layer, recurrent, inputs, suffix):
    return GRUCell(recurrent, inputs)


def _lstm(layer, recurrent, inputs, suffix):
    projection = getattr(layer, f"weight_hr{suffix}", None)
    return LSTMCell(
        recurrent, inputs, None if projection is None else _held(projection, inputs.weight)
    )


_CELLS = {nn.RNN: (_elman, 1), nn.GRU: (_gru, 3), nn.LSTM: (_lstm, 4)}


def is_recurrent(module):
    """Whether ``module`` is a recurrent layer whose dynamics are known."""
    return isinstance(module, tuple(_CELLS))


def dynamics_of(layer, *, dtype, device):
    """Dynamics of a recurrent layer, from a copy of the weights that it has now.

    Parameters
    ----------
    layer : torch.nn.RNN, GRU or LSTM
    dtype : torch.dtype
    device : torch.device

    Returns
    -------
    Stack
        Of one network.
    """
    make, n_gates = next(entry for kind, entry in _CELLS.items() if isinstance(layer, kind))
    like = torch.empty(0, dtype=dtype, device=device)
    cells = []
    for suffix in [f"_l{index}" for index in range(layer.num_layers)]:
        recurrent = _gates(layer, "hh", suffix, n_gates, like)
        inputs = _gates(layer, "ih", suffix, n_gates, like)
        cells.append(make(layer, recurrent, inputs, suffix))
    return Stack(tuple(cells))


def state_from_torch(layer, hx):
    """Full state from what torch calls ``hx``.

    Parameters
    ----------
    layer : torch.nn.RNN, GRU or LSTM
    hx : Tensor of shape (n_layers, n_sequences, n_units), or for LSTM a pair ``(h, c)``

    Returns
    -------
    Tensor of shape (n_sequences, n)
    """
    parts = hx if isinstance(hx, tuple | list) else (hx,)
    return torch.cat(
        [block for layer_parts in zip(*parts, strict=True) for block in layer_parts], -1
    )


def _gates(layer, which, suffix, n_gates, like):
    weight = _held(getattr(layer, f"weight_{which}{suffix}"), like).unflatten(1, (n_gates, -1))
    bias = getattr(layer, f"bias_{which}{suffix}", None)
    if bias is None:
        return Gates(weight, weight.new_zeros(1, 1, *weight.shape[1:3]))
    return Gates(weight, _held(bias, like).view(1, 1, n_gates, -1))


def _held(weight, like):
    return weight.detach().to(like, copy=True).unsqueeze(0)
