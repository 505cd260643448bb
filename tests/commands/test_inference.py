"""Layers inferred from weights are those that the weights were taken from."""

import itertools

import pytest
import torch
from helpers import Reader
from torch import nn

from lyapsk import lyapunov_spectrum
from lyapsk import nn as lnn
from lyapsk.commands._inference import in_words, infer_layer
from lyapsk.exceptions import LyapskWarning, RecurrentLayerError
from lyapsk.nets._weights import weights_by_name

X = torch.randn(2, 8, 3, generator=torch.Generator().manual_seed(0))
KINDS = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}
SHAPES = [
    {"num_layers": n, "bidirectional": two, "bias": bias}
    for n, two, bias in itertools.product((1, 2), (False, True), (False, True))
]
LAYERS = [
    *((kind, shape) for kind in KINDS for shape in SHAPES),
    *(("LSTM", {"proj_size": 2, **shape}) for shape in SHAPES),
    ("RNN", {"nonlinearity": "relu"}),
    ("GRU", {"dtype": torch.float64, "batch_first": True}),
]
CELLS = [nn.RNNCell, nn.GRUCell, nn.LSTMCell]


def assert_same(inferred, layer):
    assert type(inferred) is type(layer)
    assert inferred.state_dict().keys() == layer.state_dict().keys()
    for name, weight in layer.state_dict().items():
        assert torch.equal(inferred.state_dict()[name], weight)
    expected = lyapunov_spectrum(layer, X)
    torch.testing.assert_close(
        lyapunov_spectrum(inferred, X).exponents, expected.exponents, rtol=0, atol=0
    )


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize(("kind", "shape"), LAYERS)
@pytest.mark.parametrize("prefix", ["", "encoder.rnn"])
def test_layers(kind, shape, prefix):
    torch.manual_seed(0)
    layer = KINDS[kind](3, 4, **shape)
    start = f"{prefix}." if prefix else ""
    weights = {f"{start}{name}": weight for name, weight in layer.state_dict().items()}
    weights |= {"readout.weight": torch.zeros(1, 4), "steps": torch.tensor(3)}
    if prefix:
        weights["weight"] = torch.zeros(1)
    else:
        del weights["steps"]
    nonlinearity = shape.get("nonlinearity", "tanh" if kind == "RNN" else None)
    name, inferred = infer_layer(weights, nonlinearity=nonlinearity)
    assert name == prefix
    assert_same(inferred, layer)
    assert not inferred.training


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("bias", [True, False])
def test_cells(kind, bias):
    torch.manual_seed(0)
    cell = kind(3, 4, bias=bias)
    name, inferred = infer_layer({f"cell.{k}": w for k, w in cell.state_dict().items()})
    assert name == "cell"
    assert_same(inferred, cell)


def test_short_weights_become_single_precision():
    layer = nn.GRU(3, 4).to(torch.bfloat16)
    _, inferred = infer_layer(layer.state_dict())
    assert inferred.weight_hh_l0.dtype == torch.float32
    assert torch.equal(inferred.weight_hh_l0, layer.weight_hh_l0.float())


def test_weights_deep_in_what_a_training_loop_saved():
    net = Reader()
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.zeros(1, 2, dtype=int)).sum().backward()
    optimizer.step()
    saved = {"epoch": 3, "model": net.state_dict(), "optimizer": optimizer.state_dict()}
    name, inferred = infer_layer(weights_by_name(saved))
    assert name == "model.recurrent"
    assert torch.equal(inferred.weight_hh_l0, net.recurrent.weight_hh_l0)


def two_layers():
    return {
        f"{name}.{key}": weight
        for name in ("encoder", "decoder")
        for key, weight in nn.GRU(3, 4).state_dict().items()
    }


def test_several_layers_are_listed_and_one_can_be_named():
    with pytest.raises(
        RecurrentLayerError, match=r"2 recurrent layers: 'encoder', 'decoder'\. Say"
    ):
        infer_layer(two_layers())
    assert infer_layer(two_layers(), "decoder")[0] == "decoder"
    with pytest.raises(RecurrentLayerError, match="--layer rnn: the recurrent layers are 'enc"):
        infer_layer(two_layers(), "rnn")


