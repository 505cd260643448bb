"""That known layers do what their weights say, whatever stands around them."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from lyapsk import LayerDynamics, lyapunov_spectrum, register_layer
from lyapsk import nn as lnn
from lyapsk.exceptions import RecurrentLayerError

X = torch.randn(3, 30, 2, generator=torch.Generator().manual_seed(0))


class Loop(nn.Module):
    """Takes its steps by a cell, whose weights may change on the way."""

    def __init__(self, cell, times=1):
        super().__init__()
        self.cell, self.times = cell, times

    def forward(self, x):
        h = x.new_zeros(len(x), 3)
        for one in x.unbind(1):
            h = self.cell(one, h)
            self.cell.weight_hh.data.mul_(self.times)
        return h


class OtherWeights(nn.Module):
    """Its layer has other weights during the forward, as in hypernetworks."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        weights = {name: 3 * weight for name, weight in self.layer.named_parameters()}
        return torch.func.functional_call(self.layer, weights, (x,))[0]


def large(layer, times=3):
    with torch.no_grad():
        for weight in layer.parameters():
            weight.mul_(times)
    return layer


def hooked(module, change):
    module.register_forward_hook(lambda module, inputs, output: change(output))
    return module


def patched(layer):
    forward = layer.forward
    layer.forward = lambda x, hx=None: forward(2 * x, hx)
    return layer


def halved(output):
    return 0.5 * output[0], output[1]


def other_recurrence(cell):
    """A cell that is patched to take a tenth of its recurrent weights."""
    own = type(cell).forward
    cell.forward = lambda x, h=None: own(cell, x, None if h is None else 0.1 * h)
    return cell


DIFFERENT = {
    "hook of a cell that changes little": lambda: Loop(
        hooked(nn.GRUCell(2, 3), lambda h: 0.95 * h)
    ),
    "hook of a cell of small states": lambda: Loop(
        hooked(large(nn.RNNCell(2, 3, bias=False), 0.1), lambda h: 0.5 * h)
    ),
    "patched cell": lambda: other_recurrence(nn.RNNCell(2, 3)),
    "hook of a cell": lambda: Loop(hooked(large(nn.RNNCell(2, 3)), lambda h: 0.5 * h)),
    "weights that change": lambda: Loop(large(nn.GRUCell(2, 3)), times=0.5),
    "other weights": lambda: OtherWeights(nn.GRU(2, 3, batch_first=True)),
    "other weights of stacked layers": lambda: OtherWeights(nn.LSTM(2, 3, 2, batch_first=True)),
    "other weights of a layer of ours": lambda: OtherWeights(lnn.LEM(2, 3, batch_first=True)),
    "patched": lambda: patched(large(nn.LSTM(2, 3, batch_first=True))),
    "patched inside": lambda: nn.Sequential(patched(large(nn.RNN(2, 3, batch_first=True)))),
}


@pytest.mark.parametrize("case", DIFFERENT)
def test_a_forward_that_does_otherwise_is_refused(case):
    torch.manual_seed(0)
    with pytest.raises(RecurrentLayerError, match=r"at step \d the outputs of its .* differ by"):
        lyapunov_spectrum(DIFFERENT[case](), X)


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM, lnn.CoRNN])
def test_what_becomes_of_a_layers_outputs_does_not_matter(kind):
    layer = kind(2, 3, batch_first=True)
    expected = lyapunov_spectrum(layer, X).exponents
    for model in (hooked(copy.deepcopy(layer), halved), nn.Sequential(hooked(layer, halved))):
        np.testing.assert_allclose(lyapunov_spectrum(model, X).exponents, expected, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("times", [1, 3, 30])
@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_rounding_is_not_taken_for_a_difference(kind, times, dtype):
    torch.manual_seed(0)
    layer = kind(2, 16, 2, batch_first=True)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.mul_(times)
    lyapunov_spectrum(nn.Sequential(layer).to(dtype), 10 * X, n_exponents=1)


class Autocast(nn.Sequential):
    """Chooses the precision by itself."""

    def forward(self, x):
        with torch.autocast("cpu"):
            return super().forward(x)


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_nor_is_that_of_autocast(kind):
    torch.manual_seed(0)
    layer = large(kind(2, 16, batch_first=True))
    lyapunov_spectrum(Autocast(layer), 10 * X, n_exponents=1)
    with torch.autocast("cpu"):
        lyapunov_spectrum(nn.Sequential(layer), 10 * X, n_exponents=1)


def test_nor_is_that_of_products_of_few_digits():
    torch.manual_seed(0)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        lyapunov_spectrum(nn.Sequential(nn.RNN(64, 128, batch_first=True)), torch.randn(2, 9, 64))
    finally:
        torch.set_float32_matmul_precision(before)


def test_high_gain_is_not_taken_for_a_difference():
    for seed in (17, 37):
        torch.manual_seed(seed)
        layer = nn.RNN(2, 200, 3, batch_first=True)
        for weight in layer.parameters():
            nn.init.normal_(weight, 0, 100 / 200**0.5)
        lyapunov_spectrum(nn.Sequential(layer), torch.randn(2, 4, 2), n_exponents=1)


class OutputCell(nn.Module):
    """Gives an output beside its state."""

    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(2, 3)

    def forward(self, x, h=None):
        h = self.cell(x, h)
        return 2 * h, h


class FlaggedCell(OutputCell):
    """Its second argument is no state."""

    def forward(self, x, reset=True):
        return self.cell(x)


class OfCell(LayerDynamics):
    def start(self, layer):
        return torch.zeros(3)

    def step(self, layer, state, x):
        return layer.cell(x, state)

    def state_of(self, layer, hx):
        return hx[1] if isinstance(hx, tuple) else hx


@pytest.mark.parametrize("kind", [OutputCell, FlaggedCell])
def test_a_bare_cell_that_takes_no_state_as_it_gives_it_is_tried_for_one_step(kind):
    register_layer(kind, OfCell, cell=True)
    cell = kind()
    expected = lyapunov_spectrum(cell.cell, X).exponents
    np.testing.assert_allclose(lyapunov_spectrum(cell, X).exponents, expected, atol=1e-9)


class Defaulting(OutputCell):
    """Its second argument has a tensor as its default."""

    def forward(self, x, scale=torch.ones(3)):  # noqa: B008
        return scale * self.cell(x)


def test_a_default_may_be_a_tensor():
    register_layer(Defaulting, OfCell, cell=True)
    assert len(lyapunov_spectrum(Defaulting(), X).exponents) == 3
