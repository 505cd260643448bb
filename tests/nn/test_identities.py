"""What is known exactly of each layer's Jacobians, and mistakes that published code makes."""

import numpy as np
import pytest
import torch
from helpers import LAYERS, dense_jacobians, growth_of, hx_of, make_layer, one_step
from torch.func import jacrev

from lyapsk import lyapunov_spectrum
from lyapsk import nn as lnn
from lyapsk.spectrum import initial_frame
from lyapsk.tangent import dynamics_of

NAMES = [name for name in lnn.__all__ if name != "RecurrentLayer"]
TABLE = [name for name in LAYERS if name.split("-")[0] in NAMES]
STACKED = [name for name in TABLE if "stacked" in name]
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


X = normal(2, 30, 3)


def make(name, *args, dtype=torch.float64, **kwargs):
    torch.manual_seed(0)
    return getattr(lnn, name)(*args, dtype=dtype, **kwargs)


def exponents_of(layer, sequences=X, **kwargs):
    return lyapunov_spectrum(layer, sequences, device="cpu", **kwargs).exponents


def weight(layer, name):
    return getattr(layer, f"weight_{name}_l0").detach().numpy()


def jacobian_of(layer, state, x):
    """Dense Jacobian of a step as the frames are pushed, and the state after it."""
    dynamics = dynamics_of(layer, dtype=torch.float64, device="cpu")
    after, push = one_step(
        dynamics, torch.tensor(state).view(1, 1, -1), torch.tensor(x)[None, None]
    )
    return push(torch.eye(len(state)).double()[None, None])[0, 0].mT.numpy(), after[0, 0].numpy()


def log_det(J):
    return np.linalg.slogdet(J)[1]


def moduli_of(J):
    return np.sort(np.abs(np.linalg.eigvals(J)))[::-1]


def set_to(layer, value, *names):
    with torch.no_grad():
        for name in names:
            layer.get_parameter(name).fill_(value)


# The whole state, from wherever it starts.


