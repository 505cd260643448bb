"""Long expressive memory, of Rusch et al. (2022)."""

from dataclasses import dataclass

import torch

from .._checks import check_positive
from ..tangent import GatedCell, Gates, gates
from ._base import RecurrentLayer


class LEM(RecurrentLayer):
    """Long expressive memory: two states with step sizes that are gates.

    With gates ``a_t = d sigmoid(W_1 y_{t-1} + V_1 x_t + b_1)`` and
    ``b_t = d sigmoid(W_2 y_{t-1} + V_2 x_t + b_2)``,
    ``z_t = (1 - a_t) z_{t-1} + a_t tanh(W_z y_{t-1} + V_z x_t + b_z)`` and
    ``y_t = (1 - b_t) y_{t-1} + b_t tanh(W_y z_t + V_y x_t + b_y)``. The output is ``y``; the state
    is the pair ``(y, z)``, as that of an LSTM is ``(h, c)``.

    Rows of ``weight_ih`` and ``bias`` are those of 1, 2, z and y in turn, rows of ``weight_hh``
    those of 1, 2 and z; ``weight_zy`` is ``W_y``.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, device, dtype
        As for ``torch.nn.LSTM``.
    step_size : float, default=1.0
        ``d``.

    References
    ----------
    Rusch, Mishra, Erichson, Mahoney (2022), "Long expressive memory for sequence modeling", ICLR,
    arXiv 2110.04744, equation 4.

    Examples
    --------
    >>> import torch
    >>> from lyapsk.nn import LEM
    >>> outputs, (y, z) = LEM(3, 8)(torch.randn(20, 5, 3))
    >>> outputs.shape, z.shape
    (torch.Size([20, 5, 8]), torch.Size([1, 5, 8]))
    """

    n_parts = 2

    def __init__(self, *args, step_size=1.0, **kwargs):
        constants = {"step_size": check_positive("step_size", step_size)}
        super().__init__(*args, constants=constants, **kwargs)

    def shapes(self, width):
        n = self.hidden_size
        bias = {"bias": (4 * n,)} if self.bias else {}
        return {"weight_ih": (4 * n, width), "weight_hh": (3 * n, n), "weight_zy": (n, n)} | bias

    def cell(self, weights):
        return _Cell(
            gates(weights["weight_hh"], None, 3),
            gates(weights["weight_ih"], weights.get("bias"), 4),
            gates(weights["weight_zy"], None),
            self.step_size,
        )


@dataclass(frozen=True)
class _Cell(GatedCell):
    """Gates 1, 2 and z read ``y_{t-1}``; ``inner`` reads ``z_t``."""

    inner: Gates
    step_size: float

    @property
    def state_size(self):
        return 2 * self.output_size

    def step(self, state, from_x):
        y, z = state.chunk(2, -1)
        *from_x, from_x_to_y = from_x.chunk(4, -1)
        drives = [a + b for a, b in zip(self.recurrent(y).chunk(3, -1), from_x, strict=True)]
        a, b = (self.step_size * torch.sigmoid(drive) for drive in drives[:2])
        to_z = torch.tanh(drives[2])
        new_z = z + a * (to_z - z)
        to_y = torch.tanh(self.inner(new_z) + from_x_to_y)
        new_y = y + b * (to_y - y)
        return torch.cat([new_y, new_z], -1), (y, z, a, b, to_y, to_z)

    def tangent_map(self, y, z, a, b, to_y, to_z):
        by_a = (to_z - z) * a * (1 - a / self.step_size)
        by_b = (to_y - y) * b * (1 - b / self.step_size)
        into_z, into_y = a * (1 - to_z * to_z), b * (1 - to_y * to_y)
        recurrent = self.recurrent.scaled([{1: by_b}, {0: by_a, 2: into_z}])
        inputs = self.input.scaled([{1: by_b, 3: into_y}, {0: by_a, 2: into_z}])
        inner = self.inner.scaled([{0: into_y}])
        kept = (1 - torch.cat([b, a], -1)).unsqueeze(3).unbind()

        def push(step, tangents, out, below=None):
            dy = tangents[..., : y.shape[-1]]
            recurrent.push(step, dy, out)
            out.addcmul_(kept[step], tangents)
            if below is not None:
                inputs.push(step, below, out, add=True)
            new_dy, new_dz = out.chunk(2, -1)
            inner.push(step, new_dz, new_dy, add=True)

        return push
