"""Minimal gated layers, of Feng et al. (2024)."""

from dataclasses import dataclass

import torch
from torch import nn

from ..tangent import DiagonalCell, gates
from ._base import RecurrentLayer


class _Minimal(RecurrentLayer):
    """Gates that see the input alone."""

    n_gates = 2
    cell_type = None

    def shapes(self, width):
        n = self.n_gates * self.hidden_size
        return {"weight_ih": (n, width)} | ({"bias": (n,)} if self.bias else {})

    def reset_layer(self, weights):
        """Draw weights as ``torch.nn.Linear`` does."""
        bound = weights["weight_ih"].shape[1] ** -0.5
        for weight in weights.values():
            nn.init.uniform_(weight, -bound, bound)

    def cell(self, weights):
        return self.cell_type(gates(weights["weight_ih"], weights.get("bias"), self.n_gates))


@dataclass(frozen=True)
class _GRUCell(DiagonalCell):
    def step(self, state, from_x):
        drive, candidate = from_x.chunk(2, -1)
        update = torch.sigmoid(drive)
        slope = (candidate - state) * update * (1 - update)
        return torch.lerp(state, candidate, update), (1 - update, slope, update)


@dataclass(frozen=True)
class _LSTMCell(DiagonalCell):
    def step(self, state, from_x):
        forget, admit, candidate = from_x.chunk(3, -1)
        log = nn.functional.logsigmoid
        # f / (f + i), without dividing what may be nothing by nothing.
        kept = torch.sigmoid(log(forget) - log(admit))
        slope = (state - candidate) * kept * (1 - kept)
        slopes = slope * torch.sigmoid(-forget), -slope * torch.sigmoid(-admit), 1 - kept
        return torch.lerp(candidate, state, kept), (kept, *slopes)


class MinGRU(_Minimal):
    """``h_t = (1 - z_t) h_{t-1} + z_t (V_c x_t + b_c)`` with ``z_t = sigmoid(V_z x_t + b_z)``.

    Its exponents are means of ``log(1 - z_t)``: never above zero, and without a frame.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, device, dtype
        As for ``torch.nn.GRU``.

    References
    ----------
    Feng, Tung, Ahmed, Bengio, Hajimirsadeghi (2024), "Were RNNs all we needed?", arXiv 2410.01201,
    section 3.1.

    Examples
    --------
    >>> import torch
    >>> from lyapsk.nn import MinGRU
    >>> outputs, last = MinGRU(3, 8)(torch.randn(20, 5, 3))
    >>> outputs.shape, last.shape
    (torch.Size([20, 5, 8]), torch.Size([1, 5, 8]))
    """

    cell_type = _GRUCell


class MinLSTM(_Minimal):
    """``h_t = f'_t h_{t-1} + i'_t (V_c x_t + b_c)``, where ``f'_t`` and ``i'_t`` sum to 1.

    ``f'_t = f_t / (f_t + i_t)`` and ``i'_t = i_t / (f_t + i_t)`` of gates ``f_t = sigmoid(V_f x_t +
    b_f)`` and ``i_t = sigmoid(V_i x_t + b_i)``. Its exponents are means of ``log f'_t``: never
    above zero, and without a frame. The state is ``h`` alone.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, device, dtype
        As for ``torch.nn.GRU``.

    References
    ----------
    Feng, Tung, Ahmed, Bengio, Hajimirsadeghi (2024), "Were RNNs all we needed?", arXiv 2410.01201,
    section 3.2.

    Examples
    --------
    >>> import torch
    >>> from lyapsk.nn import MinLSTM
    >>> outputs, last = MinLSTM(3, 8)(torch.randn(20, 5, 3))
    >>> outputs.shape, last.shape
    (torch.Size([20, 5, 8]), torch.Size([1, 5, 8]))
    """

    n_gates = 3
    cell_type = _LSTMCell
