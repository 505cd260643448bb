import re

import numpy as np
import pytest
import torch

from lyapsk._random import seeded
from lyapsk.aelle._autoencoder import ResidualAutoencoders
from lyapsk.aelle._training import _step_size, check_device, train
from lyapsk.exceptions import InvalidInputError

N_ROWS = 40
HELD_OUT = torch.arange(N_ROWS) < 10


def make_rows():
    rng = np.random.default_rng(0)
    return torch.tensor(rng.normal(size=(N_ROWS, 6))), torch.tensor(rng.normal(size=(N_ROWS, 1)))


def row_loss(outputs, inputs, targets, progress):
    reconstruction, prediction = outputs
    return (reconstruction - inputs).square().mean(-1) + (prediction - targets).square().mean(-1)


def fit(inputs, targets, held_out=HELD_OUT, loss=row_loss, shares=None, **settings):
    defaults = {"noise": 0.1, "lr": 4e-3, "max_epochs": 60, "device": "cpu", "verbose": 0}
    defaults["keep_best"] = True
    with seeded(0):
        members = ResidualAutoencoders(2, 6, 3, 8, 1)
        masks = torch.stack([held_out, held_out.flip(0)])
        shares = torch.ones(N_ROWS, dtype=torch.float64) if shares is None else shares
        return train(members, inputs, targets, shares, masks, loss, **(defaults | settings))


def losses(members, inputs, targets):
    codes = members.encoder(inputs.expand(2, -1, -1))
    return row_loss((members.decoder(codes), members.head(codes)), inputs, targets, 1)


@pytest.mark.parametrize("light", [1.0, 0.01])
def test_each_member_keeps_the_weights_that_its_held_out_rows_like(light):
    inputs, targets = make_rows()
    shares = torch.where(torch.arange(N_ROWS) % 2 == 0, light, 1.0).double()
    held_out = torch.stack([HELD_OUT, HELD_OUT.flip(0)])
    seen = []

    def watched(outputs, clean, *others):
        found = row_loss(outputs, clean, *others)
        order = (clean[:, :1] == inputs[:, 0]).int().argmax(1)
        seen.append((found.detach() * (shares * held_out)[:, order]).sum(1) / 10)
        return found

    members = fit(inputs, targets, loss=watched, shares=shares, lr=0.1, noise=0.0)
    kept = (losses(members, inputs, targets) * shares * held_out).sum(1) / 10
    torch.testing.assert_close(kept, torch.stack(seen).amin(0))
    assert (kept < seen[-1]).all()


def test_the_last_weights_compete():
    inputs, targets = make_rows()
    members = fit(inputs, targets + 10, max_epochs=1)
    assert (members.bias > 0).all()


def test_the_last_weights_are_kept_where_they_are_asked_for():
    inputs, targets = make_rows()
    settings = {"lr": 0.1, "noise": 0.0}
    best = fit(inputs, targets, **settings)
    last = fit(inputs, targets, keep_best=False, **settings)
    learned_from = ~torch.stack([HELD_OUT, HELD_OUT.flip(0)])
    kept, final = (losses(members, inputs, targets) for members in (best, last))
    assert ((final * learned_from).sum(1) < 0.5 * (kept * learned_from).sum(1)).all()


def test_without_held_out_rows_the_last_weights_are_kept():
    inputs, targets = make_rows()
    members = fit(inputs, targets, held_out=torch.zeros(N_ROWS, dtype=torch.bool), lr=0.02)
    start = fit(inputs, targets, max_epochs=1, lr=1e-12)
    assert losses(members, inputs, targets).mean() < 0.8 * losses(start, inputs, targets).mean()


@pytest.mark.parametrize(("changed_row", "shapes"), [(0, False), (20, True)])
def test_held_out_rows_do_not_shape_the_training(changed_row, shapes):
    inputs, targets = make_rows()
    changed = targets.clone()
    changed[changed_row] += 100
    seen = {}

    def watch(name):
        def watched(outputs, clean, truth, progress):
            seen.setdefault(name, []).append(outputs[1].detach()[0])
            return row_loss(outputs, clean, truth, progress)

        return watched

    for name, y in (("before", targets), ("after", changed)):
        fit(inputs, y, loss=watch(name), max_epochs=9)
    assert torch.equal(seen["before"][-1], seen["after"][-1]) == (not shapes)


