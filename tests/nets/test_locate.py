"""Which of a module's layers is followed, and what to do where none is known."""

import textwrap

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from lyapsk import LayerDynamics, lyapunov_spectrum, register_layer
from lyapsk.exceptions import RecurrentLayerError
from lyapsk.nets import find_layer
from lyapsk.nets._locate import state_size

X = torch.randn(2, 12, 3, generator=torch.Generator().manual_seed(0))


class PlainRNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden_size = 5
        self.recurrent, self.input = nn.Linear(5, 5), nn.Linear(3, 5)

    def forward(self, x):
        h, outputs = torch.zeros(len(x), 5), []
        for one in x.unbind(1):
            h = torch.tanh(self.recurrent(h) + self.input(one))
            outputs.append(h)
        return torch.stack(outputs, 1)


class LastOutput(nn.Module):
    def __init__(self, recurrent):
        super().__init__()
        self.recurrent = recurrent

    def forward(self, x):
        return self.recurrent(x)[:, -1]


class GRULoop(nn.Module):
    """A layer of a user's own that steps with one of torch's cells."""

    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(3, 4)

    def forward(self, x):
        h, outputs = torch.zeros(len(x), 4), []
        for one in x.unbind(1):
            h = 0.5 * h + 0.5 * self.cell(one, h)
            outputs.append(h)
        return torch.stack(outputs, 1)


class GRULoopDynamics(LayerDynamics):
    def start(self, layer):
        return torch.zeros(4)

    def step(self, layer, state, x):
        return 0.5 * state + 0.5 * layer.cell(x, state)


def test_the_error_for_an_unknown_layer_shows_lines_that_make_it_known():
    module = LastOutput(PlainRNN())
    with pytest.raises(RecurrentLayerError, match="LastOutput has no recurrent layer") as raised:
        lyapunov_spectrum(module, X)
    lines = str(raised.value).split(":\n\n", 1)[1].rsplit("\n\n", 1)[0]
    exec(textwrap.dedent(lines), {"torch": torch, "PlainRNN": PlainRNN})
    elman = nn.RNN(3, 5, batch_first=True)
    own = module.recurrent
    elman.load_state_dict(
        {
            "weight_ih_l0": own.input.weight,
            "weight_hh_l0": own.recurrent.weight,
            "bias_ih_l0": own.input.bias,
            "bias_hh_l0": own.recurrent.bias,
        }
    )
    found, expected = (lyapunov_spectrum(m, X).exponents for m in (module, elman))
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")  # torch's own
def test_a_registered_layer_hides_those_inside_it():
    register_layer(GRULoop, GRULoopDynamics)
    module = LastOutput(GRULoop())
    assert find_layer(module) is module.recurrent
    assert find_layer(module.recurrent) is module.recurrent
    assert lyapunov_spectrum(module, X).exponents.shape == (4,)
    both = nn.ModuleList([GRULoop(), nn.GRU(3, 2)])
    with pytest.raises(RecurrentLayerError, match="2 recurrent layers: '0', '1'"):
        find_layer(both)


def test_looking_at_the_size_leaves_weights_that_are_made_at_each_look():
    layer = spectral_norm(nn.RNN(2, 8), "weight_hh_l0")
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    assert state_size(layer) == 8
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
