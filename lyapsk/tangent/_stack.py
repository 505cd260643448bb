"""Stacked layers as one dynamical system."""

from dataclasses import dataclass

import torch

from ._cell import concatenate
from ._dynamics import Dynamics


@dataclass(frozen=True)
class Stack(Dynamics):
    """Layers in which each reads the new output of the one below.

    The state holds the layers' states one after the other, so that the Jacobian is block lower
    triangular.

    Attributes
    ----------
    cells : tuple of Cell
        From the lowest layer to the highest.
    """

    cells: tuple

    @property
    def n_networks(self):
        return self.cells[0].n_networks

    @property
    def input_size(self):
        """Width of the inputs that the lowest layer takes."""
        return self.cells[0].input.weight.shape[-1]

    @property
    def state_sizes(self):
        """State entries of each layer, in the order in which the state holds them."""
        return [cell.state_size for cell in self.cells]

    @property
    def state_size(self):
        return sum(self.state_sizes)

    @property
    def shape(self):
        return (self.input_size, *(cell.shape for cell in self.cells))

    @classmethod
    def concatenate(cls, stacks):
        """Join the networks of stacks of one ``shape``."""
        layers = zip(*(stack.cells for stack in stacks), strict=True)
        return cls(tuple(concatenate(layer) for layer in layers))

    def linearize(self, state, inputs):
        if len(self.cells) == 1:
            return self.cells[0].linearize(state, inputs)
        states, pushes = [], []
        for cell, part in zip(self.cells, state.split(self.state_sizes, -1), strict=True):
            followed, push = cell.linearize(part, inputs)
            inputs = followed[..., : cell.output_size]
            states.append(followed)
            pushes.append(push)

        def push_all(step, tangents, out):
            below = None
            parts, targets = (v.split(self.state_sizes, -1) for v in (tangents, out))
            for cell, push, part, target in zip(self.cells, pushes, parts, targets, strict=True):
                push(step, part, target, below)
                below = target[..., : cell.output_size]

        return torch.cat(states, -1), push_all
