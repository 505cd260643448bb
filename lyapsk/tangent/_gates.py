"""The affine maps in front of the gates, and their part in pushing tangents."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


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
        """Map (n_networks, n_sequences, n_in) to (n_networks, n_sequences, n_gates, n_units)."""
        mapped = torch.baddbmm(self._offset, vectors, self._matrix)
        return mapped.view(*mapped.shape[:2], *self.weight.shape[1:3])

    def push(self, blocks, tangents):
        """Return ``sum_g scale_g * (W_g v)`` for every tangent vector ``v``, block by block.

        The weights are shared by all tangents of a sequence. Unless there are only a few of
        them, it is cheaper to add up the scaled weights first: one product then serves all gates
        of a block.

        Parameters
        ----------
        blocks : list of dict
            For each block of the result, the scales (n_networks, n_sequences, n_units) of the
            gates that it adds up, by the gates' positions.
        tangents : Tensor of shape (n_networks, n_sequences, k, n_in)

        Returns
        -------
        Tensor of shape (n_networks, n_sequences, k, n_blocks * n_units)
        """
        if 4 * tangents.shape[2] > self.weight.shape[-1]:
            return tangents @ self._combined(blocks).mT
        products = tangents.flatten(1, 2) @ self._matrix
        products = products.view(*tangents.shape[:3], *self.weight.shape[1:3])
        sums = [
            sum(products[..., gate, :] * scale.unsqueeze(2) for gate, scale in block.items())
            for block in blocks
        ]
        return torch.cat(sums, -1)

    @cached_property
    def _matrix(self):
        """All gates' weights (n_networks, n_in, n_gates * n_units)."""
        return self.weight.flatten(1, 2).mT

    @cached_property
    def _offset(self):
        """All gates' biases (n_networks, 1, n_gates * n_units)."""
        return self.bias.flatten(2)

    def _combined(self, blocks):
        """The matrices (n_networks, n_sequences, n_blocks * n_units, n_in) of ``push``."""
        n_networks, _, n_units, n_in = self.weight.shape
        n_sequences = next(iter(blocks[0].values())).shape[1]
        matrices = self.weight.new_empty(n_networks, n_sequences, len(blocks), n_units, n_in)
        for matrix, block in zip(matrices.unbind(2), blocks, strict=True):
            (first, scale), *others = block.items()
            torch.mul(self.weight[:, None, first], scale.unsqueeze(-1), out=matrix)
            for gate, scale in others:
                matrix.addcmul_(self.weight[:, None, gate], scale.unsqueeze(-1))
        return matrices.flatten(2, 3)
