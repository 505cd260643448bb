"""Long short-term memory, as ``torch.nn.LSTM`` defines it, over the full state ``(h, c)``."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ._cell import GatedCell


@dataclass(frozen=True)
class LSTMCell(GatedCell):
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

    def from_inputs(self, x):
        return self.input.along(x) + self.recurrent.offset

    def step(self, state, from_x):
        h, c = self._split(state)
        drives = self.recurrent.onto(from_x, h)
        gates = torch.sigmoid(drives)
        i, f, _, o = gates.chunk(4, -1)
        g = torch.tanh(drives.chunk(4, -1)[2])
        new_c = torch.addcmul(f * c, i, g)
        squashed = torch.tanh(new_c)
        return torch.cat([self._project(o * squashed), new_c], -1), (gates, c, g, squashed)

    def tangent_map(self, gates, c, g, squashed):
        i, f, _, o = gates.chunk(4, -1)
        by_i, by_f, _, by_o = (gates - gates * gates).chunk(4, -1)
        by_new_c = o - o * squashed * squashed
        blocks = [{3: squashed * by_o}, {0: g * by_i, 1: c * by_f, 2: i - i * g * g}]
        recurrent, inputs = self.recurrent.scaled(blocks), self.input.scaled(blocks)
        forget, by_new_c = f.unsqueeze(3).unbind(), by_new_c.unsqueeze(3).unbind()

        def push(step, tangents, out, below=None):
            dh, dc = self._split(tangents)
            units = (
                out if self.projection is None else out.new_empty(*out.shape[:-1], 2 * c.shape[-1])
            )
            recurrent.push(step, dh, units)
            if below is not None:
                inputs.push(step, below, units, add=True)
            new_dh, new_dc = units.chunk(2, -1)
            new_dc.addcmul_(forget[step], dc)
            new_dh.addcmul_(by_new_c[step], new_dc)
            if self.projection is not None:
                torch.cat([self._project(new_dh), new_dc], -1, out=out)

        return push

    def _split(self, state):
        return state.split_with_sizes((self.output_size, self.recurrent.weight.shape[2]), -1)

    def _project(self, hidden):
        if self.projection is None:
            return hidden
        shape = (hidden.shape[0],) + (1,) * (hidden.ndim - 3) + self.projection.shape[1:]
        return hidden @ self.projection.view(shape).mT
