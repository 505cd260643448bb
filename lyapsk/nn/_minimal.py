"""Minimal gated layers, of Feng et al. (2024)."""

from dataclasses import dataclass
from math import log

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
        """Draw weights as ``torch.nn.Linear`` does, and biases so that units differ in memory.

        Without inputs each unit keeps its state for a time that is drawn log-uniformly from 2 to
        100 steps, in the way of Tallec and Ollivier (2018), ICLR, arXiv 1804.11188.
        """
        bound = weights["weight_ih"].shape[1] ** -0.5
        for weight in weights.values():
            nn.init.uniform_(weight, -bound, bound)
        if self.bias:
            times = torch.empty(self.hidden_size).uniform_(log(2), log(100)).exp()
            self.keep_for(times, *weights["bias"].chunk(self.n_gates))

    def cell(self, weights):
        return self.cell_type(gates(weights["weight_ih"], weights.get("bias"), self.n_gates))


@dataclass(frozen=True)
class _GRUCell(DiagonalCell):
    def step(self, state, from_x):
        drive, candidate = from_x.chunk(2, -1)
        # Not 1 - update, whose logarithm is lost where next to nothing is kept.
        update, kept = torch.sigmoid(drive), torch.sigmoid(-drive)
        slope = (candidate - state) * update * kept
        return state + update * (candidate - state), (kept, slope, update)


@dataclass(frozen=True)
class _LSTMCell(DiagonalCell):
    def step(self, state, from_x):
        forget, admit, candidate = from_x.chunk(3, -1)
        log_gate = nn.functional.logsigmoid
        # f / (f + i), without dividing what may be nothing by nothing.
        kept = torch.sigmoid(log_gate(forget) - log_gate(admit))
        slope = (state - candidate) * kept * (1 - kept)
        slopes = slope * torch.sigmoid(-forget), -slope * torch.sigmoid(-admit), 1 - kept
        return candidate + kept * (state - candidate), (kept, *slopes)


class MinGRU(_Minimal):
    """``h_t = (1 - z_t) h_{t-1} + z_t (V_c x_t + b_c)`` with ``z_t = sigmoid(V_z x_t + b_z)``.

    Its exponents are means of ``log(1 - z_t)``: never above zero, and without a frame. Rows of
    ``weight_ih`` and ``bias`` are those of ``z`` and then of ``c``.

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

    def keep_for(self, times, update, candidate):
        """Set the biases for ``1 - z`` to leave a unit its state for a time."""
        update.copy_(-(times - 1).log())


class MinLSTM(_Minimal):
    """``h_t = f'_t h_{t-1} + i'_t (V_c x_t + b_c)``, where ``f'_t`` and ``i'_t`` sum to 1.

    ``f'_t = f_t / (f_t + i_t)`` and ``i'_t = i_t / (f_t + i_t)`` of gates ``f_t = sigmoid(V_f x_t +
    b_f)`` and ``i_t = sigmoid(V_i x_t + b_i)``. Its exponents are means of ``log f'_t``: never
    above zero, and without a frame. The state is ``h`` alone. Rows of ``weight_ih`` and ``bias``
    are those of ``f``, ``i`` and ``c`` in turn.

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

    def keep_for(self, times, forget, admit, candidate):
        """Set the biases for ``f'`` to leave a unit its state for a time."""
        forget.copy_((times - 1).log())
        admit.copy_(-(times - 1).log())
