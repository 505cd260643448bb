"""The independently recurrent network of Li et al. (2018)."""

from dataclasses import dataclass

from torch import Tensor, nn

from .._checks import check_choice
from ..tangent import NONLINEARITIES, DiagonalCell, gates
from ._base import RecurrentLayer


class IndRNN(RecurrentLayer):
    """``h_t = phi(u h_{t-1} + V x_t + b)``, each unit seeing only itself.

    Its exponents are means of ``log abs(u phi')``, and need no frame.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, device, dtype
        As for ``torch.nn.RNN``.
    nonlinearity : {"relu", "tanh", "identity"}, default="relu"
        ``phi``.

    References
    ----------
    Li, Li, Cook, Zhu, Gao (2018), "Independently recurrent neural network (IndRNN): building a
    longer and deeper RNN", CVPR, arXiv 1803.04831, equation 2.

    Examples
    --------
    >>> import torch
    >>> from lyapsk.nn import IndRNN
    >>> outputs, last = IndRNN(3, 8)(torch.randn(20, 5, 3))
    >>> outputs.shape, last.shape
    (torch.Size([20, 5, 8]), torch.Size([1, 5, 8]))
    """

    def __init__(self, *args, nonlinearity="relu", **kwargs):
        check_choice("nonlinearity", nonlinearity, tuple(NONLINEARITIES))
        super().__init__(*args, constants={"nonlinearity": nonlinearity}, **kwargs)

    def shapes(self, width):
        return super().shapes(width) | {"weight_hh": (self.hidden_size,)}

    def reset_layer(self, weights):
        """Draw recurrent weights from 0 to 1, the others as torch does."""
        super().reset_layer(weights)
        nn.init.uniform_(weights["weight_hh"], 0, 1)

    def cell(self, weights):
        inputs = gates(weights["weight_ih"], weights.get("bias"))
        return _Cell(inputs, weights["weight_hh"].unsqueeze(1), self.nonlinearity)


@dataclass(frozen=True)
class _Cell(DiagonalCell):
    """``own`` (n_networks, 1, n) holds ``u``."""

    own: Tensor
    nonlinearity: str

    def step(self, state, from_x):
        phi = NONLINEARITIES[self.nonlinearity]
        h = phi.function(self.own * state + from_x)
        slope = phi.slope(h)
        return h, (slope * self.own, slope)
