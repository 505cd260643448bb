"""Long short-term memory, as ``torch.nn.LSTM`` defines it, over the full state ``(h, c)``."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ._cell import Cell


@dataclass(frozen=True)
class LSTMCell(Cell):
    """``c_t = f c_{t-1} + i g`` and ``h_t = P (o tanh c_t)``; the state is ``(h, c)``.

    Attributes
    ----------
    projection : Tensor of shape (n_networks, proj_size, n_units), or None
        ``P``; None stands for the identity.
    """

    projection: Tensor | None = None

    @property
    def state_size(self):
        return self.output_size + self.recurrent.weight.shape[2]

    def linearize(self, state, x):
        h, c = self._split(state)
        drive = self.recurrent(h) + self.input(x)
        i, f, o = torch.sigmoid(drive[:, :, [0, 1, 3]]).unbind(2)
        g = torch.tanh(drive[:, :, 2])
        new_c = f * c + i * g
        squashed = torch.tanh(new_c)

        by_cell_gates = torch.stack([g * i * (1 - i), c * f * (1 - f), i * (1 - g * g)], 2)
        by_output_gate = (squashed * o * (1 - o)).unsqueeze(2)
        by_new_c = o * (1 - squashed * squashed)

        def push(tangents, input_tangents=None):
            dh, dc = self._split(tangents)
            new_dc = self._push_gates(slice(0, 3), by_cell_gates, dh, input_tangents)
            new_dc.addcmul_(f.unsqueeze(2), dc)
            new_dh = self._push_gates(slice(3, 4), by_output_gate, dh, input_tangents)
            new_dh.addcmul_(by_new_c.unsqueeze(2), new_dc)
            return torch.cat([self._project(new_dh), new_dc], -1)

        return torch.cat([self._project(o * squashed), new_c], -1), push

    def _split(self, state):
        return state.split([self.output_size, self.recurrent.weight.shape[2]], -1)

    def _push_gates(self, gates, scales, tangents, input_tangents):
        pushed = self.recurrent[gates].push(scales, tangents)
        if input_tangents is not None:
            pushed += self.input[gates].push(scales, input_tangents)
        return pushed

    def _project(self, hidden):
        if self.projection is None:
            return hidden
        shape = (hidden.shape[0],) + (1,) * (hidden.ndim - 3) + self.projection.shape[1:]
        return hidden @ self.projection.view(shape).mT
