"""Every kind of network that torch has: cells, directions, packing, wrappers, precisions."""

import copy
import random
from collections import OrderedDict, deque

import numpy as np
import pytest
import torch
from helpers import dense_jacobians, growth_of, make_layer, make_net, tokens
from skorch import NeuralNet
from torch import nn
from torch.nn.utils import parametrize, prune
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_packed_sequence

from lyapsk import lyapunov_spectrum
from lyapsk.exceptions import InvalidInputError, RecurrentLayerError
from lyapsk.spectrum import initial_frame

RNG = np.random.default_rng(0)
SEQUENCES = RNG.normal(size=(3, 20, 3))
LENGTHS = [7, 20, 12]
KINDS = [nn.RNN, nn.GRU, nn.LSTM]
CELLS = [nn.RNNCell, nn.GRUCell, nn.LSTMCell]


class Packing(nn.Module):
    """Packs padded sequences, in any order, before its recurrent layer."""

    def __init__(self, kind, **kwargs):
        super().__init__()
        self.recurrent = kind(3, 4, batch_first=True, **kwargs)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(
            x, lengths.cpu().long(), batch_first=True, enforce_sorted=False
        )
        return pad_packed_sequence(self.recurrent(packed)[0], batch_first=True)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_packed_sequences_are_followed_over_their_own_steps(kind):
    torch.manual_seed(0)
    module = Packing(kind).double()
    X = {"x": SEQUENCES, "lengths": np.array(LENGTHS)}
    spectrum = lyapunov_spectrum(module, X)
    assert spectrum.n_steps.tolist() == LENGTHS
    alone = [
        lyapunov_spectrum(module.recurrent, SEQUENCES[[i], :length])
        for i, length in enumerate(LENGTHS)
    ]
    for own, row in zip(alone, spectrum.per_sequence, strict=True):
        np.testing.assert_allclose(np.sort(row), np.sort(own.exponents), atol=1e-9)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRUCell])
def test_packed_sequences_of_a_bare_layer(kind):
    layer = kind(3, 4).double()
    ragged = [x[:length] for x, length in zip(SEQUENCES, LENGTHS, strict=True)]
    packed = pack_sequence([torch.tensor(x) for x in ragged], enforce_sorted=False)
    expected = lyapunov_spectrum(layer, ragged).per_sequence
    np.testing.assert_array_equal(lyapunov_spectrum(layer, packed).per_sequence, expected)


def test_packed_sequences_that_a_module_takes():
    module = nn.Sequential(nn.GRU(3, 4)).float()
    packed = pack_padded_sequence(
        torch.tensor(SEQUENCES), LENGTHS, batch_first=True, enforce_sorted=False
    )
    expected = lyapunov_spectrum(module[0], packed.float()).per_sequence
    np.testing.assert_allclose(lyapunov_spectrum(module, packed).per_sequence, expected)


def test_list_of_unequal_lengths_equals_packed():
    module = Packing(nn.GRU).double()
    packed = lyapunov_spectrum(module, {"x": SEQUENCES, "lengths": np.array(LENGTHS)})
    ragged = [x[:length] for x, length in zip(SEQUENCES, LENGTHS, strict=True)]
    listed = lyapunov_spectrum(module.recurrent, ragged)
    np.testing.assert_allclose(listed.per_sequence, packed.per_sequence, atol=1e-12)
    assert (listed.standard_error > 0).all()
    with pytest.raises(InvalidInputError, match="3 lengths"):
        lyapunov_spectrum(module.recurrent, ragged, keep="growth")
    with pytest.raises(InvalidInputError, match="warmup: got 7, but there are 7 steps"):
        lyapunov_spectrum(module.recurrent, ragged, warmup=7)


