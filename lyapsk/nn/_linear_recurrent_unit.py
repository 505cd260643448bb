"""The linear recurrent unit of Orvieto et al. (2023)."""

from dataclasses import dataclass
from math import pi
from numbers import Real

import torch
from torch import Tensor, nn

from .._checks import check_range, refusal
from ..tangent import DrivenCell, Gates, gates
from ._base import RecurrentLayer


class LRU(RecurrentLayer):
    """``s_t = l s_{t-1} + c B x_t`` with complex ``l`` and ``B``; out goes ``Re(C s_t) + D x_t``.

    ``l = exp(-exp(n) + i exp(t))`` is a vector within the unit circle, and ``c`` normalises. The
    state is the pair of the real and the imaginary part of ``s``, each of ``hidden_size``. The
    exponents are ``log abs(l)``, each twice, whatever the inputs.

    ``n``, ``t`` and the logarithm of ``c`` are ``log_decay``, ``log_phase`` and ``log_scale``; rows
    of ``weight_ih`` are the real and then the imaginary part of ``B``, columns of ``weight_ho``
    those of the conjugate of ``C``; ``weight_io`` is ``D``.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, device, dtype
        As for ``torch.nn.LSTM``; ``bias`` is that of the output.
    radius : (low, high), default=(0.5, 0.999)
        ``abs(l)`` is drawn uniformly from the ring between, both within 0 and 1.

    References
    ----------
    Orvieto, Smith, Gu, Fernando, Gulcehre, Pascanu, De (2023), "Resurrecting recurrent neural
    networks for long sequences", ICML, arXiv 2303.06349, section 3 and appendix A.

    Examples
    --------
    >>> import torch
    >>> from lyapsk.nn import LRU
    >>> outputs, (real, imaginary) = LRU(3, 8)(torch.randn(20, 5, 3))
    >>> outputs.shape, real.shape
    (torch.Size([20, 5, 8]), torch.Size([1, 5, 8]))
    """

    n_parts = 2

    def __init__(self, *args, radius=(0.5, 0.999), **kwargs):
        super().__init__(
            *args, constants={"radius": check_range("radius", radius, _in_circle)}, **kwargs
        )

    def shapes(self, width):
        n = self.hidden_size
        free = {"log_decay": (n,), "log_phase": (n,), "log_scale": (n,)}
        maps = {"weight_ih": (2 * n, width), "weight_ho": (n, 2 * n), "weight_io": (n, width)}
        return free | maps | ({"bias": (n,)} if self.bias else {})

    def reset_layer(self, weights):
        """Draw ``l`` uniformly from the ring, ``B``, ``C`` and ``D`` from normal distributions."""
        low, high = self.radius
        square, turn = torch.rand(2, self.hidden_size, dtype=torch.float64)
        square = low**2 + (high**2 - low**2) * square
        weights["log_decay"].copy_((-square.log() / 2).log())
        weights["log_phase"].copy_((2 * pi * (1 - turn)).log())
        weights["log_scale"].copy_((1 - square).log() / 2)
        width = weights["weight_ih"].shape[1]
        nn.init.normal_(weights["weight_ih"], std=(2 * width) ** -0.5)
        nn.init.normal_(weights["weight_ho"], std=self.hidden_size**-0.5)
        nn.init.normal_(weights["weight_io"], std=width**-0.5)
        if self.bias:
            nn.init.zeros_(weights["bias"])

    def cell(self, weights):
        decay, phase = weights["log_decay"].exp(), weights["log_phase"].exp()
        scale = weights["log_scale"].exp().repeat(1, 2).unsqueeze(-1)
        return _Cell(
            decay.unsqueeze(1),
            torch.stack([phase.cos(), phase.sin()], 1) * torch.exp(-decay).unsqueeze(1),
            gates(scale * weights["weight_ih"], None),
            gates(weights["weight_ho"], None),
            gates(weights["weight_io"], weights.get("bias")),
        )


@dataclass(frozen=True)
class _Cell(DrivenCell):
    """The state is ``(Re s, Im s)``.

    Attributes
    ----------
    decay : Tensor of shape (n_networks, 1, n_units)
        ``-log abs(l)``.
    turn : Tensor of shape (n_networks, 2, n_units)
        Real and imaginary part of ``l``.
    input, readout, skip : Gates
        ``c B``, ``C`` and ``D``.
    """

    diagonal = True

    decay: Tensor
    turn: Tensor
    input: Gates
    readout: Gates
    skip: Gates

    @property
    def output_size(self):
        return self.readout.weight.shape[2]

    @property
    def state_size(self):
        return self.readout.weight.shape[3]

    def step(self, state, from_x):
        return self._turned(state) + from_x, ()

    def tangent_map(self):
        def push(step, tangents, out, below=None):
            turned = self._turned(tangents.flatten(1, 2)).view_as(tangents)
            out.copy_(turned if below is None else turned + below @ self.input.matrix.unsqueeze(1))

        return push

    def output(self, state, x):
        offset = self.skip.bias[:, :, 0]
        return state @ self.readout.matrix + x @ self.skip.matrix + offset

    def push_output(self, tangents, below):
        outputs = tangents @ self.readout.matrix.unsqueeze(1)
        return outputs if below is None else outputs + below @ self.skip.matrix.unsqueeze(1)

    def log_growth(self, states, state, x):
        return -self.decay.repeat(1, 1, 2).expand_as(states)

    def _turned(self, vectors):
        """``l`` times complex vectors (n_networks, n_vectors, 2 n_units)."""
        real, imaginary = vectors.chunk(2, -1)
        a, b = self.turn.unsqueeze(2).unbind(1)
        return torch.cat([a * real - b * imaginary, b * real + a * imaginary], -1)


def _in_circle(name, value):
    if not (isinstance(value, Real) and 0 < value < 1):
        raise refusal(name, value, "between 0 and 1")
    return float(value)
