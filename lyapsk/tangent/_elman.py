"""Elman layers: ``h_t = phi(W h_{t-1} + b + V x_t + c)``."""

from dataclasses import dataclass

import torch

from ._cell import Cell


@dataclass(frozen=True)
class ElmanCell(Cell):
    """``torch.nn.RNN`` with ``phi`` tanh or relu; the state is ``h``."""

    nonlinearity: str = "tanh"

    @property
    def shape(self):
        return (*super().shape, self.nonlinearity)

    def step(self, state, from_x):
        drive = self.recurrent(state) + from_x
        h = torch.tanh(drive) if self.nonlinearity == "tanh" else torch.relu(drive)
        return h, (h,)

    def tangent_map(self, h):
        slope = 1 - h * h if self.nonlinearity == "tanh" else (h > 0).to(h.dtype)
        recurrent, inputs = self.recurrent.scaled([{0: slope}]), self.input.scaled([{0: slope}])

        def push(step, tangents, out, below=None):
            recurrent.push(step, tangents, out)
            if below is not None:
                inputs.push(step, below, out, add=True)

        return push
