"""torch's recurrent layers: their weights by name, and the cells that these make up."""

from torch import nn

from ._elman import ElmanCell
from ._gates import Gates
from ._gru import GRUCell
from ._kind import Kind
from ._lstm import LSTMCell


class TorchKind(Kind):
    """One of torch's recurrent layers or cells.

    Parameters
    ----------
    cell : type
        Of its dynamics.
    n_gates : int
    is_cell : bool
        Whether the module takes one step in each call.
    """

    def __init__(self, cell, n_gates, is_cell=False):
        self._cell, self._n_gates, self.is_cell = cell, n_gates, is_cell

    def weights(self, layer):
        names = (f"{name}{suffix}" for suffix in self._suffixes(layer) for name in _NAMES)
        found = {name: getattr(layer, name, None) for name in names}
        return {name: weight for name, weight in found.items() if weight is not None}

    def cells(self, layer, weights):
        each = iter([self._made(layer, weights, suffix) for suffix in self._suffixes(layer)])
        n_directions = 1 + getattr(layer, "bidirectional", False)
        return list(zip(*[each] * n_directions, strict=True))

    def _suffixes(self, layer):
        if self.is_cell:
            return [""]
        directions = ("", "_reverse") if layer.bidirectional else ("",)
        return [f"_l{index}{d}" for index in range(layer.num_layers) for d in directions]

    def _made(self, layer, weights, suffix):
        recurrent, inputs = (
            gates(weights[f"weight_{w}{suffix}"], weights.get(f"bias_{w}{suffix}"), self._n_gates)
            for w in ("hh", "ih")
        )
        extras = {}
        if self._cell is ElmanCell:
            extras["nonlinearity"] = layer.nonlinearity
        if f"weight_hr{suffix}" in weights:
            extras["projection"] = weights[f"weight_hr{suffix}"]
        return self._cell(recurrent, inputs, **extras)


TORCH_KINDS = {
    nn.RNN: TorchKind(ElmanCell, 1),
    nn.GRU: TorchKind(GRUCell, 3),
    nn.LSTM: TorchKind(LSTMCell, 4),
    nn.RNNCell: TorchKind(ElmanCell, 1, is_cell=True),
    nn.GRUCell: TorchKind(GRUCell, 3, is_cell=True),
    nn.LSTMCell: TorchKind(LSTMCell, 4, is_cell=True),
}

_NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")


def gates(weight, bias, n_gates=1):
    """Gates from weights as torch shapes them, with the networks in front.

    Parameters
    ----------
    weight : Tensor of shape (n_networks, n_gates * n_units, n_in)
    bias : Tensor of shape (n_networks, n_gates * n_units), or None
    n_gates : int
    """
    weight = weight.unflatten(1, (n_gates, -1))
    if bias is None:
        return Gates(weight, weight.new_zeros(len(weight), 1, *weight.shape[1:3]))
    return Gates(weight, bias.view(len(bias), 1, n_gates, -1))
