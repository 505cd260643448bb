"""``lyapunov_spectrum`` on what users have, and on what they get wrong."""

import copy
import pickle
import random
from collections import namedtuple
from functools import partial

import numpy as np
import pytest
import torch
from helpers import Reader, make_layer, make_net, tokens
from skorch import NeuralNet, NeuralNetClassifier, NeuralNetRegressor
from torch import nn
from torch.nn.utils.rnn import pack_sequence
from torch.utils.data import DataLoader, SubsetRandomSampler

from lyapsk import LyapunovSpectrumTransformer, lyapunov_spectrum
from lyapsk import nn as lnn
from lyapsk.exceptions import (
    InvalidInputError,
    InvalidTypeError,
    NotInitializedNetError,
    NumericalError,
    RecurrentLayerError,
)
from lyapsk.spectrum import initial_frame

RNG = np.random.default_rng(0)
SEQUENCES = RNG.normal(size=(3, 20, 3))


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_net_equals_its_layer_on_embedded_inputs(kind):
    net, X = make_net(kind), tokens()
    embedded = net.module_.embedding(torch.tensor(X)).detach()
    expected = lyapunov_spectrum(net.module_.recurrent, embedded)
    spectrum = lyapunov_spectrum(net, X)
    np.testing.assert_allclose(spectrum.per_sequence, expected.per_sequence, atol=1e-12)


def test_net_equals_its_module():
    net, X = make_net(), tokens()
    np.testing.assert_array_equal(
        lyapunov_spectrum(net, X).exponents, lyapunov_spectrum(net.module_, X).exponents
    )


def test_more_sequences_than_one_batch_of_the_net():
    X = tokens(n_sequences=7)
    many, few = make_net(), make_net(iterator_valid__batch_size=3)
    np.testing.assert_allclose(
        lyapunov_spectrum(few, X).per_sequence, lyapunov_spectrum(many, X).per_sequence, atol=1e-12
    )


def test_layout_of_the_batch_does_not_matter():
    first = nn.GRU(3, 4, batch_first=True)
    second = nn.GRU(3, 4)
    second.load_state_dict(first.state_dict())
    for model in (nn.Sequential(first), nn.Sequential(second)):
        x = torch.tensor(SEQUENCES)
        x = x if model[0].batch_first else x.transpose(0, 1)
        np.testing.assert_allclose(
            lyapunov_spectrum(model, x).exponents,
            lyapunov_spectrum(first, SEQUENCES.astype(np.float32)).exponents,
            atol=1e-12,
        )


class Starting(nn.Module):
    """Passes an initial state that depends on the sequence."""

    def __init__(self, kind):
        super().__init__()
        self.recurrent = kind(3, 4, num_layers=2, batch_first=True)

    def forward(self, x):
        h = torch.tanh(x.sum((1, 2))).view(1, -1, 1).expand(2, -1, 4).contiguous()
        hx = (h, 2 * h) if isinstance(self.recurrent, nn.LSTM) else h
        return self.recurrent(x, hx)[0]


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_initial_state_is_the_one_that_the_module_passes(kind):
    torch.manual_seed(0)
    module = Starting(kind).double()
    start = np.tanh(SEQUENCES.sum((1, 2)))[:, None] * np.ones(8)
    if kind is nn.LSTM:
        start = np.concatenate([start[:, :4], 2 * start[:, 4:]] * 2, axis=1)
    expected = lyapunov_spectrum(module.recurrent, SEQUENCES, initial_state=start)
    spectrum = lyapunov_spectrum(module, SEQUENCES)
    np.testing.assert_allclose(spectrum.per_sequence, expected.per_sequence, atol=1e-12)
    from_zero = lyapunov_spectrum(module.recurrent, SEQUENCES)
    assert not np.allclose(spectrum.exponents, from_zero.exponents)


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.recurrent = nn.GRU(3, 4, batch_first=True)

    def forward(self, x, scale):
        return self.recurrent(x * scale[:, None, None])[0]


