"""Autoencoders with a linear head on their latent code: ours, and the published one.

Arrays carry the members of an ensemble in front: (n_members, n_rows, width).
"""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F


class Autoencoders(nn.Module):
    """Keeps its weights as arrays where it is pickled or saved.

    Parameters
    ----------
    *sizes : int
        What its class takes.
    """

    def __init__(self, *sizes):
        super().__init__()
        self.sizes = sizes

    def __getstate__(self):
        weights = {name: weight.cpu().numpy() for name, weight in self.state_dict().items()}
        return {"sizes": self.sizes, "weights": weights}

    def __setstate__(self, state):
        with torch.device("meta"):
            self.__init__(*state["sizes"])
        found = state["weights"].items()
        weights = {name: torch.tensor(array, device="cpu") for name, array in found}
        self.load_state_dict(weights, assign=True)
        self.eval().requires_grad_(False)


class ResidualAutoencoders(Autoencoders):
    """Members of an ensemble, each as large and as independent as if it were alone.

    Encoder and decoder are each a linear map plus one hidden layer of corrections. The linear
    maps start as the identity and the corrections at zero, so that training on principal
    components sets out from principal component analysis.

    Parameters
    ----------
    n_members, n_inputs, latent_dim, hidden_dim, n_targets : int
    """

    def __init__(self, n_members, n_inputs, latent_dim, hidden_dim, n_targets):
        super().__init__(n_members, n_inputs, latent_dim, hidden_dim, n_targets)
        self.n_members = n_members
        self.encoder = CorrectedLinear(n_members, n_inputs, latent_dim, hidden_dim)
        self.decoder = CorrectedLinear(n_members, latent_dim, n_inputs, hidden_dim)
        self.weight = _zeros(n_members, latent_dim, n_targets)
        self.bias = _zeros(n_members, 1, n_targets)

    def head(self, codes):
        """Predict targets linearly from codes."""
        return torch.baddbmm(self.bias, codes, self.weight)


class CorrectedLinear(nn.Module):
    """``x W + elu(x V + b) U + c``, where W starts as the identity, U and c at zero."""

    def __init__(self, n_members, n_inputs, n_outputs, hidden_dim):
        super().__init__()
        identity = torch.eye(n_inputs, n_outputs, dtype=torch.float64)
        self.linear = nn.Parameter(identity.repeat(n_members, 1, 1))
        self.hidden = _uniform(n_inputs**-0.5, n_members, n_inputs, hidden_dim)
        self.hidden_bias = _uniform(n_inputs**-0.5, n_members, 1, hidden_dim)
        self.correction = _zeros(n_members, hidden_dim, n_outputs)
        self.bias = _zeros(n_members, 1, n_outputs)

    def forward(self, inputs):
        hidden = F.elu(torch.baddbmm(self.hidden_bias, inputs, self.hidden))
        return torch.baddbmm(self.bias, inputs, self.linear) + hidden @ self.correction


class PaperAutoencoder(Autoencoders):
    """The published network: tanh layers of an eighth and a sixteenth of the width, dropout 0.1.

    As in the code of arXiv 2204.04876; narrow inputs keep at least one unit in each layer.

    Parameters
    ----------
    n_inputs, latent_dim, n_targets : int
    """

    n_members = 1

    def __init__(self, n_inputs, latent_dim, n_targets):
        super().__init__(n_inputs, latent_dim, n_targets)
        widths = [n_inputs, max(1, n_inputs // 8), max(1, n_inputs // 16), latent_dim]
        self.encoder = nn.Sequential(*_tanh_layers(widths))
        self.decoder = nn.Sequential(*_tanh_layers(widths[::-1]), nn.Dropout(0.1))
        self.head = _linear(latent_dim, n_targets)


def _tanh_layers(widths):
    *hidden, last = pairwise(widths)
    for pair in hidden:
        yield from (_linear(*pair), nn.Tanh(), nn.Dropout(0.1))
    yield _linear(*last)


def _linear(n_inputs, n_outputs):
    return nn.Linear(n_inputs, n_outputs, dtype=torch.float64)


def _zeros(*shape):
    return nn.Parameter(torch.zeros(shape, dtype=torch.float64))


def _uniform(bound, *shape):
    return nn.Parameter(torch.empty(shape, dtype=torch.float64).uniform_(-bound, bound))
