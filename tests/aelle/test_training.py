import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lyapsk.aelle._autoencoder import Autoencoder
from lyapsk.aelle._training import AutoencoderLoss, NoisyBatch, check_device, train
from lyapsk.exceptions import InvalidInputError

HELD_OUT = np.arange(10)


def make_rows():
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 6)), rng.normal(size=(40, 1))


def fit(inputs, targets, held_out=HELD_OUT, **settings):
    return train(
        Autoencoder(np.eye(3, 6), 8, 1, torch.Generator().manual_seed(0)),
        inputs,
        targets,
        held_out,
        loss=AutoencoderLoss(F.mse_loss, 1.0),
        noise=0.1,
        seed=0,
        **({"lr": 4e-3, "max_epochs": 60, "device": "cpu", "verbose": 0} | settings),
    )


def test_loss_is_reconstruction_plus_weighted_target():
    loss = AutoencoderLoss(nn.L1Loss(), 10.0)
    outputs, truth = (torch.tensor([[1.0, 3.0]]), torch.tensor([[2.0]])), torch.zeros(1, 2)
    assert loss(outputs, (truth, torch.tensor([[5.0]]))) == (1 + 9) / 2 + 10 * 3


def test_batches_hold_all_rows_blurred_afresh_with_the_clean_ones_as_truth():
    clean, targets = torch.zeros(1000, 4), torch.ones(1000, 1)
    batches = NoisyBatch(torch.utils.data.TensorDataset(clean, targets), 1000, noise=0.3, seed=0)
    ((first, truth),) = batches
    ((second, _),) = batches
    assert truth[0] is clean
    assert truth[1] is targets
    assert first.std() == pytest.approx(0.3, rel=0.05)
    assert not torch.equal(first, second)


def test_the_best_weights_on_the_held_out_rows_are_kept():
    inputs, targets = make_rows()
    net = fit(inputs, targets, lr=0.1)
    losses = net.history[:, "valid_loss"]
    truth = torch.tensor(inputs[HELD_OUT]), torch.tensor(targets[HELD_OUT])
    with torch.no_grad():
        kept = net.criterion_(net.module_(truth[0]), truth).item()
    assert kept == pytest.approx(min(losses), rel=1e-3)
    assert kept < losses[-1]


def test_training_stops_when_the_held_out_rows_no_longer_gain():
    assert len(fit(*make_rows(), lr=0.1, max_epochs=1000).history) < 200


def test_without_held_out_rows_training_runs_to_the_end():
    history = fit(*make_rows(), held_out=HELD_OUT[:0], lr=0.02).history
    assert len(history) == 60
    assert history[-1, "train_loss"] < 0.85 * history[0, "train_loss"]


def test_steps_shrink_along_half_a_cosine():
    rates = fit(*make_rows(), held_out=HELD_OUT[:0], lr=0.1, max_epochs=20).history[:, "event_lr"]
    np.testing.assert_allclose(rates, 0.05 * (1 + np.cos(np.pi * np.arange(20) / 20)))


def test_nothing_of_the_optimizer_is_kept():
    assert not fit(*make_rows(), max_epochs=2).optimizer_.state


@pytest.mark.parametrize(("changed_row", "shapes"), [(0, False), (10, True)])
def test_held_out_rows_do_not_shape_the_training(changed_row, shapes):
    inputs, targets = make_rows()
    changed = targets.copy()
    changed[changed_row] += 100
    before, after = (
        fit(inputs, t, max_epochs=9).history[1:, "train_loss"] for t in (targets, changed)
    )
    assert (before != after) == shapes


@pytest.mark.parametrize("device", ["tpu", "", "mps", torch.device("meta")])
def test_a_device_that_cannot_be_used_is_named(device):
    with pytest.raises(InvalidInputError, match=re.escape(f"device={device!r} cannot")):
        check_device(device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_is_refused_where_there_is_none():
    with pytest.raises(InvalidInputError, match="no 'cuda'"):
        check_device("cuda")
