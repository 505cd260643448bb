"""The affine maps in front of the gates, and their part in pushing tangents."""

from dataclasses import dataclass

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
        rows = self.weight.flatten(1, 2)
        return (vectors @ rows.mT).unflatten(-1, self.weight.shape[1:3]) + self.bias

    def __getitem__(self, gates):
        """The maps of a slice of the gates."""
        return Gates(self.weight[:, gates], self.bias[:, :, gates])

    def push(self, scales, tangents):
        """Return ``sum_g scales_g * (W_g v)`` for every tangent vector ``v``.

        The weights are shared by all tangents of a sequence, so it is cheaper to add up the
        scaled weights first, unless there are only a few tangents.

        Parameters
        ----------
        scales : Tensor of shape (n_networks, n_sequences, n_gates, n_units)
        tangents : Tensor of shape (n_networks, n_sequences, k, n_in)

        Returns
        -------
        Tensor of shape (n_networks, n_sequences, k, n_units)
        """
        if 4 * tangents.shape[2] > self.weight.shape[-1]:
            matrix = torch.einsum("pghm,pbgh->pbhm", self.weight, scales)
            return tangents @ matrix.mT
        products = tangents.flatten(1, 2) @ self.weight.flatten(1, 2).mT
        products = products.view(*tangents.shape[:3], *self.weight.shape[1:3])
        return torch.einsum("pbkgh,pbgh->pbkh", products, scales)
