"""Gated recurrent units, as ``torch.nn.GRU`` defines them."""

from dataclasses import dataclass

import torch

from ._cell import GatedCell
from ._gates import GatedPush


@dataclass(frozen=True)
class GRUCell(GatedCell):
    """``h_t = (1 - z) c + z h_{t-1}``, ``c = tanh(V_c x + r (W_c h_{t-1}))``; state ``h``."""

    def from_inputs(self, x):
        to_reset, to_update, to_candidate = self.input.along(x).chunk(3, -1)
        beside_state = torch.cat([to_reset, to_update, torch.zeros_like(to_candidate)], -1)
        return zip(beside_state + self.recurrent.offset, to_candidate, strict=True)

    def step(self, state, from_x):
        beside_state, to_candidate = from_x
        drives = self.recurrent.onto(beside_state, state)
        reset, update, _ = torch.sigmoid(drives).chunk(3, -1)
        recalled = drives.chunk(3, -1)[2]
        candidate = torch.tanh(torch.addcmul(to_candidate, reset, recalled))
        h = torch.lerp(candidate, state, update)
        return h, (state, recalled, reset, update, candidate)

    def tangent_map(self, state, recalled, reset, update, candidate):
        changed = 1 - update
        by_candidate = changed * (1 - candidate * candidate)
        by_recalled = by_candidate * reset
        by_reset = by_recalled * recalled * (1 - reset)
        by_update = (state - candidate) * update * changed
        return GatedPush(
            self.recurrent.scaled([{0: by_reset, 1: by_update, 2: by_recalled}], diagonal=update),
            self.input.scaled([{0: by_reset, 1: by_update, 2: by_candidate}]),
        )
