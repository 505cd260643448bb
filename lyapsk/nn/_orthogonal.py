"""Elman networks with orthogonal recurrent weights."""

import torch
from torch import nn
from torch.func import functional_call
from torch.nn.utils.parametrizations import orthogonal
from torch.nn.utils.parametrize import is_parametrized, type_before_parametrizations

from .._checks import check_choice
from ..tangent import NONLINEARITIES, ElmanCell, gates
from ._base import RecurrentLayer


class OrthogonalRNN(RecurrentLayer):
    """``h_t = phi(W h_{t-1} + V x_t + b)`` with ``W`` orthogonal, also while it is trained.

    Recurrent weights are parametrized by ``torch.nn.utils.parametrizations.orthogonal`` with the
    Cayley map, which is orthogonal to rounding wherever training takes it. Where ``phi`` is the
    identity all exponents are zero.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, device, dtype
        As for ``torch.nn.RNN``.
    nonlinearity : {"tanh", "relu", "identity"}, default="tanh"
        ``phi``.

    References
    ----------
    Helfrich, Willmott, Ye (2018), "Orthogonal recurrent neural networks with scaled Cayley
    transform", ICML, arXiv 1707.09520.
    Lezcano-Casado (2019), "Trivializations for gradient-based optimization on manifolds", NeurIPS,
    arXiv 1909.09501: the map as torch takes it, from a point that is drawn.

    Examples
    --------
    >>> import torch
    >>> from lyapsk import lyapunov_spectrum
    >>> from lyapsk.nn import OrthogonalRNN
    >>> layer = OrthogonalRNN(3, 8, nonlinearity="identity")
    >>> bool(abs(lyapunov_spectrum(layer, torch.randn(5, 20, 3)).exponents).max() < 1e-6)
    True
    """

    def __init__(self, *args, nonlinearity="tanh", **kwargs):
        check_choice("nonlinearity", nonlinearity, tuple(NONLINEARITIES))
        super().__init__(*args, constants={"nonlinearity": nonlinearity}, **kwargs)
        for index in range(self.num_layers):
            name = f"weight_hh_l{index}"
            maps = orthogonal(self, name, "cayley").parametrizations[name]
            maps[0] = _InSinglePrecision(maps[0])

    @torch.no_grad()
    def reset_parameters(self):
        """Draw recurrent weights among all orthogonal matrices, others as torch does."""
        super().reset_parameters()
        for index in range(self.num_layers):
            name = f"weight_hh_l{index}"
            weight = getattr(self, name)
            # In double precision, for weights of any to be orthogonal to rounding.
            drawn = nn.init.orthogonal_(torch.empty(weight.shape, dtype=torch.float64))
            if name in self._parameters:
                weight.copy_(drawn)
            else:
                setattr(self, name, drawn.to(weight))

    def cell(self, weights):
        inputs = gates(weights["weight_ih"], weights.get("bias"))
        return ElmanCell(gates(weights["weight_hh"], None), inputs, self.nonlinearity)

    def __reduce_ex__(self, protocol):
        """Let it be pickled, which torch refuses to parametrized modules."""
        if not is_parametrized(self):
            return super().__reduce_ex__(protocol)
        made_of = type_before_parametrizations(self), self.num_layers
        return _parametrized, made_of, vars(self).copy()


class _InSinglePrecision(nn.Module):
    """A parametrization, at least in single precision: in half, torch solves no equations.

    Parameters
    ----------
    map : torch.nn.Module
        What ``torch.nn.utils.parametrizations.orthogonal`` registers.
    """

    def __init__(self, map):
        super().__init__()
        self.map = map

    def forward(self, free):
        wide = torch.promote_types(free.dtype, torch.float32)
        base = {"base": self.map.base.to(wide)}
        return functional_call(self.map, base, free.to(wide)).to(free.dtype)

    def right_inverse(self, weight):
        wide = torch.promote_types(weight.dtype, torch.float32)
        free = self.map.right_inverse(weight.to(wide))
        self.map.to(weight.dtype)
        return free.to(weight.dtype)


def _parametrized(layer_class, num_layers):
    """A layer for ``pickle`` to fill: the smallest with as many parametrized weights."""
    layer = layer_class.__new__(layer_class)
    with torch.random.fork_rng(devices=[]):
        OrthogonalRNN.__init__(layer, 1, 1, num_layers)
    return layer
