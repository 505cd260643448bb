"""Exponents with gradients, against the engine and finite differences."""

import numpy as np
import pytest
import torch
from helpers import LAYERS, make_layer
from torch import nn
from torch.nn.utils import parametrize

from lyapsk.spectrum import Drive, differentiable_exponents, follow_frame, initial_frame
from lyapsk.tangent import dynamics_of, map_tensors, named_gradients

N_STEPS, K = 10, 2


def setting(name):
    layer = make_layer(name)
    if name == "relu":
        nn.init.constant_(layer.bias_hh_l0, 5.0)
    dynamics = dynamics_of(layer, dtype=torch.float64, device="cpu")
    n = dynamics.state_size
    x = torch.tensor(np.random.default_rng(0).normal(size=(N_STEPS, 1, 3, 3)))
    drive = Drive(torch.full((1, 3, n), 0.1, dtype=torch.float64), x, N_STEPS)
    frame = initial_frame(n, K, seed=0, dtype=torch.float64, device="cpu")
    return layer, dynamics, drive, frame


def with_gradient(dynamics):
    leaves = []

    def leaf(weight):
        leaves.append(weight.clone().requires_grad_())
        return leaves[-1]

    return map_tensors(leaf, dynamics), leaves


@pytest.mark.parametrize("name", LAYERS)
def test_exponents_are_those_of_the_frame_iteration(name):
    _, dynamics, drive, frame = setting(name)
    followed = follow_frame(dynamics, drive, frame)
    expected = followed.by_block[0, :, 0].mean(0)
    np.testing.assert_allclose(differentiable_exponents(dynamics, drive, frame), expected)


@pytest.mark.parametrize("name", LAYERS)
def test_gradient_is_that_of_finite_differences(name):
    layer, dynamics, drive, frame = setting(name)
    live, leaves = with_gradient(dynamics)
    for key in list(getattr(layer, "parametrizations", ())):
        parametrize.remove_parametrizations(layer, key)
    weights = torch.tensor([1.0, -0.3])
    loss = (weights * differentiable_exponents(live, drive, frame).square()).sum()
    gradients = iter(torch.autograd.grad(loss, leaves, materialize_grads=True))
    named = named_gradients(layer, map_tensors(lambda _: next(gradients), live))
    rng = np.random.default_rng(1)
    for parameter, (key, gradient) in zip(
        [getattr(layer, key) for key in named], named.items(), strict=True
    ):
        direction = torch.tensor(rng.normal(size=tuple(parameter.shape)))
        losses = []
        for eps in (1e-5, -1e-5):
            with torch.no_grad():
                parameter += eps * direction
                moved = dynamics_of(layer, dtype=torch.float64, device="cpu")
                parameter -= eps * direction
            exponents = differentiable_exponents(moved, drive, frame)
            losses.append((weights * exponents.square()).sum().item())
        expected = (losses[0] - losses[1]) / 2e-5
        found = (gradient[0] * direction).sum().item()
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-8), key


def test_segments_change_nothing_and_bound_memory(monkeypatch):
    _, dynamics, drive, frame = setting("gru")
    long = Drive(drive.state, drive.inputs.repeat(20, 1, 1, 1), 200)

    def gradient_and_kept(one_segment):
        with monkeypatch.context() as patch:
            if one_segment:
                patch.setattr("lyapsk.spectrum._differentiable.math.isqrt", lambda n: n)
            live, leaves = with_gradient(dynamics)
            kept = []
            with torch.autograd.graph.saved_tensors_hooks(
                lambda t: kept.append(t.numel()) or t, lambda t: t
            ):
                loss = differentiable_exponents(live, long, frame).sum()
            return torch.autograd.grad(loss, leaves, materialize_grads=True)[0], sum(kept)

    by_segments, few = gradient_and_kept(one_segment=False)
    whole, _ = gradient_and_kept(one_segment=True)
    np.testing.assert_allclose(by_segments, whole, rtol=1e-9)
    assert few < 200 * K * 3 * dynamics.state_size