class Looping(nn.Module):
    """Loops a cell over the steps, in its own forward."""

    def __init__(self, cell, reset=None):
        super().__init__()
        self.cell, self.reset = cell, reset

    def forward(self, x):
        state, outputs = None, []
        for t in range(x.shape[1]):
            state = self.cell(x[:, t], None if t == self.reset else state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
        return torch.stack(outputs, 1)


@pytest.mark.parametrize(("kind", "cell"), list(zip(KINDS, CELLS, strict=True)))
def test_cell_equals_layer(kind, cell):
    layer = kind(3, 4).double()
    own = cell(3, 4).double()
    own.load_state_dict({name.removesuffix("_l0"): w for name, w in layer.state_dict().items()})
    expected = lyapunov_spectrum(layer, SEQUENCES).per_sequence
    bare = lyapunov_spectrum(own, SEQUENCES)
    np.testing.assert_allclose(bare.per_sequence, expected, atol=1e-12)
    looped = lyapunov_spectrum(Looping(own), SEQUENCES)
    np.testing.assert_allclose(looped.per_sequence, expected, atol=1e-12)


def test_cell_that_loses_its_state_is_refused():
    with pytest.raises(RecurrentLayerError, match=r"at step 5 this GRUCell.*own.*cell=True"):
        lyapunov_spectrum(Looping(nn.GRUCell(3, 4), reset=5), SEQUENCES)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("cell", CELLS)
def test_inputs_that_are_not_finite_are_told_of_a_looped_cell(cell, value):
    sequences = SEQUENCES.copy()
    sequences[1, 3, 0] = value
    with pytest.raises(InvalidInputError, match=f"holds {value} in sequence 1 at step 3"):
        lyapunov_spectrum(Looping(cell(3, 4)), sequences)


@pytest.mark.parametrize("kind", KINDS)
def test_bidirectional_layers_are_followed_in_their_own_direction(kind):
    torch.manual_seed(0)
    layer = kind(3, 4, bidirectional=True, num_layers=2, batch_first=True).double()
    spectrum = lyapunov_spectrum(layer, SEQUENCES)
    between = _lower(layer, kind)(torch.tensor(SEQUENCES))[0].detach()
    expected = {}
    for index, x in ((0, torch.tensor(SEQUENCES)), (1, between)):
        for suffix, flips in (("", []), ("_reverse", [1])):
            own = _one_direction(layer, kind, index, suffix)
            found = lyapunov_spectrum(own, x.flip(flips))
            expected[f"l{index}{suffix}"] = found.exponents
    assert set(spectrum.layers) == set(expected)
    for name, exponents in expected.items():
        np.testing.assert_allclose(
            spectrum.exponents[spectrum.layers == name], exponents, atol=1e-9
        )


def _one_direction(layer, kind, index, suffix):
    """A layer of one direction with the weights of one of ``layer``."""
    own = kind(layer.input_size if index == 0 else 8, 4).double()
    with torch.no_grad():
        for name, weight in own.named_parameters():
            weight.copy_(getattr(layer, name.replace("_l0", f"_l{index}{suffix}")))
    return own


def _lower(layer, kind):
    lower = kind(3, 4, bidirectional=True, batch_first=True).double()
    lower.load_state_dict({k: v for k, v in layer.state_dict().items() if "_l0" in k})
    return lower


@pytest.mark.parametrize("name", ["tanh-stacked", "gru-stacked", "lstm-stacked"])
def test_layers_apart_are_the_blocks_of_the_joint_jacobian(name):
    layer = make_layer(name)
    apart = lyapunov_spectrum(layer, SEQUENCES, coupling="layers")
    n, n_layers = apart.state_size, layer.num_layers
    assert set(apart.layers) == {f"l{i}" for i in range(n_layers)}
    start = torch.zeros(n, dtype=torch.float64)
    jacobians = [dense_jacobians(layer, torch.tensor(x), start).numpy() for x in SEQUENCES]
    m = n // n_layers
    frame = initial_frame(m, m, seed=0, dtype=torch.float64, device="cpu").mT
    for i in range(n_layers):
        block = slice(i * m, (i + 1) * m)
        growth = np.mean([growth_of(J[:, block, block], frame).mean(0) for J in jacobians], 0)
        found = apart.exponents[apart.layers == f"l{i}"]
        np.testing.assert_allclose(found, np.sort(growth)[::-1], atol=1e-9)
    joint = lyapunov_spectrum(layer, SEQUENCES, coupling="full")
    assert apart.sum == pytest.approx(joint.sum, abs=1e-9)
    assert joint.layers is None


def test_layers_apart_and_together_agree_in_the_long_run():
    layer = make_layer("gru-stacked")
    long = RNG.normal(size=(2, 2000, 3))
    apart, joint = (
        lyapunov_spectrum(layer, long, coupling=coupling, warmup=500).exponents
        for coupling in ("layers", "full")
    )
    np.testing.assert_allclose(apart, joint, atol=5e-3)


def test_leading_exponents_of_layers_apart():
    layer = make_layer("lstm-stacked")
    whole = lyapunov_spectrum(layer, SEQUENCES, coupling="layers")
    leading = lyapunov_spectrum(layer, SEQUENCES, coupling="layers", n_exponents=4)
    np.testing.assert_allclose(leading.exponents, whole.exponents[:4], atol=1e-9)
    assert leading.layers.tolist() == whole.layers[:4].tolist()


def test_growth_is_kept_of_layers_apart_but_frames_are_not():
    layer = make_layer("gru-stacked")
    kept = lyapunov_spectrum(layer, SEQUENCES, coupling="layers", keep="growth")
    np.testing.assert_allclose(kept.growth.mean((0, 1))[kept.order], kept.exponents)
    with pytest.raises(InvalidInputError, match="coupling='full'"):
        lyapunov_spectrum(layer, SEQUENCES, coupling="layers", keep="frames")


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method`:DeprecationWarning")
@pytest.mark.parametrize("wrapper", [torch.compile, nn.DataParallel], ids=["compiled", "parallel"])
@pytest.mark.parametrize("in_net", [True, False])
def test_wrapped_modules_are_unwrapped(wrapper, in_net):
    net, X = make_net(), tokens()
    expected = lyapunov_spectrum(net, X).exponents
    wrapped = wrapper(net.module_)
    if in_net:
        vars(net)["module_"] = wrapped
    found = lyapunov_spectrum(net if in_net else wrapped, X).exponents
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_any_precision_are_computed_in_double(dtype):
    layer = make_layer("gru").to(dtype)
    exact = make_layer("gru").to(dtype).double()
    found = lyapunov_spectrum(layer, SEQUENCES).exponents
    np.testing.assert_array_equal(found, lyapunov_spectrum(exact, SEQUENCES).exponents)


class Drawing(prune.BasePruningMethod):
    """Prunes nothing, and draws numbers whenever a layer's weights are made."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, _, default_mask):
        return default_mask

    def apply_mask(self, module):
        draw()
        return super().apply_mask(module)


class DrawingParametrization(nn.Module):
    def forward(self, weight):
        draw()
        return weight


class DrawingLayer(nn.GRU):
    def __getattr__(self, name):
        if name == "weight_hh_l0":
            draw()
        return super().__getattr__(name)


DRAWN = []


def draw(*_):
    DRAWN.append((torch.rand(1), np.random.rand(), random.random()))  # noqa: NPY002


def with_own_forward(layer):
    forward = layer.forward
    layer.forward = lambda x: draw() or forward(x)
    return layer


def hooked(layer, register):
    getattr(layer, register)(draw)
    return layer


def pruned(layer):
    Drawing.apply(layer, "weight_hh_l0")
    return layer


def parametrized(layer):
    parametrize.register_parametrization(layer, "weight_hh_l0", DrawingParametrization())
    return layer


DRAWING = {
    "hook before": hooked(nn.GRU(3, 4), "register_forward_pre_hook"),
    "hook after": hooked(nn.GRU(3, 4), "register_forward_hook"),
    "pruning": pruned(nn.GRU(3, 4)),
    "parametrization": parametrized(nn.GRU(3, 4)),
    "subclass": DrawingLayer(3, 4),
    "forward of its own": with_own_forward(nn.GRU(3, 4, batch_first=True)),
}


@pytest.mark.parametrize("case", DRAWING)
def test_bare_layers_that_draw_leave_the_generators_alone(case):
    states = torch.get_rng_state(), np.random.get_state()[1:3], random.getstate()  # noqa: NPY002
    drawn = len(DRAWN)
    lyapunov_spectrum(DRAWING[case], SEQUENCES)
    assert len(DRAWN) > drawn
    after = torch.get_rng_state(), np.random.get_state()[1:3], random.getstate()  # noqa: NPY002
    assert torch.equal(after[0], states[0])
    np.testing.assert_equal(after[1], states[1])
    assert after[2] == states[2]


def test_hooks_of_a_bare_layer_run():
    layer = nn.GRU(3, 4)
    halved = copy.deepcopy(layer)
    with torch.no_grad():
        halved.weight_hh_l0.mul_(0.5)

    def halve(layer, _):
        layer.weight_hh_l0.data = halved.weight_hh_l0.data

    layer.register_forward_pre_hook(halve)
    found = lyapunov_spectrum(layer, SEQUENCES).exponents
    np.testing.assert_array_equal(found, lyapunov_spectrum(halved, SEQUENCES).exponents)


def test_module_in_half_precision():
    torch.manual_seed(0)
    net = NeuralNet(nn.Sequential(nn.GRU(3, 4, batch_first=True)).bfloat16(), nn.MSELoss)
    spectrum = lyapunov_spectrum(net.initialize(), SEQUENCES)
    assert np.isfinite(spectrum.exponents).all()


def test_early_end_at_the_tolerance():
    layer = make_layer("gru")
    long = np.random.default_rng(0).normal(size=(8, 1600, 3))
    early = lyapunov_spectrum(layer, long, tol=0.02)
    whole = lyapunov_spectrum(layer, long)
    assert early.n_steps.max() < 1600
    assert (early.standard_error <= 0.02).all()
    assert early.converged.sum() >= 4  # of 5; a drift may be beyond two errors by chance
    np.testing.assert_allclose(early.exponents, whole.exponents, atol=5 * 0.02)
    never = lyapunov_spectrum(layer, long[:, :40], tol=1e-9)
    assert never.n_steps.tolist() == [40] * 8
    assert not never.converged.any()


def test_layers_apart_that_settle_at_different_times():
    torch.manual_seed(0)
    layer = nn.GRU(3, 6, 2)
    with torch.no_grad():
        layer.weight_hh_l0 *= 4
    X = np.random.default_rng(0).normal(size=(2, 1600, 3))
    spectrum = lyapunov_spectrum(layer, X, coupling="layers", tol=0.03)
    assert (spectrum.standard_error <= 0.03).all()
    assert spectrum.n_steps.max() < 1600


class Damped(nn.Module):
    """Changes the state in place between the steps of its cell."""

    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(3, 4)

    def forward(self, x):
        h = torch.zeros(len(x), 4)
        for t in range(x.shape[1]):
            h = self.cell(x[:, t], h)
            h *= 0.3
        return h


def test_cell_whose_state_is_changed_in_place_is_refused():
    with pytest.raises(RecurrentLayerError, match="at step 1 this GRUCell"):
        lyapunov_spectrum(Damped(), SEQUENCES)


class Remembering(nn.Module):
    """Starts where the batch before ended."""

    def __init__(self, *, in_place):
        super().__init__()
        self.recurrent, self.in_place = nn.GRU(3, 4, batch_first=True), in_place
        self.register_buffer("h", torch.zeros(1, 3, 4))
        self.register_buffer("shared", torch.zeros(1).expand(5))

    def forward(self, x):
        y, h = self.recurrent(x, self.h)
        if self.in_place:
            self.h.copy_(h)
        else:
            self.h = h
        return y


@pytest.mark.parametrize("in_place", [True, False])
def test_module_that_remembers_is_left_as_it_was(in_place):
    module = Remembering(in_place=in_place)
    expected = lyapunov_spectrum(module.recurrent, SEQUENCES).exponents
    for _ in range(2):
        np.testing.assert_allclose(lyapunov_spectrum(module, SEQUENCES).exponents, expected)
    assert not module.h.any()


class Carrying(nn.Module):
    """Goes on from where the last batch ended, as training by truncated backpropagation does."""

    def __init__(self):
        super().__init__()
        self.recurrent = nn.GRU(3, 4, batch_first=True)
        self.h, self.calls = None, {}

    def forward(self, x):
        y, self.h = self.recurrent(x, self.h)
        self.calls["n"], self.new = 1, self.h
        return y


PLACES = {
    "tensor": lambda h: (h, lambda held: held),
    "list": lambda h: ([h], lambda held: held[0]),
    "dict": lambda h: ({"h": h}, lambda held: held["h"]),
    "nested": lambda h: (OrderedDict(h=(deque([h]),)), lambda held: held["h"][0][0]),
    "array": lambda h: (h.numpy(), torch.from_numpy),
}


class Growing(nn.Module):
    """Has no attribute before it is called."""

    def __init__(self):
        super().__init__()
        self.recurrent = nn.GRU(3, 4, batch_first=True)

    def forward(self, x):
        y, self.h = self.recurrent(x, getattr(self, "h", None))
        return y


def test_a_first_attribute_is_taken_away():
    module = Growing()
    found = [lyapunov_spectrum(module, SEQUENCES).exponents for _ in range(2)]
    np.testing.assert_array_equal(*found)
    assert not hasattr(module, "h")


class InPlace(Carrying):
    """The same with a state that is written to where it stands."""

    def __init__(self, place):
        super().__init__()
        self.held, self.read = PLACES[place](torch.zeros(1, 3, 4))

    def forward(self, x):
        y, h = self.recurrent(x, self.read(self.held))
        self.read(self.held).copy_(h)
        return y


@pytest.mark.parametrize("module", [Carrying(), *map(InPlace, PLACES)])
def test_plain_attributes_are_left_as_they_were(module):
    expected = lyapunov_spectrum(module.recurrent, SEQUENCES).exponents
    for _ in range(2):
        np.testing.assert_allclose(lyapunov_spectrum(module, SEQUENCES).exponents, expected)
    assert module.h is None
    assert module.calls == {}
    assert not hasattr(module, "new")
    if isinstance(module, InPlace):
        assert not module.read(module.held).any()


class Holding(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.recurrent, self.value = nn.GRU(3, 4, batch_first=True), value

    def forward(self, x):
        return self.recurrent(x)


HELD = {
    "not a number": torch.full((1,), torch.nan).expand(5),
    "sparse": torch.eye(3).to_sparse(),
    "meta": torch.empty(3, device="meta"),
    "of eight bits": torch.zeros(3, dtype=torch.bits8),
    "inference": torch.inference_mode()(torch.ones)(3),
    "read only": np.broadcast_to(np.ones(1), 3),
    "objects": np.array([None]),
}


@pytest.mark.parametrize("kind", HELD)
def test_whatever_a_module_holds_is_left_alone(kind):
    module = Holding(HELD[kind])
    lyapunov_spectrum(module, SEQUENCES)
    assert module.value is HELD[kind]


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_batches_start_where_the_module_starts_them(batch_size):
    net = NeuralNet(Carrying, nn.MSELoss, batch_size=batch_size).initialize()
    sequences = torch.as_tensor(SEQUENCES).float().repeat(2, 1, 1)
    with torch.no_grad():
        ends = [None]
        for batch in sequences.split(batch_size):
            ends.append(net.module_.recurrent(batch, ends[-1])[1])
    starts = torch.cat([torch.zeros_like(ends[1]), *ends[1:-1]], 1)[0]
    found = lyapunov_spectrum(net, sequences).per_sequence
    expected = lyapunov_spectrum(net.module_.recurrent, sequences, initial_state=starts)
    np.testing.assert_allclose(found, expected.per_sequence, rtol=1e-5)


def test_pruned_weights_are_made_anew():
    torch.manual_seed(0)
    module = nn.Sequential(nn.GRU(3, 4, batch_first=True))
    prune.l1_unstructured(module[0], "weight_hh_l0", 0.5)
    with torch.no_grad():
        module[0].weight_hh_l0_orig *= 3
    for model in (module, module[0]):
        stale = lyapunov_spectrum(model, SEQUENCES).exponents
        module(torch.tensor(SEQUENCES, dtype=torch.float32))
        np.testing.assert_allclose(stale, lyapunov_spectrum(model, SEQUENCES).exponents)


class Louder(nn.GRU):
    def forward(self, x, hx=None):
        return super().forward(5 * x, hx)


def test_layer_with_a_forward_of_its_own_is_refused():
    for model in (Louder(3, 4), nn.Sequential(Louder(3, 4))):
        with pytest.raises(RecurrentLayerError, match="with torch's own forward"):
            lyapunov_spectrum(model, SEQUENCES)


def test_step_function_over_trained_weights():
    layer = nn.RNN(3, 4).double()
    W, V = layer.weight_hh_l0, layer.weight_ih_l0
    bias = layer.bias_hh_l0 + layer.bias_ih_l0
    found = lyapunov_spectrum(
        lambda h, x: torch.tanh(W @ h + V @ x + bias), SEQUENCES, initial_state=np.zeros(4)
    )
    expected = lyapunov_spectrum(layer, SEQUENCES)
    np.testing.assert_allclose(found.per_sequence, expected.per_sequence, atol=1e-9)


def test_map_with_default_parameters():
    found = lyapunov_spectrum(lambda s, a=0.5: a * s, initial_state=np.ones(2), n_steps=5)
    np.testing.assert_allclose(found.exponents, np.log(0.5))


@pytest.mark.parametrize(
    "change",
    [
        lambda X: torch.tensor(X, requires_grad=True),
        lambda X: [torch.tensor(x, requires_grad=True) for x in X],
        lambda X: X[::-1][::-1],
        lambda X: X.astype(">f8"),
        lambda X: X.astype(np.longdouble),
        lambda X: X.tolist(),
        lambda X: np.broadcast_to(X, X.shape),
    ],
    ids=["grad", "list", "strides", "big-endian", "longdouble", "nested", "read-only"],
)
@pytest.mark.parametrize("bare", [True, False])
def test_numbers_in_any_container(change, bare):
    if not bare and isinstance(change(SEQUENCES), list):
        pytest.skip("a list is several inputs to a module")
    torch.manual_seed(0)
    layer = nn.GRU(3, 4, batch_first=True).double()
    model = layer if bare else nn.Sequential(layer)
    expected = lyapunov_spectrum(model, SEQUENCES).exponents
    np.testing.assert_allclose(lyapunov_spectrum(model, change(SEQUENCES)).exponents, expected)


@pytest.mark.parametrize("wrong", [5, "text", np.ones((2, 20, 3)) * 1j, [[[1.0, 2, 3]], [[1.0]]]])
def test_what_is_no_array_of_sequences_is_refused(wrong):
    with pytest.raises(InvalidInputError, match="sequences"):
        lyapunov_spectrum(nn.GRU(3, 4), wrong)


@pytest.mark.parametrize("wrong", [np.ones((1, 2, 4)), "zeros", [np.nan] * 4, np.ones((0, 4))])
def test_wrong_initial_states_are_refused(wrong):
    with pytest.raises(InvalidInputError, match="initial_state"):
        lyapunov_spectrum(nn.GRU(3, 4), SEQUENCES, initial_state=wrong)


@pytest.mark.filterwarnings("ignore:You set iterator_valid__shuffle")
def test_shuffled_validation_is_refused():
    net = make_net(iterator_valid__shuffle=True)
    with pytest.raises(InvalidInputError, match="iterator_valid__shuffle"):
        lyapunov_spectrum(net, tokens())
