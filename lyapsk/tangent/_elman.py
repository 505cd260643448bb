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

    def linearize(self, state, x):
        drive = (self.recurrent(state) + self.input(x)).squeeze(2)
        if self.nonlinearity == "tanh":
            h = torch.tanh(drive)
            slope = 1 - h * h
        else:
            h = torch.relu(drive)
            slope = (drive > 0).to(h.dtype)
        blocks = [{0: slope}]

        def push(tangents, input_tangents=None):
            pushed = self.recurrent.push(blocks, tangents)
            if input_tangents is not None:
                pushed += self.input.push(blocks, input_tangents)
            return pushed

        return h, push
