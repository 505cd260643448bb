"""Elman layers: ``h_t = phi(W h_{t-1} + b + V x_t + c)``."""

from dataclasses import dataclass

from ._cell import GatedCell
from ._gates import GatedPush
from ._nonlinearities import NONLINEARITIES


@dataclass(frozen=True)
class ElmanCell(GatedCell):
    """``torch.nn.RNN`` with ``phi`` tanh, relu or the identity; the state is ``h``."""

    nonlinearity: str = "tanh"

    def from_inputs(self, x):
        return self.input.along(x) + self.recurrent.offset

    def step(self, state, from_x):
        h = NONLINEARITIES[self.nonlinearity].function(self.recurrent.onto(from_x, state))
        return h, (h,)

    def tangent_map(self, h):
        slope = NONLINEARITIES[self.nonlinearity].slope(h)
        return GatedPush(self.recurrent.scaled([{0: slope}]), self.input.scaled([{0: slope}]))
