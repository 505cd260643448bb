"""The continuous-time rate network of theory."""

from dataclasses import dataclass

import torch
from torch import nn

from .._checks import check_positive
from ..tangent import GatedCell, gates
from ._base import RecurrentLayer


class RateRNN(RecurrentLayer):
    """Euler steps of ``dh/dt = -h + J tanh(h) + V x + b``; the output is ``h``.

    With couplings ``J`` drawn at random with variance ``g^2 / n`` and without input, a large
    network is chaotic where ``g`` is above 1, and goes to zero where it is below.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, device, dtype
        As for ``torch.nn.RNN``.
    step_size : float, default=0.3
        Of time, in units of the decay of a unit by itself. Exponents are per step: divide by it
        for those per unit of time.
    gain : float, default=1.0
        ``g``, with which ``J`` is drawn.

    References
    ----------
    Sompolinsky, Crisanti, Sommers (1988), "Chaos in random neural networks", Physical Review
    Letters 61, 259.

    Examples
    --------
    >>> import torch
    >>> from lyapsk.nn import RateRNN
    >>> outputs, last = RateRNN(3, 8, gain=1.5)(torch.randn(20, 5, 3))
    >>> outputs.shape, last.shape
    (torch.Size([20, 5, 8]), torch.Size([1, 5, 8]))
    """

    def __init__(self, *args, step_size=0.3, gain=1.0, **kwargs):
        constants = {
            "step_size": check_positive("step_size", step_size),
            "gain": check_positive("gain", gain),
        }
        super().__init__(*args, constants=constants, **kwargs)

    def reset_layer(self, weights):
        """Draw ``J`` with variance ``gain^2 / hidden_size``, the others as torch does."""
        super().reset_layer(weights)
        nn.init.normal_(weights["weight_hh"], std=self.gain * self.hidden_size**-0.5)

    def cell(self, weights):
        inputs = gates(weights["weight_ih"], weights.get("bias"))
        return _Cell(gates(weights["weight_hh"], None), inputs, self.step_size)


@dataclass(frozen=True)
class _Cell(GatedCell):
    step_size: float

    def step(self, state, from_x):
        rates = torch.tanh(state)
        drive = self.recurrent.onto(from_x, rates)
        return state + self.step_size * (drive - state), (rates,)

    def tangent_map(self, rates):
        slopes = (self.step_size * (1 - rates * rates)).unsqueeze(3).unbind()
        inputs = self.input.scaled([{0: torch.full_like(rates, self.step_size)}])

        def push(step, tangents, out, below=None):
            by_rate = (tangents * slopes[step]).flatten(1, 2)
            torch.bmm(by_rate, self.recurrent.matrix, out=out.flatten(1, 2))
            out.add_(tangents, alpha=1 - self.step_size)
            if below is not None:
                inputs.push(step, below, out, add=True)

        return push
