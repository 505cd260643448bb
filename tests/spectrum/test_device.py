"""That steps stay on a device, where its numbers cannot be read.

Tensors on torch's device "meta" have shapes and no values: whoever reads one, as a program would
that makes a GPU wait, gets an error, and so does whoever mixes them with tensors on the CPU.
"""

import pytest
import torch
from helpers import LAYERS, make_layer
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from lyapsk.spectrum import Drive, Position, _steppers, follow_frame
from lyapsk.tangent import StepMap, dynamics_of, map_tensors

ON_DEVICE = {"dtype": torch.float64, "device": "meta"}


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch):
    monkeypatch.setattr(_steppers, "LONGEST_CHUNK", 5)


def follow(dynamics, n_inputs, *, n_exponents=None, method="lu", keep=()):
    """Take steps on the device, with pauses at the ends of chunks and blocks."""
    inputs = torch.empty(12, 1, 2, n_inputs, **ON_DEVICE)
    state = torch.empty(1, 2, dynamics.state_size, **ON_DEVICE)
    if method == "diagonal":
        start = Position.without_frame(state)
    else:
        frame = torch.empty(n_exponents or dynamics.state_size, dynamics.state_size, **ON_DEVICE)
        start = Position.start(state, frame)
    growth = follow_frame(
        dynamics, Drive(state, inputs, 12), start, method=method, warmup=3, n_blocks=2, keep=keep
    )
    assert growth.by_block.shape == (1, 2, 2, start.debt.shape[-1])
    assert growth.by_block.is_meta
    assert growth.failed_step.is_meta
    return growth


@pytest.fixture
def on_device(name):
    dynamics = dynamics_of(make_layer(name), dtype=torch.float64, device="cpu")
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield map_tensors(lambda weight: torch.empty_like(weight, device="meta"), dynamics)


@pytest.mark.parametrize("n_exponents", [None, 1])
@pytest.mark.parametrize("name", LAYERS)
def test_steps_and_eliminations_ask_nothing_of_the_host(on_device, n_exponents):
    follow(on_device, 3, n_exponents=n_exponents)


@pytest.mark.parametrize("name", LAYERS)
def test_neither_do_orthonormal_frames(on_device):
    growth = follow(on_device, 3, method="qr", keep={"growth", "frames", "factors"})
    assert growth.history.is_meta
    assert growth.frames.is_meta
    assert growth.factors.is_meta


@pytest.mark.parametrize("name", ["LRU", "IndRNN", "MinGRU", "MinLSTM"])
def test_nor_does_growth_without_frames(on_device):
    assert follow(on_device, 3, method="diagonal", keep={"growth"}).history.is_meta


def test_nor_do_step_functions():
    def step(state, x):
        return torch.tanh(state.roll(1) + x.sum())

    dynamics = StepMap(step, torch.empty(2, 4, **ON_DEVICE), torch.empty(2, 3, **ON_DEVICE))
    follow(dynamics, 3, method="qr")


def test_who_reads_or_mixes_is_found_out():
    with FakeTensorMode():
        on_gpu = torch.empty(2, **ON_DEVICE)
        with pytest.raises(DataDependentOutputException):
            on_gpu.sum().item()
        with pytest.raises(Exception, match="same device"):
            on_gpu + torch.empty(2)
