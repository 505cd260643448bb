"""The coupled oscillatory RNN of Rusch and Mishra (2021)."""

from dataclasses import dataclass

import torch

from .._checks import check_not_negative, check_positive
from ..tangent import GatedCell, gates
from ._base import RecurrentLayer


class CoRNN(RecurrentLayer):
    """Driven, damped oscillators with positions ``y`` and velocities ``z``; the output is ``y``.

    ``z_t = z_{t-1} + d (tanh(W y_{t-1} + U z_{t-1} + V x_t + b) - g y_{t-1} - e z_{t-1})`` and
    ``y_t = y_{t-1} + d z_t``. The state is the pair ``(y, z)``, as that of an LSTM is ``(h, c)``.
    Columns of ``weight_hh`` are those of ``W`` and then of ``U``.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, device, dtype
        As for ``torch.nn.LSTM``.
    step_size : float, default=0.3
        ``d``.
    stiffness : float, default=1.0
        ``g``: squared frequency of an oscillator by itself.
    damping : float, default=1.0
        ``e``, not negative.

    References
    ----------
    Rusch, Mishra (2021), "Coupled oscillatory recurrent neural network (coRNN): an accurate and
    (gradient) stable architecture for learning long time dependencies", ICLR, arXiv 2010.00951,
    equation 3 with damping at the old velocity.

    Examples
    --------
    >>> import torch
    >>> from lyapsk.nn import CoRNN
    >>> outputs, (y, z) = CoRNN(3, 8)(torch.randn(20, 5, 3))
    >>> outputs.shape, z.shape
    (torch.Size([20, 5, 8]), torch.Size([1, 5, 8]))
    """

    n_parts = 2

    def __init__(self, *args, step_size=0.3, stiffness=1.0, damping=1.0, **kwargs):
        constants = {
            "step_size": check_positive("step_size", step_size),
            "stiffness": check_positive("stiffness", stiffness),
            "damping": check_not_negative("damping", damping),
        }
        super().__init__(*args, constants=constants, **kwargs)

    def shapes(self, width):
        return super().shapes(width) | {"weight_hh": (self.hidden_size, 2 * self.hidden_size)}

    def cell(self, weights):
        recurrent = gates(weights["weight_hh"], None)
        inputs = gates(weights["weight_ih"], weights.get("bias"))
        return _Cell(recurrent, inputs, self.step_size, self.stiffness, self.damping)


@dataclass(frozen=True)
class _Cell(GatedCell):
    """The recurrent map reads ``(y, z)``."""

    step_size: float
    stiffness: float
    damping: float

    @property
    def output_size(self):
        return self.recurrent.weight.shape[2]

    @property
    def state_size(self):
        return 2 * self.output_size

    def step(self, state, from_x):
        y, z = state.chunk(2, -1)
        active = torch.tanh(self.recurrent.onto(from_x, state))
        z = z + self.step_size * (active - self.stiffness * y - self.damping * z)
        return torch.cat([y + self.step_size * z, z], -1), (active,)

    def tangent_map(self, active):
        slope = self.step_size * (1 - active * active)
        recurrent, inputs = self.recurrent.scaled([{0: slope}]), self.input.scaled([{0: slope}])

        def push(step, tangents, out, below=None):
            dy, dz = tangents.chunk(2, -1)
            new_dy, new_dz = out.chunk(2, -1)
            recurrent.push(step, tangents, new_dz)
            if below is not None:
                inputs.push(step, below, new_dz, add=True)
            new_dz.add_(dz, alpha=1 - self.step_size * self.damping)
            new_dz.sub_(dy, alpha=self.step_size * self.stiffness)
            torch.add(dy, new_dz, alpha=self.step_size, out=new_dy)

        return push