@pytest.mark.parametrize("name", TABLE)
def test_exponents_from_any_state_are_those_of_dense_products(name):
    layer = make_layer(name)
    n = layer.num_layers * layer.n_parts * layer.hidden_size
    starts = normal(2, n)
    kept = lyapunov_spectrum(
        layer, X[:, :8], initial_state=starts, method="qr", keep="growth", device="cpu"
    ).growth
    frame = initial_frame(n, n, seed=0, dtype=torch.float64, device="cpu").mT
    for x, start, growth in zip(X[:, :8], starts, kept, strict=True):
        J = dense_jacobians(layer, torch.tensor(x), torch.tensor(start))
        np.testing.assert_allclose(growth, growth_of(J, frame), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", STACKED)
def test_layers_act_on_those_above_by_way_of_their_new_outputs(name):
    layer = make_layer(name)
    n = layer.n_parts * layer.hidden_size
    state, x = normal(2 * n), normal(3)
    J, _ = jacobian_of(layer, state, x)
    lower, upper = (one_of(layer, name, index) for index in range(2))
    below, above = torch.tensor(state).split(n)

    def output(below):
        return followed(lower, below, torch.tensor(x))[0]

    given = output(below)
    by_input = jacrev(lambda given: followed(upper, above, given)[1])(given)
    block = by_input @ jacrev(output)(below)
    np.testing.assert_allclose(J[n:, :n], block.detach(), rtol=0, atol=1e-14)
    assert np.abs(J[n:, :n]).max() > 1e-3
    assert (J[:n, n:] == 0).all()


def one_of(layer, name, index):
    """A single layer of a stack by itself."""
    table_name = name.split("-")[0]
    width = layer.hidden_size if index else layer.input_size
    kwargs = {name: getattr(layer, name) for name in layer._constants}
    alone = getattr(lnn, table_name)(width, layer.hidden_size, bias=layer.bias, **kwargs).double()
    own = {k.replace(f"_l{index}", "_l0"): w for k, w in layer.state_dict().items()}
    alone.load_state_dict({k: own[k] for k in alone.state_dict()})
    return alone


def followed(layer, state, x):
    """Output and new full state of one step."""
    outputs, hx = layer(x[None, None], hx_of(layer, state))
    parts = hx if isinstance(hx, tuple) else (hx,)
    return outputs[0, 0], torch.cat([part[0, 0] for part in parts])


STEP = 0.2
AT_REST = {
    "AntisymmetricRNN": ({"diffusion": 0.0}, STEP),
    "CoRNN": ({}, STEP**2),
    "LipschitzRNN": ({"shift": 0.0}, STEP),
    "RateRNN": ({}, STEP * (1 - STEP)),
}


@pytest.mark.parametrize("name", AT_REST)
def test_step_size_is_in_the_blocks_between_layers(name):
    # At rest and uncoupled, where tanh' is 1: how the upper units move with those of the lower.
    constants, expected = AT_REST[name]
    layer = make(name, 3, 4, 2, bias=False, step_size=STEP, **constants)
    set_to(layer, 0.0, *(key for key, _ in layer.named_parameters() if "weight_ih" not in key))
    n = 4 * layer.n_parts
    J, _ = jacobian_of(layer, np.zeros(2 * n), np.zeros(3))
    V = layer.weight_ih_l1.detach().numpy()
    by_position = J[n : n + 4, :4]
    if name == "CoRNN":
        by_position = by_position / (1 - STEP**2)
    np.testing.assert_allclose(by_position, expected * V, rtol=0, atol=1e-15)


@pytest.mark.parametrize("name", STACKED)
def test_layers_have_the_same_exponents_apart_and_together_in_the_long_run(name):
    layer = make_layer(name)
    sequences = normal(2, 3000, 3)
    together, apart = (
        exponents_of(layer, sequences, coupling=coupling, warmup=300)
        for coupling in ("full", "layers")
    )
    # Frames settle within one over the steps; close exponents of two layers trade places slowly.
    np.testing.assert_allclose(apart, together, rtol=0, atol=5e-3)
    assert apart.sum() == pytest.approx(together.sum(), abs=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_biases_matter(name):
    layer = make_layer(name)
    set_to(layer, 0.5, "bias_l0")
    biased = exponents_of(layer)
    set_to(layer, 0.0, "bias_l0")
    # The bias of an LRU is that of its output.
    assert np.allclose(exponents_of(layer), biased, rtol=0, atol=1e-3) == (name == "LRU")


@pytest.mark.parametrize("name", TABLE)
def test_spectrum_is_that_of_the_weights_as_they_are_now(name):
    layer = make_layer(name)
    before = exponents_of(layer)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)
    outputs, _ = layer(torch.tensor(X))
    outputs.square().sum().backward()
    optimizer.step()
    other = make_layer(name, seed=1)
    other.load_state_dict(layer.state_dict())
    after = exponents_of(layer)
    assert np.abs(after - before).max() > 1e-5
    np.testing.assert_array_equal(after, exponents_of(other))


# Orthogonal.


@pytest.mark.parametrize("n_units", [1, 2, 7])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_orthogonal_identity_neither_grows_nor_forgets(n_units, num_layers):
    layer = make("OrthogonalRNN", 3, n_units, num_layers, nonlinearity="identity")
    optimizer = torch.optim.SGD(layer.parameters(), lr=1e-3)
    for _ in range(3):
        spectrum = lyapunov_spectrum(layer, X, coupling="layers", keep="growth", device="cpu")
        np.testing.assert_allclose(spectrum.exponents, 0, atol=1e-12)
        layer(torch.tensor(X))[0].square().sum().backward()
        optimizer.step()
    layer.reset_parameters()
    np.testing.assert_allclose(exponents_of(layer, coupling="layers"), 0, atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_orthogonal_weights_stay_so_in_every_precision(dtype):
    layer = make("OrthogonalRNN", 3, 16, dtype=dtype)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.02)
    x = torch.tensor(X).to(dtype)
    atol = 8 * torch.finfo(dtype).eps

    def assert_orthogonal():
        assert {held.dtype for held in layer.state_dict().values()} == {dtype}
        W = layer.weight_hh_l0.double()
        torch.testing.assert_close(W @ W.mT, torch.eye(16).double(), rtol=0, atol=atol)
        return W.detach()

    first = assert_orthogonal()
    for _ in range(5):
        layer(x)[0].square().sum().backward()
        optimizer.step()
    trained = assert_orthogonal()
    layer.reset_parameters()
    again = assert_orthogonal()
    layer.weight_hh_l0 = torch.ones(16, 16, dtype=dtype).triu()
    assigned = assert_orthogonal()
    torch.testing.assert_close(assigned, torch.eye(16).double(), rtol=0, atol=atol)
    for one, other in ((first, trained), (trained, again)):
        assert (one - other).abs().max() > 0.1


# Linear and diagonal.


@pytest.mark.parametrize("radius", [(0.5, 0.999), (0.1, 0.2), 0.7, 1 - 1e-12])
def test_linear_recurrent_unit_has_the_moduli_of_its_eigenvalues_twice(radius):
    layer = make("LRU", 3, 6, radius=radius)
    eigenvalues = torch.exp(-layer.log_decay_l0.exp() + 1j * layer.log_phase_l0.exp())
    low, high = radius if isinstance(radius, tuple) else (radius, radius)
    moduli = eigenvalues.abs().detach().numpy()
    assert (low - 1e-15 <= moduli).all()
    assert (moduli <= high + 1e-15).all()
    assert all(weight.isfinite().all() for weight in layer.parameters())
    # log(abs(l)) of l close to 1 is as exact as l.
    decay = layer.log_decay_l0.detach().exp().numpy()
    np.testing.assert_allclose(exponents_of(layer), np.sort(np.repeat(-decay, 2))[::-1], rtol=1e-14)
    np.testing.assert_allclose(-decay, np.log(moduli), rtol=0, atol=1e-15)
    J, _ = jacobian_of(layer, normal(12), normal(3))
    eigenvalues = np.concatenate(
        [eigenvalues.detach().numpy(), eigenvalues.conj().detach().resolve_conj().numpy()]
    )
    np.testing.assert_allclose(
        np.sort_complex(np.linalg.eigvals(J)), np.sort_complex(eigenvalues), rtol=0, atol=1e-13
    )


@pytest.mark.parametrize("name", ["MinGRU", "MinLSTM"])
@pytest.mark.parametrize("gain", [0.1, 1.0, 100.0, 1e4])
def test_minimal_layers_never_grow(name, gain):
    layer = make_layer(name, gain=gain)
    growth = lyapunov_spectrum(layer, X, keep="growth", device="cpu").growth
    assert not np.isnan(growth).any()
    assert (growth <= 0).all()
    log_kept = np.sort(-np.logaddexp(0, odds_of_the_new(layer, name, X)))
    held = log_kept > -700
    np.testing.assert_allclose(np.sort(growth)[held], log_kept[held], rtol=1e-9, atol=1e-12)
    assert (np.sort(growth)[~held] < -699).all()


def odds_of_the_new(layer, name, x):
    """``log((1 - kept) / kept)``: the drive of ``z_t``, or ``log(i_t / f_t)``."""
    drives = x @ weight(layer, "ih").T + layer.bias_l0.detach().numpy()
    if name == "MinGRU":
        return drives[..., :4]
    forget, admit = drives[..., :4], drives[..., 4:8]
    return np.logaddexp(0, -forget) - np.logaddexp(0, -admit)


# Fields and oscillators.


@pytest.mark.parametrize("diffusion", [0.0, 0.5])
def test_antisymmetric_jacobian_has_the_sign_of_its_model(diffusion):
    layer = make("AntisymmetricRNN", 3, 5, bias=False, step_size=0.2, diffusion=diffusion)
    state, x = normal(5), normal(3)
    M = weight(layer, "hh") - weight(layer, "hh").T - diffusion * np.eye(5)
    J, after = jacobian_of(layer, state, x)
    active = (after - state) / 0.2
    expected = np.eye(5) + 0.2 * (1 - active[:, None] ** 2) * M
    np.testing.assert_allclose(J, expected, rtol=0, atol=1e-14)
    at_rest, _ = jacobian_of(layer, np.zeros(5), np.zeros(3))
    rates = (np.linalg.eigvals(at_rest) - 1) / 0.2
    np.testing.assert_allclose(rates.real, -diffusion, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("share", "shift"), [(0.75, 0.001), (1.0, 0.0), (0.0, 0.4)])
def test_lipschitz_jacobian(share, shift):
    layer = make("LipschitzRNN", 3, 5, step_size=0.2, antisymmetric=share, shift=shift)
    state, x = normal(5), normal(3)
    A, W = (
        (1 - share) * (M + M.T) + share * (M - M.T) - shift * np.eye(5)
        for M in (weight(layer, "linear"), weight(layer, "hh"))
    )
    J, after = jacobian_of(layer, state, x)
    active = (after - state) / 0.2 - A @ state
    expected = np.eye(5) + 0.2 * (A + (1 - active[:, None] ** 2) * W)
    np.testing.assert_allclose(J, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("gain", [0.5, 2.0])
def test_rate_network_at_rest_has_the_exponents_of_its_couplings(gain):
    layer = make("RateRNN", 3, 6, bias=False, step_size=0.2, gain=gain)
    J = 0.8 * np.eye(6) + 0.2 * weight(layer, "hh")
    rest = np.zeros((1, 6000, 3))
    spectrum = exponents_of(layer, rest, warmup=2000)
    # Complex pairs turn within a frame: their growth is even only over whole turns.
    np.testing.assert_allclose(spectrum, np.log(moduli_of(J)), rtol=0, atol=1e-3)
    assert spectrum.sum() == pytest.approx(log_det(J), abs=1e-10)


@pytest.mark.parametrize("damping", [0.5, 4.0])
def test_uncoupled_oscillators_have_the_exponents_of_one(damping):
    layer = make("CoRNN", 3, 4, step_size=0.2, stiffness=1.5, damping=damping)
    set_to(layer, 0.0, "weight_hh_l0")
    kept = 1 - 0.2 * damping
    one = np.array([[1 - 0.2 * 0.2 * 1.5, 0.2 * kept], [-0.2 * 1.5, kept]])
    J, _ = jacobian_of(layer, normal(8), normal(3))
    np.testing.assert_allclose(J, np.kron(one, np.eye(4)), rtol=0, atol=1e-15)
    spectrum = exponents_of(layer, normal(1, 4000, 3), warmup=500)
    np.testing.assert_allclose(spectrum, np.repeat(np.log(moduli_of(one)), 4), rtol=0, atol=2e-3)
    assert spectrum.sum() == pytest.approx(4 * np.log(kept), abs=1e-10)


def test_oscillators_obey_the_sum_rule_by_their_velocities_alone():
    # Positions follow the new velocities: det of a step is that of dz/dz.
    step, damping = 0.3, 0.7
    layer = make("CoRNN", 3, 4, step_size=step, damping=damping)
    with torch.no_grad():
        layer.weight_hh_l0.mul_(3)
    of_z = weight(layer, "hh")[:, 4:]
    log_dets = []
    for x in X:
        outputs, _ = layer(torch.tensor(x))
        y = np.concatenate([np.zeros((1, 4)), outputs.detach().numpy()])
        z = np.diff(y, axis=0) / step
        before = np.concatenate([np.zeros((1, 4)), z[:-1]])
        active = (z - before) / step + y[:-1] + damping * before
        log_dets += [
            log_det((1 - step * damping) * np.eye(4) + step * (1 - a[:, None] ** 2) * of_z)
            for a in active
        ]
    assert exponents_of(layer).sum() == pytest.approx(np.mean(log_dets), abs=1e-10)
    J = [dense_jacobians(layer, torch.tensor(x), torch.zeros(8).double()) for x in X]
    assert exponents_of(layer).sum() == pytest.approx(log_det(torch.cat(J)).mean(), abs=1e-10)
