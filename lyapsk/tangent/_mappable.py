"""Torch's recurrent cells, made of operations that ``torch.vmap`` can map."""

from functools import partial

import torch
from torch.overrides import TorchFunctionMode

from ._elman import ElmanCell
from ._gru import GRUCell
from ._lstm import LSTMCell
from ._torch import gates


class MappableCells(TorchFunctionMode):
    """Within the block, ``torch.nn.GRUCell`` and its like can be mapped.

    torch has no batching rule for them: they fail inside of ``torch.vmap``.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return _FUNCTIONS.get(func, func)(*args, **(kwargs or {}))


def _step(make, n_gates, x, hx, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    """One step of many sequences, as ``torch.gru_cell`` and its like take and give it."""
    inputs, recurrent = (
        gates(weight.unsqueeze(0), None if bias is None else bias.unsqueeze(0), n_gates)
        for weight, bias in ((weight_ih, bias_ih), (weight_hh, bias_hh))
    )
    is_pair = isinstance(hx, tuple | list)
    state = torch.cat(hx, -1) if is_pair else hx
    after = make(recurrent, inputs).advance(state.unsqueeze(0), x.unsqueeze(0)).squeeze(0)
    return after.chunk(2, -1) if is_pair else after


_FUNCTIONS = {
    torch.rnn_tanh_cell: partial(_step, ElmanCell, 1),
    torch.rnn_relu_cell: partial(_step, partial(ElmanCell, nonlinearity="relu"), 1),
    torch.gru_cell: partial(_step, GRUCell, 3),
    torch.lstm_cell: partial(_step, LSTMCell, 4),
}