def test_loss_is_told_the_progress_and_the_clean_rows():
    inputs, targets = make_rows()
    seen = []

    def watched(outputs, clean, truth, progress):
        seen.append((progress, sorted(clean[:, 0].tolist())))
        return row_loss(outputs, clean, truth, progress)

    fit(inputs, targets, loss=watched, max_epochs=4)
    assert [progress for progress, _ in seen] == [0, 0.25, 0.5, 0.75, 1]
    assert all(column == sorted(inputs[:, 0].tolist()) for _, column in seen)


def test_many_rows_take_fewer_epochs(monkeypatch):
    monkeypatch.setattr("lyapsk.aelle._training.LARGEST_BATCH", 4)
    steps = []

    def watched(outputs, clean, *others):
        steps.append(len(clean))
        return row_loss(outputs, clean, *others)

    masks = torch.zeros(N_ROWS, dtype=torch.bool)
    fit(*make_rows(), held_out=masks, loss=watched, max_epochs=10)
    assert steps == [4] * 40
    steps.clear()
    fit(*make_rows(), held_out=masks, loss=watched, max_epochs=1)
    assert steps == [4] * 10


def test_steps_grow_then_shrink_along_half_a_cosine():
    sizes = np.array([_step_size(step, 100) for step in range(100)])
    np.testing.assert_allclose(sizes[10:], 0.5 * (1 + np.cos(np.pi * np.arange(10, 100) / 100)))
    assert (np.diff(sizes[:10]) > 0).all()
    assert sizes[0] == pytest.approx(0.1)


@pytest.mark.parametrize("device", ["tpu", "", "mps", torch.device("meta")])
def test_a_device_that_cannot_be_used_is_named(device):
    with pytest.raises(InvalidInputError, match=re.escape(f"device={device!r} cannot")):
        check_device(device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_is_refused_where_there_is_none():
    with pytest.raises(InvalidInputError, match="no 'cuda'"):
        check_device("cuda")


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert check_device("cuda") == "cuda"
    assert check_device(torch.device("cuda:1")) == "cuda:1"
    with pytest.raises(InvalidInputError, match=r"'cuda:5' .* 'cpu' and 'cuda:0', 'cuda:1'"):
        check_device("cuda:5")


def test_a_row_that_counts_twice_is_like_two():
    inputs, targets = make_rows()
    shares = torch.ones(N_ROWS, dtype=torch.float64)
    shares[25] = 2
    seen = []

    def watched(outputs, *others):
        losses = row_loss(outputs, *others)
        if losses.requires_grad:
            losses.retain_grad()
            seen.append(losses)
        return losses

    fit(inputs, targets, loss=watched, shares=shares, max_epochs=1)
    for slopes, held_out in zip(seen[0].grad, (HELD_OUT, HELD_OUT.flip(0)), strict=True):
        counts = shares * ~held_out
        torch.testing.assert_close(slopes.sort().values, (counts / counts.sum()).sort().values)


def test_batches_step_by_what_their_rows_count(monkeypatch):
    """A batch of light rows pulls less than one of heavy rows."""
    monkeypatch.setattr("lyapsk.aelle._training.LARGEST_BATCH", 10)
    inputs, targets = make_rows()
    shares = torch.where(torch.arange(N_ROWS) < 20, 1.0, 1e-6).double()
    seen = []

    def watched(outputs, clean, *others):
        found = row_loss(outputs, clean, *others)
        if found.requires_grad:
            found.retain_grad()
            seen.append(((clean[:, :1] == inputs[:, 0]).int().argmax(1), found))
        return found

    nothing = torch.zeros(N_ROWS, dtype=torch.bool)
    fit(inputs, targets, held_out=nothing, loss=watched, shares=shares, max_epochs=1)
    for rows, found in seen:
        expected = shares[rows] / shares.sum() * 4
        torch.testing.assert_close(found.grad, expected.expand(2, -1))
