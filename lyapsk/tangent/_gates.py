"""The affine maps in front of the gates, and their part in pushing tangents."""

from dataclasses import dataclass
from functools import cached_property
from math import prod

import torch
from torch import Tensor

COMBINED_AT_ONCE = 2**16
"""Entries of combined weights that stay in a core's cache."""


@dataclass(frozen=True)
class Gates:
    """Affine maps ``W_g h + b_g`` of all gates ``g`` of a cell, for every network.

    Attributes
    ----------
    weight : Tensor of shape (n_networks, n_gates, n_units, n_in)
    bias : Tensor of shape (n_networks, 1, n_gates, n_units)
    """

    weight: Tensor
    bias: Tensor

    def __call__(self, vectors):
        """Map (n_networks, n_vectors, n_in) to (n_networks, n_vectors, n_gates * n_units)."""
        return self.onto(self.offset, vectors)

    def onto(self, offset, vectors):
        """The same with another offset (n_networks, n_vectors, n_gates * n_units)."""
        return torch.baddbmm(offset, vectors, self.matrix)

    def along(self, vectors):
        """Map (n_steps, n_networks, n_sequences, n_in) to (n_steps, n_networks, ...) at once."""
        n_steps, _, n_sequences, _ = vectors.shape
        mapped = self(vectors.transpose(0, 1).flatten(1, 2))
        return mapped.unflatten(1, (n_steps, n_sequences)).transpose(0, 1)

    def scaled(self, blocks, diagonal=None):
        """The maps ``v -> sum_g scale_g * (W_g v) + diagonal * v`` of several steps.

        Parameters
        ----------
        blocks : list of dict
            For each block of the result, the scales (n_steps, n_networks, n_sequences, n_units)
            of the gates that it adds up, by the gates' positions.
        diagonal : Tensor of shape (n_steps, n_networks, n_sequences, n_units), optional
            Where there is one block, as wide as ``v``.
        """
        return ScaledGates(self, blocks, diagonal)

    @cached_property
    def matrix(self):
        """All gates' weights (n_networks, n_in, n_gates * n_units)."""
        return self.weight.flatten(1, 2).mT

    @cached_property
    def of_gate(self):
        """For each gate its weights (n_networks, 1, n_units, n_in)."""
        return self.weight.unsqueeze(1).unbind(2)

    @cached_property
    def offset(self):
        """All gates' biases (n_networks, 1, n_gates * n_units)."""
        return self.bias.flatten(2)


class ScaledGates:
    """See ``Gates.scaled``.

    The weights are shared by all tangents of a sequence. With one gate, or few tangents, they
    are applied as they are and the products scaled; else it is cheaper to scale and add up the
    weights first: one product then serves all gates of a block.
    """

    def __init__(self, gates, blocks, diagonal):
        self._gates, self._blocks, self._diagonal = gates, blocks, diagonal
        _, self._n_gates, _, self._n_in = gates.weight.shape
        self._group = None

    def push(self, step, tangents, out, *, add=False):
        """Write the image of tangents (n_networks, n_sequences, k, n_in) to ``out``.

        Parameters
        ----------
        step : int
            Which step's scales.
        out : Tensor of shape (n_networks, n_sequences, k, n_blocks * n_units)
        add : bool
            Whether to add to what ``out`` holds.
        """
        if self._n_gates > 1 and 4 * tangents.shape[2] > self._n_in:
            combined = self._combined(step)
            out.flatten(0, 1).baddbmm_(tangents.flatten(0, 1), combined, beta=int(add))
            return
        if self._n_gates == 1 and not add:
            torch.bmm(tangents.flatten(1, 2), self._gates.matrix, out=out.flatten(1, 2))
            out.mul_(self._by_step[0][0][step])
        else:
            self._push_apart(step, tangents, out, add)
        if self._diagonal is not None:
            out.addcmul_(self._kept[step], tangents)

    def _push_apart(self, step, tangents, out, add):
        products = tangents.flatten(1, 2) @ self._gates.matrix
        products = products.view(*tangents.shape[:3], *self._gates.weight.shape[1:3])
        for target, block in zip(out.chunk(len(self._blocks), -1), self._by_step, strict=True):
            if not add:
                target.zero_()
            for gate, scales in block.items():
                target.addcmul_(products[..., gate, :], scales[step])

    @cached_property
    def _by_step(self):
        """The blocks' scales for each step, (n_networks, n_sequences, 1, n_units)."""
        return [
            {gate: scales.unsqueeze(3).unbind() for gate, scales in block.items()}
            for block in self._blocks
        ]

    @cached_property
    def _kept(self):
        """The diagonal of each step, (n_networks, n_sequences, 1, n_units)."""
        return self._diagonal.unsqueeze(3).unbind()

    def _combined(self, step):
        """The matrices (n_networks * n_sequences, n_in, n_blocks * n_units) of one step."""
        group, position = divmod(step, len(self._room))
        if group != self._group:
            first = step - position
            self._combine(slice(first, first + len(self._room)))
            self._group = group
        return self._matrices[position]

    def _combine(self, steps):
        """Scale and add up the weights of several steps."""
        for room, block in zip(self._room.unbind(3), self._blocks, strict=True):
            for index, (gate, scales) in enumerate(block.items()):
                scales = scales[steps].unsqueeze(-1)
                matrices = room[: len(scales)]
                if index == 0:
                    torch.mul(self._gates.of_gate[gate], scales, out=matrices)
                else:
                    matrices.addcmul_(self._gates.of_gate[gate], scales)
        if self._diagonal is not None:
            kept = self._diagonal[steps]
            self._room[: len(kept), :, :, 0].diagonal(dim1=-2, dim2=-1).add_(kept)

    @cached_property
    def _room(self):
        """For the matrices of as many steps as suit a cache."""
        n_networks, _, n_units, n_in = self._gates.weight.shape
        n_steps, _, n_sequences, _ = next(iter(self._blocks[0].values())).shape
        shape = (n_networks, n_sequences, len(self._blocks), n_units, n_in)
        n_at_once = max(1, min(n_steps, COMBINED_AT_ONCE // prod(shape)))
        return self._gates.weight.new_empty(n_at_once, *shape)

    @cached_property
    def _matrices(self):
        """The room of each step."""
        return self._room.flatten(1, 2).flatten(2, 3).mT.unbind()


class GatedPush:
    """Push of a cell whose Jacobian is that of its gates, see ``Cell.linearize``.

    Parameters
    ----------
    recurrent, inputs : ScaledGates
    """

    def __init__(self, recurrent, inputs):
        self._recurrent, self._inputs = recurrent, inputs

    def __call__(self, step, tangents, out, below=None):
        self._recurrent.push(step, tangents, out)
        if below is not None:
            self._inputs.push(step, below, out, add=True)
