"""The antisymmetric RNN of Chang et al. (2019)."""

from dataclasses import dataclass

import torch
from torch import nn

from .._checks import check_not_negative, check_positive
from ..tangent import GatedCell, GatedPush, gates
from ._base import RecurrentLayer


class AntisymmetricRNN(RecurrentLayer):
    """``h_t = h_{t-1} + e tanh((W - W^T - g I) h_{t-1} + V x_t + b)``.

    The eigenvalues of an antisymmetric matrix are imaginary: but for diffusion and the finite
    step, nothing grows and nothing is forgotten.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, device, dtype
        As for ``torch.nn.RNN``.
    step_size : float, default=0.3
        ``e``.
    diffusion : float, default=0.1
        ``g``, not negative; makes up for the growth that finite steps bring.

    References
    ----------
    Chang, Chen, Haber, Chi (2019), "AntisymmetricRNN: a dynamical system view on recurrent neural
    networks", ICLR, arXiv 1902.09689.

    Examples
    --------
    >>> import torch
    >>> from lyapsk.nn import AntisymmetricRNN
    >>> outputs, last = AntisymmetricRNN(3, 8)(torch.randn(20, 5, 3))
    >>> outputs.shape, last.shape
    (torch.Size([20, 5, 8]), torch.Size([1, 5, 8]))
    """

    def __init__(self, *args, step_size=0.3, diffusion=0.1, **kwargs):
        constants = {
            "step_size": check_positive("step_size", step_size),
            "diffusion": check_not_negative("diffusion", diffusion),
        }
        super().__init__(*args, constants=constants, **kwargs)

    def reset_layer(self, weights):
        """Draw recurrent weights with variance ``1 / hidden_size``, others as torch does."""
        super().reset_layer(weights)
        nn.init.normal_(weights["weight_hh"], std=self.hidden_size**-0.5)

    def cell(self, weights):
        W = weights["weight_hh"]
        identity = torch.eye(self.hidden_size, device=W.device, dtype=W.dtype)
        recurrent = gates(W - W.mT - self.diffusion * identity, None)
        return _Cell(recurrent, gates(weights["weight_ih"], weights.get("bias")), self.step_size)


@dataclass(frozen=True)
class _Cell(GatedCell):
    step_size: float

    def step(self, state, from_x):
        active = torch.tanh(self.recurrent.onto(from_x, state))
        return state + self.step_size * active, (active,)

    def tangent_map(self, active):
        slope = self.step_size * (1 - active * active)
        recurrent = self.recurrent.scaled([{0: slope}], diagonal=torch.ones_like(slope))
        return GatedPush(recurrent, self.input.scaled([{0: slope}]))