OTHERS = {
    "CoRNN": lambda: lnn.CoRNN(3, 4),
    "AntisymmetricRNN": lambda: lnn.AntisymmetricRNN(3, 4, 2),
    "IndRNN": lambda: lnn.IndRNN(3, 4),
    "LEM": lambda: lnn.LEM(3, 4),
    "LRU": lambda: lnn.LRU(3, 4),
    "OrthogonalRNN": lambda: lnn.OrthogonalRNN(3, 4),
    "no layer": lambda: nn.Linear(3, 4),
    "weight norm": lambda: nn.utils.parametrizations.weight_norm(nn.GRU(3, 4), "weight_hh_l0"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_layers_need_a_module(name):
    with pytest.raises(RecurrentLayerError, match=r"--module .*lyapsk\.nn"):
        infer_layer(OTHERS[name]().state_dict())


@pytest.mark.parametrize("make", [lnn.AntisymmetricRNN, lnn.RateRNN, nn.RNN])
@pytest.mark.parametrize("n_layers", [1, 2])
def test_weights_that_several_layers_have_are_taken_with_a_warning(make, n_layers, recwarn):
    weights = make(3, 4, n_layers, bias=False).state_dict()
    with pytest.warns(LyapskWarning, match=r"AntisymmetricRNN or a RateRNN .* look the same"):
        infer_layer(weights)
    recwarn.clear()
    infer_layer(weights, nonlinearity="tanh")
    infer_layer(nn.RNN(3, 4, n_layers).state_dict())
    infer_layer(nn.RNN(3, 4, n_layers, bias=False, bidirectional=True).state_dict())
    infer_layer(nn.GRU(3, 4, n_layers, bias=False).state_dict())
    assert not recwarn.list


def test_layers_of_which_one_is_made_by_hooks_are_not_taken_for_smaller_ones():
    layer = nn.GRU(3, 4, 2)
    for name in ("weight_ih_l1", "weight_hh_l1", "bias_ih_l1", "bias_hh_l1"):
        nn.utils.parametrizations.weight_norm(layer, name)
    with pytest.raises(RecurrentLayerError, match="are not those of a torch"):
        infer_layer(layer.state_dict())


SPOILED = {
    "a layer is missing": lambda w: w.pop("weight_ih_l1"),
    "inputs are missing": lambda w: w.pop("weight_ih_l0"),
    "a bias is missing": lambda w: w.pop("bias_hh_l0"),
    "two blocks": lambda w: w.update(weight_hh_l0=torch.zeros(8, 4)),
    "no blocks": lambda w: w.update(weight_hh_l0=torch.zeros(7, 4)),
    "flat": lambda w: w.update(weight_hh_l0=torch.zeros(4)),
    "empty": lambda w: w.update(weight_hh_l0=torch.zeros(0, 0)),
    "whole numbers": lambda w: w.update(weight_hh_l0=torch.zeros(12, 4, dtype=int)),
    "one more": lambda w: w.update(weight_x_l0=torch.zeros(4)),
    "mixed numbers": lambda w: w.update(weight_ih_l0=torch.zeros(12, 3, dtype=int)),
    "sparse": lambda w: w.update(weight_hh_l0=torch.zeros(12, 4).to_sparse()),
    "on no device": lambda w: w.update(weight_hh_l0=torch.zeros(12, 4, device="meta")),
    "a projection to nothing": lambda w: w.update(weight_hr_l0=torch.tensor(1.0)),
    "a projection": lambda w: w.update(weight_hr_l0=torch.zeros(2, 4)),
}


@pytest.mark.parametrize("name", SPOILED)
def test_weights_that_do_not_fit_together_are_refused(name):
    weights = dict(nn.GRU(3, 4, 2).state_dict())
    SPOILED[name](weights)
    with pytest.raises(RecurrentLayerError, match="are not those of a torch"):
        infer_layer(weights)


def test_nonlinearity_is_for_elman_networks():
    with pytest.raises(RecurrentLayerError, match=r"--nonlinearity relu: .* weights of a GRU"):
        infer_layer(nn.GRU(3, 4).state_dict(), nonlinearity="relu")


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (nn.GRU(28, 64, 2), "GRU, 2 layers of 64 units, 28 inputs"),
        (nn.RNN(1, 1, nonlinearity="relu"), "RNN (relu), 1 layer of 1 unit, 1 input"),
        (
            nn.LSTM(3, 5, proj_size=2, bidirectional=True),
            "LSTM, 1 layer of 5 units, projected to 2, two directions, 3 inputs",
        ),
        (nn.LSTMCell(3, 4), "LSTMCell, 1 layer of 4 units, 3 inputs"),
        (lnn.CoRNN(3, 4), "CoRNN, 1 layer of 4 units, 3 inputs"),
    ],
)
def test_words(layer, words):
    assert in_words(layer) == words
