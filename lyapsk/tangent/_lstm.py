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
        gates = torch.sigmoid(drive)
        slopes = gates - gates * gates
        i, f, _, o = gates.unbind(2)
        g = torch.tanh(drive[:, :, 2])
        new_c = f * c + i * g
        squashed = torch.tanh(new_c)

        by_new_c = o - o * squashed * squashed
        blocks = [
            {3: squashed * slopes[:, :, 3]},
            {0: g * slopes[:, :, 0], 1: c * slopes[:, :, 1], 2: i - i * g * g},
        ]

        def push(tangents, input_tangents=None):
            dh, dc = self._split(tangents)
            pushed = self.recurrent.push(blocks, dh)
            if input_tangents is not None:
                pushed += self.input.push(blocks, input_tangents)
            new_dh, new_dc = pushed.chunk(2, -1)
            new_dc.addcmul_(f.unsqueeze(2), dc)
            new_dh.addcmul_(by_new_c.unsqueeze(2), new_dc)
            if self.projection is None:
                return pushed
            return torch.cat([self._project(new_dh), new_dc], -1)

        return torch.cat([self._project(o * squashed), new_c], -1), push

    def _split(self, state):
        return state[..., : self.output_size], state[..., self.output_size :]

    def _project(self, hidden):
        if self.projection is None:
            return hidden
        shape = (hidden.shape[0],) + (1,) * (hidden.ndim - 3) + self.projection.shape[1:]
        return hidden @ self.projection.view(shape).mT
