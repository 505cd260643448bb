"""Gated recurrent units, as ``torch.nn.GRU`` defines them."""

from dataclasses import dataclass
from functools import cached_property

import torch

from ._cell import GatedCell


@dataclass(frozen=True)
class GRUCell(GatedCell):
    """``h_t = (1 - z) c + z h_{t-1}``, ``c = tanh(V_c x + r (W_c h_{t-1}))``; state ``h``."""

    def from_inputs(self, x):
        n_units = self.output_size
        to_gates, to_candidate = self.input.along(x).split((2 * n_units, n_units), -1)
        return zip(to_gates + self._to_gates.offset, to_candidate, strict=True)

    def step(self, state, from_x):
        to_gates, to_candidate = from_x
        reset, update = torch.sigmoid(self._to_gates.onto(to_gates, state)).chunk(2, -1)
        recalled = self._to_candidate(state)
        candidate = torch.tanh(torch.addcmul(to_candidate, reset, recalled))
        h = torch.lerp(candidate, state, update)
        return h, (state, recalled, reset, update, candidate)

    def tangent_map(self, state, recalled, reset, update, candidate):
        changed = 1 - update
        by_candidate = changed * (1 - candidate * candidate)
        by_recalled = by_candidate * reset
        by_reset = by_recalled * recalled * (1 - reset)
        by_update = (state - candidate) * update * changed
        recurrent = self.recurrent.scaled([{0: by_reset, 1: by_update, 2: by_recalled}])
        inputs = self.input.scaled([{0: by_reset, 1: by_update, 2: by_candidate}])

        kept = update.unsqueeze(3).unbind()

        def push(step, tangents, out, below=None):
            recurrent.push(step, tangents, out)
            out.addcmul_(kept[step], tangents)
            if below is not None:
                inputs.push(step, below, out, add=True)

        return push

    @cached_property
    def _to_gates(self):
        return self.recurrent[:2]

    @cached_property
    def _to_candidate(self):
        return self.recurrent[2:]
