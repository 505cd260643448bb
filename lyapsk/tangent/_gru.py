"""Gated recurrent units, as ``torch.nn.GRU`` defines them."""

from dataclasses import dataclass

import torch

from ._cell import GatedCell


@dataclass(frozen=True)
class GRUCell(GatedCell):
    """``h_t = (1 - z) c + z h_{t-1}``, ``c = tanh(V_c x + r (W_c h_{t-1}))``; state ``h``."""

    def step(self, state, from_x):
        n_units = self.output_size
        from_h = self.recurrent(state)
        gates = torch.sigmoid(from_h[..., : 2 * n_units] + from_x[..., : 2 * n_units])
        reset, update = gates.chunk(2, -1)
        recalled = from_h[..., 2 * n_units :]
        candidate = torch.tanh(torch.addcmul(from_x[..., 2 * n_units :], reset, recalled))
        h = torch.lerp(candidate, state, update)
        return h, (state, recalled, reset, update, candidate)

    def tangent_map(self, state, recalled, reset, update, candidate):
        by_candidate = (1 - update) * (1 - candidate * candidate)
        by_reset = by_candidate * recalled * reset * (1 - reset)
        by_update = (state - candidate) * update * (1 - update)
        recurrent = self.recurrent.scaled([{0: by_reset, 1: by_update, 2: by_candidate * reset}])
        inputs = self.input.scaled([{0: by_reset, 1: by_update, 2: by_candidate}])

        kept = update.unsqueeze(3).unbind()

        def push(step, tangents, out, below=None):
            recurrent.push(step, tangents, out)
            out.addcmul_(kept[step], tangents)
            if below is not None:
                inputs.push(step, below, out, add=True)

        return push
