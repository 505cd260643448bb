"""The network: an autoencoder with a linear head on its latent code."""

import numpy as np
import torch
from sklearn.utils.extmath import randomized_svd
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import skip_init


class Autoencoder(nn.Module):
    """Encode rows, decode the code, and predict targets linearly from it.

    Encoder and decoder are each a linear map plus one hidden layer of corrections. The linear
    maps start at `components` and the corrections at zero, so that training sets out from
    principal component analysis.

    Parameters
    ----------
    components : ndarray of shape (latent_dim, n_features)
        Orthonormal rows, or zero rows where the data have fewer directions.
    hidden_dim : int
        Width of both hidden layers.
    n_targets : int
        Outputs of the linear head.
    generator : torch.Generator
        Draws the initial weights of the hidden layers.
    """

    def __init__(self, components, hidden_dim, n_targets, generator):
        super().__init__()
        self.encoder = CorrectedLinear(components, hidden_dim, generator)
        self.decoder = CorrectedLinear(components.T, hidden_dim, generator)
        self.head = _zero_linear(len(components), n_targets)

    def forward(self, inputs):
        """Return reconstruction (n_rows, n_features) and prediction (n_rows, n_targets)."""
        codes = self.encoder(inputs)
        return self.decoder(codes), self.head(codes)


class CorrectedLinear(nn.Module):
    """``W x + U elu(V x + b) + c``, where W starts as given, U and c at zero."""

    def __init__(self, weight, hidden_dim, generator):
        super().__init__()
        n_outputs, n_inputs = weight.shape
        self.linear = nn.Parameter(torch.tensor(weight))
        self.hidden = _uniform_linear(n_inputs, hidden_dim, generator)
        self.correction = _zero_linear(hidden_dim, n_outputs)

    def forward(self, inputs):
        return F.linear(inputs, self.linear) + self.correction(F.elu(self.hidden(inputs)))


def principal_components(inputs, n_components, rng):
    """Leading right singular vectors of `inputs`, padded with zero rows to `n_components`."""
    n_found = min(n_components, *inputs.shape)
    components = np.zeros((n_components, inputs.shape[1]))
    components[:n_found] = randomized_svd(
        inputs, n_found, power_iteration_normalizer="QR", random_state=rng
    )[2]
    return components


# nn.Linear would draw its first weights from torch's global generator; skip_init draws nothing.
def _uniform_linear(n_inputs, n_outputs, generator):
    layer = skip_init(nn.Linear, n_inputs, n_outputs, dtype=torch.float64)
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -(n_inputs**-0.5), n_inputs**-0.5, generator=generator)
    return layer


def _zero_linear(n_inputs, n_outputs):
    layer = skip_init(nn.Linear, n_inputs, n_outputs, dtype=torch.float64)
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
