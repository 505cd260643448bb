"""The Lipschitz RNN of Erichson et al. (2021)."""

from dataclasses import dataclass

import torch
from torch import nn

from .._checks import check_not_negative, check_positive, refusal
from ..tangent import GatedCell, GatedPush, gates
from ._base import RecurrentLayer


class LipschitzRNN(RecurrentLayer):
    """``h_t = h_{t-1} + e (A h_{t-1} + tanh(W h_{t-1} + V x_t + b))``.

    ``A`` and ``W`` are each ``(1 - s) (M + M^T) + s (M - M^T) - g I`` of a free matrix ``M``: the
    share ``s`` of the antisymmetric part and the shift ``g`` hold their eigenvalues to the left.
    ``M`` is ``weight_linear`` for ``A`` and ``weight_hh`` for ``W``.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, device, dtype
        As for ``torch.nn.RNN``.
    step_size : float, default=0.3
        ``e`` of the forward Euler step.
    antisymmetric : float, default=0.75
        ``s``, from 0 to 1; ``beta`` of the paper.
    shift : float, default=0.001
        ``g``, not negative; ``gamma`` of the paper.

    References
    ----------
    Erichson, Azencot, Queiruga, Hodgkinson, Mahoney (2021), "Lipschitz recurrent neural networks",
    ICLR, arXiv 2006.12070, equations 2, 3 and 9.

    Examples
    --------
    >>> import torch
    >>> from lyapsk.nn import LipschitzRNN
    >>> outputs, last = LipschitzRNN(3, 8)(torch.randn(20, 5, 3))
    >>> outputs.shape, last.shape
    (torch.Size([20, 5, 8]), torch.Size([1, 5, 8]))
    """

    def __init__(self, *args, step_size=0.3, antisymmetric=0.75, shift=0.001, **kwargs):
        constants = {
            "step_size": check_positive("step_size", step_size),
            "antisymmetric": check_not_negative("antisymmetric", antisymmetric),
            "shift": check_not_negative("shift", shift),
        }
        if antisymmetric > 1:
            raise refusal("antisymmetric", antisymmetric, "a number from 0 to 1")
        super().__init__(*args, constants=constants, **kwargs)

    def shapes(self, width):
        return super().shapes(width) | {"weight_linear": (self.hidden_size, self.hidden_size)}

    def reset_layer(self, weights):
        """Draw ``M`` with variance ``0.1 / hidden_size``, the others as torch does."""
        super().reset_layer(weights)
        for name in ("weight_hh", "weight_linear"):
            nn.init.normal_(weights[name], std=(0.1 / self.hidden_size) ** 0.5)

    def cell(self, weights):
        A, W = (self._held(weights[name]) for name in ("weight_linear", "weight_hh"))
        recurrent = gates(torch.cat([A, W], 1), None, 2)
        return _Cell(recurrent, gates(weights["weight_ih"], weights.get("bias")), self.step_size)

    def _held(self, M):
        s = self.antisymmetric
        identity = torch.eye(self.hidden_size, device=M.device, dtype=M.dtype)
        return (1 - s) * (M + M.mT) + s * (M - M.mT) - self.shift * identity


@dataclass(frozen=True)
class _Cell(GatedCell):
    step_size: float

    def step(self, state, from_x):
        linear, drive = self.recurrent(state).chunk(2, -1)
        active = torch.tanh(drive + from_x)
        return state + self.step_size * (linear + active), (active,)

    def tangent_map(self, active):
        slope = self.step_size * (1 - active * active)
        by_gate = {0: torch.full_like(slope, self.step_size), 1: slope}
        recurrent = self.recurrent.scaled([by_gate], diagonal=torch.ones_like(slope))
        return GatedPush(recurrent, self.input.scaled([{0: slope}]))
