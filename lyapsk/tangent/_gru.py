"""Gated recurrent units, as ``torch.nn.GRU`` defines them."""

from dataclasses import dataclass

import torch

from ._cell import Cell


@dataclass(frozen=True)
class GRUCell(Cell):
    """``h_t = (1 - z) c + z h_{t-1}``, ``c = tanh(V_c x + r (W_c h_{t-1}))``; state ``h``."""

    def linearize(self, state, x):
        from_h, from_x = self.recurrent(state), self.input(x)
        reset, update = torch.sigmoid(from_h[:, :, :2] + from_x[:, :, :2]).unbind(2)
        candidate = torch.tanh(from_x[:, :, 2] + reset * from_h[:, :, 2])
        h = candidate + update * (state - candidate)

        by_candidate = (1 - update) * (1 - candidate * candidate)
        by_reset = by_candidate * from_h[:, :, 2] * reset * (1 - reset)
        by_update = (state - candidate) * update * (1 - update)
        state_blocks = [{0: by_reset, 1: by_update, 2: by_candidate * reset}]
        input_blocks = [{0: by_reset, 1: by_update, 2: by_candidate}]

        def push(tangents, input_tangents=None):
            pushed = self.recurrent.push(state_blocks, tangents)
            pushed.addcmul_(update.unsqueeze(2), tangents)
            if input_tangents is not None:
                pushed += self.input.push(input_blocks, input_tangents)
            return pushed

        return h, push
