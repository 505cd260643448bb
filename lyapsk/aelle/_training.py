"""The training loop: skorch's, on whole batches, without touching any global generator."""

from functools import partial

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import EarlyStopping, LRScheduler
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import TensorDataset

from ..exceptions import InvalidInputError

PATIENCE = 50
"""Epochs without improvement on the held-out rows before training stops."""


class AutoencoderLoss(nn.Module):
    """Mean squared reconstruction error plus `target_weight` times `target_loss`."""

    def __init__(self, target_loss, target_weight):
        super().__init__()
        self.target_loss = target_loss
        self.target_weight = target_weight

    def forward(self, outputs, truth):
        reconstruction, prediction = outputs
        inputs, targets = truth
        target_loss = self.target_loss(prediction, targets)
        return F.mse_loss(reconstruction, inputs) + self.target_weight * target_loss


class NoisyBatch:
    """One batch an epoch, all rows, inputs blurred by fresh noise: the clean ones are the truth.

    Stands in for a DataLoader, which would draw from torch's global generator.
    """

    def __init__(self, dataset, batch_size, noise=0.0, seed=0):
        self.inputs, self.targets = dataset.tensors
        self.noise = noise
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self):
        blur = torch.randn(self.inputs.shape, generator=self.generator, dtype=self.inputs.dtype)
        yield self.inputs + self.noise * blur, (self.inputs, self.targets)


def train(autoencoder, inputs, targets, held_out, loss, noise, seed, **settings):
    """Fit `autoencoder` and return the skorch net that holds it, on the CPU.

    Parameters
    ----------
    autoencoder : Autoencoder
        Trained in place.
    inputs, targets : ndarray of shape (n_rows, n_features) and (n_rows, n_targets)
        Standardised rows and what the linear head should say about them.
    held_out : ndarray of int
        Rows that stop the training; none, and it runs to the last epoch.
    loss : AutoencoderLoss
    noise : float
        Standard deviation of the noise on the inputs.
    seed : int
        Seed of that noise.
    **settings
        Passed to skorch: ``lr``, ``max_epochs``, ``device``, ``verbose``.
    """
    net = NeuralNet(
        autoencoder,
        criterion=loss,
        optimizer=torch.optim.AdamW,
        iterator_train=NoisyBatch,
        iterator_train__noise=noise,
        iterator_train__seed=seed,
        iterator_valid=NoisyBatch,
        train_split=partial(_split, held_out=held_out) if len(held_out) else None,
        callbacks=_callbacks(settings["max_epochs"], early_stopping=len(held_out) > 0),
        **settings,
    )
    return _on_cpu(net.fit(TensorDataset(torch.tensor(inputs), torch.tensor(targets))))


def check_device(device):
    """Return the name of the device to train on, "cpu" for None, or refuse."""
    try:
        kind = torch.device("cpu" if device is None else device).type
    except RuntimeError:
        kind = None
    if kind == "cpu" or (kind == "cuda" and torch.cuda.is_available()):
        return str(device or "cpu")
    cuda = "'cuda'" if torch.cuda.is_available() else "no 'cuda' (torch finds no CUDA device)"
    raise InvalidInputError(
        f"device={device!r} cannot be used; available are None, 'cpu' and {cuda}. "
        "Leave device=None to train on the CPU."
    )


def _callbacks(max_epochs, early_stopping):
    callbacks = [LRScheduler(CosineAnnealingLR, T_max=max_epochs)]
    if early_stopping:
        callbacks.append(EarlyStopping(patience=PATIENCE, load_best=True))
    return callbacks


def _split(dataset, held_out):
    kept = np.delete(np.arange(len(dataset)), held_out)
    return TensorDataset(*dataset[kept]), TensorDataset(*dataset[held_out])


def _on_cpu(net):
    """Leave nothing on the training device, so that the net loads on a machine without it."""
    net.module_.cpu()
    net.optimizer_.state.clear()
    net.device = "cpu"
    return net