@pytest.mark.parametrize(
    "net_kind", [None, NeuralNet, NeuralNetClassifier, NeuralNetRegressor], ids=str
)
def test_inputs_by_keyword(net_kind):
    torch.manual_seed(0)
    model = TwoInputs()
    X = {"x": SEQUENCES.astype("float32"), "scale": np.array([1, 2, 3], dtype="float32")}
    expected = lyapunov_spectrum(model.recurrent, X["x"] * X["scale"][:, None, None])
    if net_kind is not None:
        model = net_kind(model, criterion=nn.MSELoss).initialize()
    np.testing.assert_allclose(
        lyapunov_spectrum(model, X).exponents, expected.exponents, atol=1e-12
    )
    if net_kind is None:
        np.testing.assert_allclose(
            lyapunov_spectrum(model, (X["x"], X["scale"])).exponents, expected.exponents
        )


@pytest.mark.parametrize(
    "container",
    [
        lambda X: torch.tensor(X).to_sparse(),
        lambda X: torch.tensor(X, requires_grad=True),
        lambda X: np.asfortranarray(X)[:, :, ::-1][:, :, ::-1],
        lambda X: X.astype(X.dtype.newbyteorder()),
        lambda X: [torch.tensor(x) for x in X],
    ],
    ids=["sparse", "with grad", "negative strides", "other byte order", "list of tensors"],
)
def test_whatever_holds_the_sequences(container):
    layer = make_layer("gru")
    expected = lyapunov_spectrum(layer, SEQUENCES).exponents
    np.testing.assert_array_equal(
        lyapunov_spectrum(layer, container(SEQUENCES)).exponents, expected
    )


def test_doubles_reach_a_single_precision_net():
    module = nn.Sequential(nn.GRU(3, 4, batch_first=True))
    assert np.isfinite(lyapunov_spectrum(module, SEQUENCES).exponents).all()


def test_everything_is_left_as_it_was():
    net, X = make_net(), tokens()
    net.module_.train()
    net.module_.dropout.eval()
    weights = copy.deepcopy(net.module_.state_dict())
    modes = [m.training for m in net.module_.modules()]
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    lyapunov_spectrum(net, X)
    with pytest.raises(InvalidInputError, match="forward failed"):
        lyapunov_spectrum(net, X + 100)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    assert before[2] == random.getstate()
    assert modes == [m.training for m in net.module_.modules()]
    assert all(p.grad is None and p.requires_grad for p in net.module_.parameters())
    assert not net.module_.recurrent._forward_pre_hooks
    for name, weight in net.module_.state_dict().items():
        assert torch.equal(weight, weights[name])


def test_net_can_be_trained_further_afterwards():
    net, X = make_net(train_split=None), tokens()
    lyapunov_spectrum(net, X)
    net.partial_fit(X, np.array([0, 1, 2, 0]))
    assert len(net.history) == 1


def test_joined_sequences_are_one_long_sequence():
    layer = make_layer("gru")
    long = np.concatenate([SEQUENCES[0], SEQUENCES[1]])[None]
    joined = lyapunov_spectrum(layer, SEQUENCES[:2], n_steps=40)
    np.testing.assert_allclose(joined.exponents, lyapunov_spectrum(layer, long).exponents)
    assert joined.per_sequence.shape == (1, 5)
    again = np.concatenate([*SEQUENCES, SEQUENCES[0]])[None, :70]
    more = lyapunov_spectrum(layer, SEQUENCES, n_steps=70)
    np.testing.assert_allclose(more.exponents, lyapunov_spectrum(layer, again).exponents)
    starts = np.random.default_rng(0).normal(size=(2, 5))
    from_first = lyapunov_spectrum(layer, SEQUENCES[:2], n_steps=40, initial_state=starts)
    alone = lyapunov_spectrum(layer, long, initial_state=starts[:1])
    np.testing.assert_allclose(from_first.exponents, alone.exponents)
    cut = lyapunov_spectrum(layer, SEQUENCES, n_steps=7)
    np.testing.assert_allclose(cut.exponents, lyapunov_spectrum(layer, SEQUENCES[:, :7]).exponents)


