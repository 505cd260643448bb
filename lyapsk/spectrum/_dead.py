"""Which directions have died, as far as rounding error lets one see."""

from dataclasses import dataclass

import torch
from torch import Tensor

RESOLUTION = {dtype: torch.finfo(dtype).eps ** 0.85 for dtype in (torch.float32, torch.float64)}
"""Relative size below which what is left of a column is taken for rounding error: about
``exp(-13)`` and ``exp(-30)``."""


@dataclass(frozen=True)
class Dead:
    """Directions that no perturbation can take any more, from one step on.

    A direction is dead where what is left of its column cannot be told from rounding error: that
    of the step, or that of earlier steps. These have tilted the frame towards dead directions,
    which the next steps move along with the others: from ``J Q = Q' R`` follows
    ``J Q (1 + E) = Q' (1 + R E R^-1) R`` for small tilts ``E``. Those towards live directions
    change no span once all that die have died.

    Attributes
    ----------
    mask : Tensor of bool of shape (..., k)
    tilt : Tensor of shape (..., k, k), or None
        Entry (i, j): of the live column j towards the dead column i. None where nothing is dead,
        as far as this is known without waiting for a GPU.
    """

    mask: Tensor
    tilt: Tensor | None = None

    @classmethod
    def none(cls, columns):
        """Of a frame whose growth is of the shape of ``columns`` (..., k)."""
        return cls(torch.zeros_like(columns, dtype=torch.bool))

    def after(self, R, scale):
        """What is dead after a push.

        Parameters
        ----------
        R : Tensor of shape (..., k, k)
            Its triangular factor.
        scale : Tensor of shape (..., k)
            How large the numbers were whose rounding error is in each entry of ``diag R``.

        Returns
        -------
        Dead
        """
        error = RESOLUTION[R.dtype] * scale
        moved = error.unsqueeze(-2)
        if self.tilt is not None:
            carried = R @ self.tilt
            moved = moved + carried
            error = torch.maximum(error, torch.linalg.vector_norm(carried.tril(), dim=-2))
        mask = self.mask | (R.diagonal(dim1=-2, dim2=-1).abs() <= error)
        if mask.device.type == "cpu" and not mask.any():
            return Dead(mask)
        live, dead = ~mask.unsqueeze(-2), mask.unsqueeze(-1)
        one = torch.eye(R.shape[-1], dtype=R.dtype, device=R.device)
        R = torch.where(live & ~dead, R, one)
        moved = (live & dead) * moved
        return Dead(mask, torch.linalg.solve_triangular(R, moved, upper=True, left=False))
