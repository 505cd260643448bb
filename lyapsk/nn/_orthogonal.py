"""Elman networks with orthogonal recurrent weights."""

import torch
from torch import nn
from torch.nn.utils.parametrizations import orthogonal

from .._checks import check_choice
from ..tangent import NONLINEARITIES, ElmanCell, gates
from ._base import RecurrentLayer


class OrthogonalRNN(RecurrentLayer):
    """``h_t = phi(W h_{t-1} + V x_t + b)`` with ``W`` orthogonal, also while it is trained.

    Recurrent weights are parametrized by ``torch.nn.utils.parametrizations.orthogonal``. Where
    ``phi`` is the identity all exponents are zero.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, device, dtype
        As for ``torch.nn.RNN``.
    nonlinearity : {"tanh", "relu", "identity"}, default="tanh"
        ``phi``.

    References
    ----------
    Lezcano-Casado, Martinez-Rubio (2019), "Cheap orthogonal constraints in neural networks: a
    simple parametrization of the orthogonal and unitary group", ICML, arXiv 1901.08428.

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
            orthogonal(self, f"weight_hh_l{index}")

    @torch.no_grad()
    def reset_parameters(self):
        """Draw recurrent weights among all orthogonal matrices, others as torch does."""
        super().reset_parameters()
        for index in range(self.num_layers):
            name = f"weight_hh_l{index}"
            weight = getattr(self, name)
            drawn = nn.init.orthogonal_(torch.empty(weight.shape))
            if name in self._parameters:
                weight.copy_(drawn)
            else:
                setattr(self, name, drawn.to(weight))

    def cell(self, weights):
        inputs = gates(weights["weight_ih"], weights.get("bias"))
        return ElmanCell(gates(weights["weight_hh"], None), inputs, self.nonlinearity)

    def __reduce_ex__(self, protocol):
        """Let it be pickled, which torch refuses to parametrized modules."""
        made = {name: getattr(self, name) for name in ("num_layers", "bias", "batch_first")}
        made["nonlinearity"] = self.nonlinearity
        sizes = self.input_size, self.hidden_size
        return _remade, (sizes, made, self.state_dict(), self.training)


def _remade(sizes, made, weights, training):
    layer = OrthogonalRNN(*sizes, **made)
    like = weights["weight_ih_l0"]
    layer.to(like.device, like.dtype).load_state_dict(weights)
    return layer.train(training)