def test_warmup_leaves_out_the_first_steps():
    layer = make_layer("lstm")
    whole = lyapunov_spectrum(layer, SEQUENCES, keep="growth")
    warm = lyapunov_spectrum(layer, SEQUENCES, warmup=5, keep=["growth", "frames"])
    np.testing.assert_allclose(warm.growth, whole.growth[:, 5:])
    assert warm.n_steps.tolist() == [15] * 3
    assert warm.frames.shape == (3, 15, 8, 8)
    np.testing.assert_allclose(
        np.swapaxes(warm.frames, -1, -2) @ warm.frames, np.broadcast_to(np.eye(8), (3, 15, 8, 8)),
        atol=1e-12,
    )  # fmt: skip
    np.testing.assert_allclose(warm.growth.mean((0, 1))[warm.order], warm.exponents)


def test_result_pickles():
    spectrum = pickle.loads(pickle.dumps(lyapunov_spectrum(make_layer("gru"), SEQUENCES)))
    assert spectrum.exponents.shape == (5,)


def exploding():
    layer = nn.RNN(3, 2, nonlinearity="relu")
    nn.init.constant_(layer.weight_hh_l0, 1e30)
    return layer


class TwoLayers(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.GRU(3, 2), nn.LSTM(2, 2)

    def forward(self, x):
        return self.second(self.first(x)[0])[0]


class Unused(nn.Module):
    def __init__(self, times):
        super().__init__()
        self.recurrent, self.times = nn.GRU(3, 3), times

    def forward(self, x):
        for _ in range(self.times):
            x = self.recurrent(x)[0]
        return x


def misfitting(layer):
    layer.weight_hh_l0 = nn.Parameter(torch.zeros(15, 7))
    return layer


def with_nan(layer):
    with torch.no_grad():
        layer.weight_hh_l0[0, 0] = float("nan")
    return layer


GRU = nn.GRU(3, 4)
NAN_SEQUENCES = np.where(np.arange(180).reshape(3, 20, 3) == 100, np.nan, SEQUENCES)

REFUSED = {
    "never initialised": (NeuralNet(Reader, nn.MSELoss), {}, NotInitializedNetError, "initialize"),
    "no recurrent layer": (nn.Sequential(nn.Linear(3, 2)), {}, RecurrentLayerError, "no recurrent"),
    "two layers": (TwoLayers(), {}, RecurrentLayerError, "'first', 'second'.*layer='first'"),
    "unknown layer": (TwoLayers(), {"layer": "third"}, RecurrentLayerError, "got 'third'.*'first'"),
    "layer not reached": (Unused(0), {}, RecurrentLayerError, "0 times"),
    "layer reached twice": (Unused(2), {}, RecurrentLayerError, "2 times"),
    "not a model": (3, {}, InvalidTypeError, "model: got int 3"),
    "nan weights": (with_nan(nn.GRU(3, 4)), {}, InvalidInputError, "weight_hh_l0.*not finite"),
    "no sequences": (GRU, {"sequences": None}, InvalidInputError, "sequences: got None"),
    "empty list": (GRU, {"sequences": []}, InvalidInputError, r"sequences: got \[\]"),
    "text": (GRU, {"sequences": "abc"}, InvalidInputError, "sequences: got str 'abc'.*encoded"),
    "text to a net": (make_net(), {"sequences": "abc"}, InvalidInputError, "sequences: got str"),
    "tensors of another type in a step": (
        lambda state, x: torch.ones(4, 4, dtype=torch.float32) @ state,
        {"initial_state": np.ones(4)},
        InvalidInputError,
        "of torch.float64 on cpu, and be made of .*: convert .*dtype='float32' or device",
    ),
    "zero steps": (
        GRU,
        {"sequences": SEQUENCES[:, :0]},
        InvalidInputError,
        "sequence 0 has 0 steps",
    ),
    "zero steps in a module": (
        nn.Sequential(GRU),
        {"sequences": SEQUENCES[:, :0]},
        InvalidInputError,
        "sequences",
    ),
    "wrong width": (GRU, {"sequences": SEQUENCES[..., :2]}, InvalidInputError, r"shape \(20, 2\)"),
    "wrong width in a module": (
        nn.Sequential(GRU),
        {"sequences": SEQUENCES[..., :2]},
        InvalidInputError,
        "sequences: the module's own forward failed",
    ),
    "nan inputs": (GRU, {"sequences": NAN_SEQUENCES}, InvalidInputError, "sequence 1 at step 13"),
    "n_exponents too large": (GRU, {"n_exponents": 5}, InvalidInputError, "n_exponents: got 5.*4"),
    "n_exponents zero": (GRU, {"n_exponents": 0}, InvalidInputError, "n_exponents: got 0"),
    "n_exponents not whole": (GRU, {"n_exponents": 2.5}, InvalidInputError, "n_exponents: got 2.5"),
    "unknown method": (GRU, {"method": "svd"}, InvalidInputError, "method: got 'svd'.*'qr'"),
    "growth by lu": (GRU, {"method": "lu", "keep": "growth"}, InvalidInputError, "got 'lu'"),
    "unknown coupling": (GRU, {"coupling": "no"}, InvalidInputError, "coupling: got 'no'"),
    "bidirectional": (
        nn.GRU(3, 2, bidirectional=True),
        {"coupling": "full"},
        InvalidInputError,
        "coupling: got 'full' for a bidirectional",
    ),
    "negative tol": (GRU, {"tol": -1}, InvalidInputError, "tol: got -1"),
    "true tol": (GRU, {"tol": True}, InvalidInputError, "tol: got True"),
    "unknown dtype": (GRU, {"dtype": "int8"}, InvalidInputError, "dtype: got 'int8'"),
    "unknown device": (GRU, {"device": "toaster"}, InvalidInputError, "device: got 'toaster'"),
    "unknown keep": (GRU, {"keep": ["all"]}, InvalidInputError, "keep: got 'all'"),
    "warmup too long": (GRU, {"warmup": 20}, InvalidInputError, "warmup: got 20.*20 steps"),
    "negative warmup": (GRU, {"warmup": -1}, InvalidInputError, "warmup: got -1"),
    "zero n_steps": (GRU, {"n_steps": 0}, InvalidInputError, "n_steps: got 0"),
    "endless n_steps": (GRU, {"n_steps": 10**30}, InvalidInputError, "n_steps: got 10*.*at most"),
    "wrong state": (GRU, {"initial_state": np.ones(3)}, InvalidInputError, r"initial_state.*\(3,"),
    "map without state": (torch.tanh, {"sequences": None}, InvalidInputError, "initial_state"),
    "map without inputs": (
        lambda state, x: state + x,
        {"sequences": None, "initial_state": np.ones(2), "n_steps": 3},
        InvalidInputError,
        "sequences: got None, but the step function takes an input",
    ),
    "map without n_steps": (
        torch.tanh,
        {"sequences": None, "initial_state": np.ones(2)},
        InvalidInputError,
        "n_steps: got None",
    ),
    "exploding": (exploding(), {}, NumericalError, "sequence 0 is not finite from step"),
    "weights without values": (
        nn.GRU(3, 4, device="meta"),
        {},
        InvalidInputError,
        "weight_ih_l0 of its GRU is on the device 'meta'",
    ),
    "weights in a byte": (
        nn.GRU(3, 4).to(torch.float8_e4m3fn),
        {},
        InvalidInputError,
        "GRU's own forward failed",
    ),
    "weights that do not fit each other": (
        misfitting(nn.GRU(3, 5)),
        {},
        InvalidInputError,
        "GRU's own forward failed",
    ),
    "complex sequences": (
        GRU,
        {"sequences": 1j * torch.tensor(SEQUENCES)},
        InvalidInputError,
        "real",
    ),
    "sequences without values": (
        GRU,
        {"sequences": torch.empty(2, 3, 3, device="meta")},
        InvalidInputError,
        "sequences: got a tensor that is on the device 'meta'",
    ),
    "nested sequences": (
        nn.Sequential(GRU),
        {"sequences": torch.nested.as_nested_tensor([torch.ones(2, 3)], layout=torch.jagged)},
        InvalidInputError,
        "sequences: got a tensor that is nested.*unbind",
    ),
    "masked sequences": (
        GRU,
        {"sequences": np.ma.masked_greater(SEQUENCES, 1)},
        InvalidInputError,
        "sequences: got a masked array.*filled",
    ),
    "lazy": (
        nn.Sequential(nn.GRU(3, 4), nn.LazyBatchNorm1d()),
        {},
        InvalidInputError,
        "model: 1.weight of Sequential is made when",
    ),
    "frames of two directions": (
        nn.GRU(3, 2, bidirectional=True),
        {"keep": "frames"},
        InvalidInputError,
        "of layers of one direction",
    ),
    "no sequences for a layer of ours": (
        lnn.MinGRU(3, 4),
        {"sequences": SEQUENCES[:0]},
        InvalidInputError,
        "got 0 sequences",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_argument_value_and_remedy(case):
    model, arguments, error, message = REFUSED[case]
    arguments = {"sequences": SEQUENCES, **arguments}
    with pytest.raises(error, match=message):
        lyapunov_spectrum(model, **arguments)


def test_one_of_several_layers_by_name():
    module = TwoLayers()
    x = torch.tensor(SEQUENCES, dtype=torch.float32).transpose(0, 1)
    spectrum = lyapunov_spectrum(module, x, layer="second")
    between = module.first(x)[0].detach().transpose(0, 1)
    expected = lyapunov_spectrum(module.second, between)
    np.testing.assert_allclose(spectrum.exponents, expected.exponents, atol=1e-12)


def test_within_inference_mode_nothing_is_different():
    """Some torch versions give wrong tangents, or none, in that mode."""

    def step(state):
        assert not torch.is_inference_mode_enabled()
        return torch.stack([1 - 1.4 * state[0] ** 2 + state[1], 0.3 * state[0]])

    layer = torch.nn.GRU(3, 4, batch_first=True)
    initial_frame.cache_clear()
    with torch.inference_mode():
        found = lyapunov_spectrum(step, initial_state=[0.1, 0.1], n_steps=100)
        many = LyapunovSpectrumTransformer(SEQUENCES).fit([layer]).spectra([layer])
    expected = lyapunov_spectrum(step, initial_state=[0.1, 0.1], n_steps=100)
    np.testing.assert_array_equal(found.exponents, expected.exponents)
    assert len(many[0].exponents) == 4
    for size in (2, 4):
        frame = initial_frame(size, size, seed=0, dtype=torch.float64, device=torch.device("cpu"))
        assert not frame.is_inference()


@pytest.mark.parametrize("dtype", [torch.float8_e5m2, torch.float8_e4m3fn])
def test_inputs_of_eight_bits(dtype):
    layer, x = nn.GRU(3, 4, batch_first=True), torch.tensor(SEQUENCES).to(dtype)
    expected = lyapunov_spectrum(layer, x.double()).exponents
    np.testing.assert_array_equal(lyapunov_spectrum(layer, x).exponents, expected)
    x[1, 2, 0] = torch.nan
    with pytest.raises(InvalidInputError, match="holds nan in sequence 1 at step 2"):
        lyapunov_spectrum(layer, x)


@pytest.mark.usefixtures("two_threads")
def test_a_bare_layer_leaves_no_threads_waiting(monkeypatch):
    """A forward of a user's own may be long, and has all threads."""
    seen, own = [], nn.GRU.forward

    def forward(layer, *inputs):
        seen.append(torch.get_num_threads())
        return own(layer, *inputs)

    monkeypatch.setattr(nn.GRU, "forward", forward)
    layer = nn.GRU(3, 4, batch_first=True)
    lyapunov_spectrum(layer, SEQUENCES)
    lyapunov_spectrum(nn.Sequential(nn.Identity(), layer), SEQUENCES)
    assert (seen, torch.get_num_threads()) == ([1, 2], 2)


class Packs(nn.Module):
    """Takes a list of sequences of unequal lengths."""

    def __init__(self):
        super().__init__()
        self.recurrent = nn.GRU(3, 4)

    def forward(self, sequences, scale=1):
        return self.recurrent(pack_sequence([scale * x for x in sequences], enforce_sorted=False))


def test_a_list_is_one_input_and_a_tuple_several():
    model, lists = Packs(), [SEQUENCES[0].astype("float32"), SEQUENCES[1, :9].astype("float32")]
    expected = lyapunov_spectrum(model.recurrent, lists).per_sequence
    np.testing.assert_array_equal(lyapunov_spectrum(model, lists).per_sequence, expected)
    layer, equal = nn.GRU(3, 4, batch_first=True), list(SEQUENCES.astype("float32"))
    expected = lyapunov_spectrum(layer, equal).per_sequence
    found = lyapunov_spectrum(nn.Sequential(layer), equal).per_sequence
    np.testing.assert_array_equal(found, expected)
    net = NeuralNet(Packs, nn.MSELoss).initialize()
    with pytest.raises(
        InvalidInputError, match=r"a list, which skorch takes .* net\.module_ in pl"
    ):
        lyapunov_spectrum(net, lists)
    Inputs = namedtuple("Inputs", ["sequences", "scale"])
    doubled = lyapunov_spectrum(model, Inputs(lists, np.float32(2)))
    expected = lyapunov_spectrum(model.recurrent, [2 * x for x in lists]).per_sequence
    np.testing.assert_allclose(doubled.per_sequence, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("iterator", "named"),
    [
        (partial(DataLoader, sampler=[2, 0, 1]), "list"),
        (partial(DataLoader, sampler=SubsetRandomSampler([0, 1])), "SubsetRandomSampler"),
        (lambda data, **_: DataLoader(data, batch_sampler=[[2, 1], [0]]), "list"),
    ],
)
def test_iterators_that_lose_sequences_or_their_order_are_refused(iterator, named):
    net = make_net(iterator_valid=iterator)
    with pytest.raises(InvalidInputError, match=f"iterator_valid has a {named}"):
        lyapunov_spectrum(net, tokens())


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_within_autocast_nothing_is_different(kind):
    layer, stack = kind(3, 4), kind(3, 4, 2)
    for options in ({}, {"coupling": "layers"}):
        model = stack if options else layer
        expected = lyapunov_spectrum(model, SEQUENCES, dtype="float32", **options)
        with torch.autocast("cpu"):
            found = lyapunov_spectrum(model, SEQUENCES, dtype="float32", **options)
        np.testing.assert_array_equal(found.exponents, expected.exponents)


def test_within_autocast_a_step_function_is_the_same():
    weight = torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
    arguments = {"initial_state": np.ones(3), "n_steps": 20, "dtype": "float32"}
    expected = lyapunov_spectrum(lambda s: torch.tanh(weight @ s), **arguments)
    with torch.autocast("cpu"):
        found = lyapunov_spectrum(lambda s: torch.tanh(weight @ s), **arguments)
    np.testing.assert_array_equal(found.exponents, expected.exponents)


def error_of(growth, parts):
    """Standard error from the means over parts, which hold the number of each step's."""
    means = np.array([growth[parts == part].mean(0) for part in np.unique(parts)])
    return means.std(0, ddof=1) / len(means) ** 0.5


@pytest.mark.parametrize("coupling", ["full", "layers"])
@pytest.mark.parametrize("gain", [1, 6])
def test_sequences_that_start_over_tell_no_more_than_they_hold(gain, coupling):
    torch.manual_seed(0)
    layer, x = nn.GRU(1, 6, 2), torch.randn(1, 50, 1)
    with torch.no_grad():
        for weight in layer.parameters():
            weight *= gain
    options = {"n_steps": 1010, "warmup": 200, "method": "qr", "coupling": coupling}
    growth = lyapunov_spectrum(layer, x, **options, keep="growth").growth[0]
    found = lyapunov_spectrum(layer, x, **options)
    steps = np.arange(810)
    by_block, by_phase = (
        error_of(growth, np.searchsorted(np.arange(1, n + 1) * m // n, of_part, side="right"))
        for n, m, of_part in ((16, 810, steps), (12, 50, steps % 50))
    )
    np.testing.assert_allclose(found.exponents, growth.mean(0)[found.order], rtol=1e-9)
    errors = np.maximum(by_block, by_phase)[found.order]
    np.testing.assert_allclose(found.standard_error, errors, rtol=1e-9)
    assert found.n_steps == 810
    assert found.n_batches == 12
    assert lyapunov_spectrum(layer, x, **options, tol=1e-9).n_steps == 810


def test_no_early_end_before_all_inputs_were_read():
    layer, x = nn.GRU(1, 4), torch.randn(1, 300, 1, generator=torch.Generator().manual_seed(0))
    assert lyapunov_spectrum(layer, x, n_steps=400, tol=10).n_steps >= 300
    assert lyapunov_spectrum(layer, x, n_steps=300, tol=10).n_steps < 300


def test_errors_of_sequences_that_start_over_are_the_spread_over_others():
    torch.manual_seed(0)
    layer, options = nn.GRU(1, 6), {"n_steps": 1000, "warmup": 200}
    draws = [lyapunov_spectrum(layer, torch.randn(1, 50, 1), **options) for _ in range(12)]
    spread = np.std([draw.exponents[0] for draw in draws], ddof=1)
    assert 0.5 < np.mean([draw.standard_error[0] for draw in draws]) / spread < 4


def test_chaos_and_transients_are_seen_where_inputs_start_over():
    torch.manual_seed(0)
    W = torch.randn(50, 50, dtype=torch.float64) * 2 / 50**0.5
    for n_inputs in (1, 2, 12):
        x = 0.1 * np.random.default_rng(1).normal(size=(1, n_inputs, 1))
        found = lyapunov_spectrum(
            *(lambda s, x: torch.tanh(W @ s + x[0]), x),
            **{"initial_state": np.ones((1, 50)), "n_steps": 600, "n_exponents": 1},
        )
        assert 0.001 < found.standard_error[0] < 0.05

    def settling(s, x):
        return torch.stack([0.99 * s[0], 0.5 * torch.exp(s[0]) * s[1] + 0 * x[0]])

    drifts = [
        lyapunov_spectrum(settling, torch.zeros(1, n, 1), initial_state=[1.0, 0.0], n_steps=400)
        for n in (1, 20, 400)
    ]
    for found in drifts:
        np.testing.assert_allclose(found.drift, drifts[-1].drift, atol=1e-9)
        assert np.abs(found.drift).max() > 0.3


def test_an_input_that_is_held_is_as_if_it_were_given_at_every_step():
    torch.manual_seed(1)
    layer, x = nn.RNN(1, 50), torch.zeros(1, 1, 1)
    nn.init.normal_(layer.weight_hh_l0, std=2 / 50**0.5)
    state = torch.randn(50)
    found = lyapunov_spectrum(layer, x, n_steps=400, initial_state=state)
    expected = lyapunov_spectrum(layer, torch.zeros(1, 400, 1), initial_state=state)
    np.testing.assert_array_equal(found.standard_error, expected.standard_error)
    assert 0 < found.standard_error[0] < 0.1


def test_drift_is_that_of_each_sequence():
    def step(state, x):
        return torch.exp(x) * state

    for n_short, n in ((1, 3), (9, 1)):
        short, long = [torch.ones(n, 1)] * n_short, torch.full((100, 1), -1.0)
        found = lyapunov_spectrum(step, [*short, long], initial_state=torch.zeros(n_short + 1, 1))
        np.testing.assert_allclose(found.drift, 0, atol=1e-12)


def test_growth_is_kept_of_layers_that_end_at_their_own_steps():
    torch.manual_seed(0)
    layer, x = nn.LSTM(2, 6, num_layers=3), torch.randn(4, 2000, 2)
    options = {"coupling": "layers", "keep": "growth", "tol": 0.01}
    found = lyapunov_spectrum(layer, x, **options)
    assert found.growth.shape == (4, found.n_steps[0], 36)
    assert found.n_steps[0] < 2000
    with_all = lyapunov_spectrum(layer, x, coupling="layers", keep="growth").growth
    np.testing.assert_array_equal(found.growth, with_all[:, : found.n_steps[0]])
