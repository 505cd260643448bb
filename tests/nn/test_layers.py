"""Every layer of ``lyapsk.nn`` keeps the conventions of torch's own."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from helpers import make_net, tokens
from sklearn.base import clone
from torch import nn
from torch.func import functional_call
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.parametrize import remove_parametrizations
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from lyapsk import lyapunov_spectrum
from lyapsk import nn as lnn

NAMES = [name for name in lnn.__all__ if name != "RecurrentLayer"]
# Not ReLU, whose units may be dead.
SMOOTH = {"IndRNN": {"nonlinearity": "tanh"}}
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def make(name, *args, seed=0, dtype=torch.float64, **kwargs):
    torch.manual_seed(seed)
    return getattr(lnn, name)(*args, dtype=dtype, **{**SMOOTH.get(name, {}), **kwargs})


def random(*shape, seed=1, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def as_tuple(hx):
    return hx if isinstance(hx, tuple) else (hx,)


def random_hx(layer, *n_sequences):
    """States to start from, in the form in which the layer takes them."""
    shape = (layer.num_layers, *n_sequences, layer.hidden_size)
    parts = tuple(random(*shape, seed=part) for part in range(layer.n_parts))
    return parts[0] if layer.n_parts == 1 else parts


def of_sequence(hx, which):
    parts = tuple(part[:, which] for part in as_tuple(hx))
    return parts[0] if len(parts) == 1 else parts


def assert_same(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-14)


def train(layer, n_steps=2):
    """Some steps of gradient descent."""
    optimizer = torch.optim.SGD(layer.parameters(), lr=1e-3)
    dtype = next(layer.parameters()).dtype
    for _ in range(n_steps):
        optimizer.zero_grad()
        layer(random(5, 2, layer.input_size, dtype=dtype))[0].square().sum().backward()
        optimizer.step()
    return layer


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bias", [True, False], ids=["biased", "unbiased"])
def test_gradients_of_forward(name, bias):
    layer = make(name, 2, 2, 2, bias=bias)
    weights = dict(layer.named_parameters())

    def forward(x, *rest):
        parts, values = rest[: layer.n_parts], rest[layer.n_parts :]
        hx = parts[0] if layer.n_parts == 1 else parts
        outputs, lasts = functional_call(layer, dict(zip(weights, values, strict=True)), (x, hx))
        return outputs, *as_tuple(lasts)

    leaves = [random(3, 2, 2), *as_tuple(random_hx(layer, 2)), *weights.values()]
    leaves = [leaf.detach().requires_grad_() for leaf in leaves]
    assert torch.autograd.gradcheck(forward, leaves)


@pytest.mark.parametrize("name", NAMES)
def test_gradient_reaches_every_weight(name):
    layer = make(name, 3, 4, 3)
    layer(random(5, 2, 3))[0].sum().backward()
    assert all(weight.grad.abs().max() > 0 for weight in layer.parameters())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("bias", [True, False], ids=["biased", "unbiased"])
def test_shapes_are_those_of_torch(name, num_layers, bias):
    sizes = {"input_size": 3, "hidden_size": 5, "num_layers": num_layers, "bias": bias}
    for batch_first, shape in (
        (False, (7, 2, 3)),
        (True, (2, 7, 3)),
        (False, (7, 3)),
        (True, (7, 3)),
    ):
        layer = make(name, **sizes, batch_first=batch_first)
        like = (nn.LSTM if layer.n_parts == 2 else nn.GRU)(
            **sizes, batch_first=batch_first
        ).double()
        x = random(*shape)
        (outputs, hx), (expected, expected_hx) = layer(x), like(x)
        assert outputs.shape == expected.shape
        assert type(hx) is type(expected_hx)
        assert [p.shape for p in as_tuple(hx)] == [p.shape for p in as_tuple(expected_hx)]
        assert {n: getattr(layer, n) for n in sizes} == sizes
        assert layer.batch_first == batch_first
    assert any("bias" in n for n, _ in layer.named_parameters()) == bias


@pytest.mark.parametrize("name", NAMES)
def test_layouts_agree(name):
    layer, x = make(name, 3, 4, 2), random(7, 2, 3)
    hx = random_hx(layer, 2)
    outputs, lasts = layer(x, hx)
    alone, last = layer(x[:, 1], of_sequence(hx, 1))
    assert_same(alone, outputs[:, 1])
    assert_same(last, of_sequence(lasts, 1))
    layer.batch_first = True
    batch_first, same_lasts = layer(x.transpose(0, 1), hx)
    assert_same(batch_first.transpose(0, 1), outputs)
    assert_same(same_lasts, lasts)


@pytest.mark.parametrize("name", NAMES)
def test_starts_at_zero_and_goes_on_where_it_ended(name):
    layer, x = make(name, 3, 4, 2), random(7, 2, 3)
    outputs, lasts = layer(x)
    zeros = torch.zeros(2, 2, 4, dtype=torch.float64)
    first, hx = layer(x[:3], zeros if layer.n_parts == 1 else [zeros, zeros])
    second, same_lasts = layer(x[3:], hx)
    assert_same(torch.cat([first, second]), outputs)
    assert_same(same_lasts, lasts)
    if name != "LRU":
        assert_same(outputs[-1], as_tuple(lasts)[0][-1])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("lengths", [(6, 4, 4, 1), (4, 1, 6, 4)], ids=["sorted", "unsorted"])
@pytest.mark.parametrize("batch_first", [False, True])
def test_packed_sequences_are_each_followed_to_their_own_end(name, lengths, batch_first):
    layer = make(name, 3, 4, 2, batch_first=batch_first)
    sequences = [random(length, 3, seed=length + i) for i, length in enumerate(lengths)]
    packed = pack_sequence(sequences, enforce_sorted=lengths[0] == 6)
    hx = random_hx(layer, 4)
    outputs, lasts = layer(packed, hx)
    like, _ = nn.GRU(3, 4).double()(packed)
    assert isinstance(outputs, PackedSequence)
    # Losses may be taken of the data as they are packed.
    for field in ("batch_sizes", "sorted_indices", "unsorted_indices"):
        expected = getattr(like, field)
        same = getattr(outputs, field)
        assert same is expected is None or torch.equal(same, expected)
    for i, (x, output) in enumerate(
        zip(sequences, nn.utils.rnn.unpack_sequence(outputs), strict=True)
    ):
        expected, last = layer(x, of_sequence(hx, i))
        assert_same(output, expected)
        assert_same(of_sequence(lasts, i), last)


@pytest.mark.parametrize("name", NAMES)
def test_train_and_eval_agree(name):
    layer, x = make(name, 3, 4, 2), random(7, 2, 3)
    assert_same(layer.train()(x), layer.eval()(x))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_precision(name, dtype):
    layer = make(name, 3, 4, 2, dtype=dtype)
    assert {weight.dtype for weight in layer.state_dict().values()} == {dtype}
    outputs, hx = layer(random(7, 2, 3, dtype=dtype))
    outputs.sum().backward()
    assert outputs.dtype == dtype
    assert {part.dtype for part in as_tuple(hx)} == {dtype}
    assert all(weight.grad.isfinite().all() for weight in layer.parameters())
    spectrum = lyapunov_spectrum(layer, random(2, 9, 3).numpy(), device="cpu")
    layer.double()
    double = lyapunov_spectrum(layer, random(2, 9, 3).numpy(), device="cpu")
    exact, _ = layer(random(7, 2, 3, dtype=dtype).double())
    atol = 30 * torch.finfo(dtype).eps
    torch.testing.assert_close(outputs.double(), exact, rtol=0, atol=atol)
    # The numbers of half precision, followed in double precision.
    np.testing.assert_allclose(spectrum.per_sequence, double.per_sequence, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_mixed_precision(name, dtype):
    layer, x = make(name, 3, 4, 2, dtype=torch.float32), random(7, 2, 3, dtype=dtype)
    with torch.autocast("cpu", torch.bfloat16):
        outputs, _ = layer(x)
    outputs.float().sum().backward()
    expected, _ = layer(x.float())
    torch.testing.assert_close(outputs.float(), expected, rtol=0, atol=0.05)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", NAMES)
def test_gpu_agrees_with_cpu(name):
    layer = make(name, 3, 4, 2)
    on_gpu = make(name, 3, 4, 2, device="cuda")
    assert {weight.device.type for weight in on_gpu.state_dict().values()} == {"cuda"}
    on_gpu.load_state_dict(layer.state_dict())
    packed = pack_sequence([random(length, 3) for length in (4, 1, 6)], enforce_sorted=False)
    hx = random_hx(layer, 3)
    hx_on_gpu = hx.cuda() if layer.n_parts == 1 else tuple(part.cuda() for part in hx)
    (outputs, lasts), (same, same_lasts) = layer(packed, hx), on_gpu(packed.cuda(), hx_on_gpu)
    torch.testing.assert_close(same.data.cpu(), outputs.data, rtol=0, atol=1e-10)
    for part, same_part in zip(as_tuple(lasts), as_tuple(same_lasts), strict=True):
        torch.testing.assert_close(same_part.cpu(), part, rtol=0, atol=1e-10)
    for dtype in DTYPES:
        assert on_gpu.to(dtype)(random(7, 2, 3, dtype=dtype).cuda())[0].isfinite().all()
    on_gpu.reset_parameters()


@pytest.mark.parametrize("name", NAMES)
def test_state_dict_round_trip(name):
    layer, other = train(make(name, 3, 4, 2)), make(name, 3, 4, 2, seed=1)
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file))
    assert_same(other(random(7, 2, 3)), layer(random(7, 2, 3)))


def pickled(layer):
    return pickle.loads(pickle.dumps(layer))


def saved(layer):
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("copied", [copy.deepcopy, pickled, saved])
def test_copies_are_what_was_copied(name, copied):
    layer = make(name, 3, 4, 2, bias=False, batch_first=True)
    train(layer).eval().weight_ih_l1.requires_grad_(False)
    layer.note = "mine"
    generator_state = torch.get_rng_state()
    other = copied(layer)
    assert torch.equal(torch.get_rng_state(), generator_state)
    assert repr(other) == repr(layer)
    assert (other.training, other.note, other.batch_first) == (False, "mine", True)
    assert torch.equal(other(random(2, 7, 3))[0], layer(random(2, 7, 3))[0])
    for (key, weight), (same_key, same) in zip(
        layer.named_parameters(), other.named_parameters(), strict=True
    ):
        assert (key, weight.requires_grad, weight.dtype) == (
            same_key,
            same.requires_grad,
            same.dtype,
        )
        assert weight.data_ptr() != same.data_ptr()
    assert_same(train(other)(random(2, 7, 3)), train(layer)(random(2, 7, 3)))


class Named(lnn.OrthogonalRNN):
    """What a user may derive."""

    def __init__(self, label):
        super().__init__(3, 4, nonlinearity="relu")
        self.label = label


def test_derived_and_unparametrized_orthogonal_layers_are_pickled_too():
    layer = Named("mine")
    other = pickled(layer)
    assert isinstance(other, Named)
    assert (other.label, other.nonlinearity) == ("mine", "relu")
    x = random(7, 2, 3, dtype=torch.float32)
    assert_same(other(x), layer(x))
    remove_parametrizations(layer, "weight_hh_l0")
    assert type(pickled(layer)) is Named
    assert_same(pickled(layer)(x), other(x))


@pytest.mark.parametrize("name", NAMES)
def test_lives_in_a_skorch_net(name):
    net = clone(make_net(kind=getattr(lnn, name)))
    torch.manual_seed(0)
    net.fit(tokens(15), np.arange(15) % 3)
    assert np.isfinite(net.history[-1, "train_loss"])
    again = pickled(net)
    np.testing.assert_array_equal(again.predict_proba(tokens()), net.predict_proba(tokens()))
    spectra = [lyapunov_spectrum(n, tokens(), device="cpu").exponents for n in (net, again)]
    np.testing.assert_array_equal(*spectra)


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_drawn_from_the_global_generator(name):
    layer, same, other = (make(name, 3, 4, 2, seed=seed) for seed in (0, 0, 1))
    x = random(7, 2, 3)
    assert torch.equal(layer(x)[0], same(x)[0])
    train(same)
    torch.manual_seed(1)
    same.reset_parameters()
    for key, weight in other.named_parameters():
        first, again = layer.get_parameter(key), same.get_parameter(key)
        assert torch.equal(again, weight)
        # Orthogonal weights are drawn to the buffer that the trained ones turn; biases may be zero.
        drawn = "original" not in key and weight.abs().max() > 0
        assert not drawn or not torch.isclose(first, weight).any()
    assert not torch.isclose(layer(x)[0], same(x)[0]).any()
    assert_same(same(x), other(x))


@pytest.mark.parametrize("name", NAMES)
def test_repr_tells_what_it_was_made_of(name):
    layer = make(name, 3, 4)
    shown = repr(layer)
    assert f"{name}(" in shown
    assert "3, 4" in shown
    assert "bias" not in shown
    for constant in layer._constants:
        assert f"{constant}={getattr(layer, constant)}" in shown
    layer = make(name, 3, 4, 2, False, True)
    assert "3, 4, num_layers=2, bias=False, batch_first=True" in repr(layer)


@pytest.mark.parametrize("name", NAMES)
def test_its_weights_may_be_parametrized(name):
    layer = make(name, 3, 4)
    x = random(7, 2, 3)
    before, _ = layer(x)
    weight_norm(layer, "weight_ih_l0")
    assert_same(layer(x)[0], before)
    with torch.no_grad():
        layer.parametrizations.weight_ih_l0.original0.mul_(2)
    assert not torch.isclose(layer(x)[0], before).any()
