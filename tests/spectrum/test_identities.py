"""The mathematics that must hold (DESIGN), for every layer of the table."""

import numpy as np
import pytest
import torch
from helpers import LAYERS, dense_jacobians, growth_of, make_layer
from torch import nn

from lyapsk import lyapunov_spectrum
from lyapsk.exceptions import NumericalError
from lyapsk.spectrum import initial_frame
from lyapsk.tangent import dynamics_of

RNG = np.random.default_rng(0)
SEQUENCES = RNG.normal(size=(3, 40, 3))


def frame_of(n, k=None):
    frame = initial_frame(n, k or n, seed=0, dtype=torch.float64, device="cpu")
    return frame.mT.numpy()


def jacobians_of(layer):
    n = lyapunov_spectrum(layer, SEQUENCES[:, :1]).state_size
    start = torch.zeros(n, dtype=torch.float64)
    return [dense_jacobians(layer, torch.tensor(x), start) for x in SEQUENCES]


def method_of(layer):
    """ "auto", unless that reads the exponents off diagonal Jacobians without a frame."""
    dynamics = dynamics_of(layer, dtype=torch.float64, device="cpu")
    return "qr" if dynamics.is_diagonal else "auto"


@pytest.mark.parametrize("name", LAYERS)
def test_exponents_are_those_of_dense_products(name):
    layer = make_layer(name)
    spectrum = lyapunov_spectrum(layer, SEQUENCES, method=method_of(layer))
    expected = np.array(
        [growth_of(J, frame_of(spectrum.state_size)).mean(0) for J in jacobians_of(layer)]
    )
    order = np.argsort(-expected.mean(0))
    finite = expected.mean(0)[order] > -25
    np.testing.assert_allclose(
        spectrum.per_sequence[:, finite], expected[:, order][:, finite], atol=1e-9
    )


@pytest.mark.parametrize("name", [name for name in LAYERS if name != "relu"])
def test_sum_rule(name):
    layer = make_layer(name)
    spectrum = lyapunov_spectrum(layer, SEQUENCES)
    log_det = np.mean([np.linalg.slogdet(J.numpy())[1].mean() for J in jacobians_of(layer)])
    if np.isneginf(log_det):
        assert np.isneginf(spectrum.exponents.sum())
    else:
        assert spectrum.exponents.sum() == pytest.approx(log_det, abs=1e-9)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("k", [1, 3])
def test_leading_exponents_are_the_first_of_the_full_spectrum(name, k):
    layer = make_layer(name)
    kept = {"keep": "growth", "method": method_of(layer)}
    full = lyapunov_spectrum(layer, SEQUENCES, **kept)
    leading = lyapunov_spectrum(layer, SEQUENCES, n_exponents=k, **kept)
    np.testing.assert_allclose(leading.growth.cumsum(1), full.growth[..., :k].cumsum(1), atol=1e-9)


@pytest.mark.parametrize("name", ["IndRNN", "MinGRU", "MinLSTM", "LRU"])
def test_diagonal_jacobians_need_no_frame(name):
    layer = make_layer(name)
    spectrum = lyapunov_spectrum(layer, SEQUENCES, keep="growth", warmup=5)
    J = torch.stack(jacobians_of(layer))[:, 5:]
    moduli = torch.linalg.eigvals(J).abs().sort(-1).values
    growth = np.sort(spectrum.growth, -1)
    np.testing.assert_allclose(growth, moduli.log(), atol=1e-9)
    np.testing.assert_allclose(
        spectrum.growth.mean(1), spectrum.per_sequence[:, spectrum.order.argsort()]
    )
    leading = lyapunov_spectrum(layer, SEQUENCES, n_exponents=2, warmup=5)
    np.testing.assert_array_equal(leading.exponents, spectrum.exponents[:2])
    framed = lyapunov_spectrum(layer, np.tile(SEQUENCES, (1, 100, 1)), method="lu", warmup=400)
    alone = lyapunov_spectrum(layer, np.tile(SEQUENCES, (1, 100, 1)), warmup=400)
    np.testing.assert_allclose(framed.exponents, alone.exponents, atol=2e-3)


def test_constant_jacobian_gives_its_eigenvalues():
    weight = RNG.normal(size=(5, 5))
    moduli = np.sort(np.abs(np.linalg.eigvals(weight)))[::-1]
    weight_t = torch.tensor(weight.T)
    spectrum = lyapunov_spectrum(
        lambda state: state @ weight_t, initial_state=np.zeros((1, 5)), n_steps=4000, warmup=500
    )
    np.testing.assert_allclose(spectrum.exponents, np.log(moduli), atol=1e-3)
    assert spectrum.exponents.sum() == pytest.approx(np.log(moduli).sum(), abs=1e-10)


def test_orthogonal_jacobian_gives_zeros():
    layer = nn.RNN(2, 6, nonlinearity="relu", bias=False)
    with torch.no_grad():
        layer.weight_hh_l0.copy_(torch.eye(6).roll(1, 0))
        layer.weight_ih_l0.fill_(1.0)
    spectrum = lyapunov_spectrum(layer, np.ones((2, 30, 2)))
    np.testing.assert_allclose(spectrum.exponents, 0, atol=1e-12)

    Q = torch.tensor(np.linalg.qr(RNG.normal(size=(6, 6)))[0])
    rotation = lyapunov_spectrum(lambda s: s @ Q, initial_state=np.ones((1, 6)), n_steps=50)
    np.testing.assert_allclose(rotation.exponents, 0, atol=1e-12)


def henon(state):
    x, y = state[..., 0], state[..., 1]
    return torch.stack([1 - 1.4 * x * x + y, 0.3 * x], -1)


def test_henon_map():
    start = RNG.uniform(-0.1, 0.1, (200, 2))
    spectrum = lyapunov_spectrum(henon, initial_state=start, n_steps=800, warmup=50)
    assert spectrum.exponents[0] == pytest.approx(0.4192, abs=4 * spectrum.standard_error[0])
    assert spectrum.exponents[0] == pytest.approx(0.4192, abs=0.01)
    assert spectrum.exponents.sum() == pytest.approx(np.log(0.3), abs=1e-12)
    assert spectrum.kaplan_yorke_dimension == pytest.approx(1.258, abs=0.01)


def test_logistic_map():
    start = RNG.uniform(0.1, 0.9, (200, 1))
    spectrum = lyapunov_spectrum(
        lambda x: 4 * x * (1 - x), initial_state=start, n_steps=500, warmup=20
    )
    assert spectrum.exponents[0] == pytest.approx(np.log(2), abs=4 * spectrum.standard_error[0])
    assert spectrum.standard_error[0] < 0.01


def test_dead_units_give_exact_minus_infinity():
    layer = make_layer("relu")
    with torch.no_grad():
        layer.weight_hh_l0 *= 0.1
        layer.bias_hh_l0[:2] = -100.0
        layer.bias_hh_l0[2:] = 100.0
    spectrum = lyapunov_spectrum(layer, SEQUENCES)
    assert np.isneginf(spectrum.exponents[-2:]).all()
    assert np.isfinite(spectrum.exponents[:-2]).all()
    assert (spectrum.standard_error[-2:] == 0).all()
    assert not np.isnan(spectrum.standard_error).any()


def test_low_rank_weights_give_minus_infinity():
    layer = make_layer("tanh")
    with torch.no_grad():
        factors = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(2)).double()
        layer.weight_hh_l0.copy_(factors[0] @ factors[1].T)
    spectrum = lyapunov_spectrum(layer, SEQUENCES)
    assert np.isneginf(spectrum.exponents).tolist() == [False] * 3 + [True] * 3


def test_saturated_gates_never_give_nan():
    layer = make_layer("lstm", gain=300.0)
    spectrum = lyapunov_spectrum(layer, SEQUENCES)
    assert not np.isnan(spectrum.exponents).any()
    assert np.isneginf(spectrum.exponents).any()


def test_lstm_of_default_size_forgets_at_the_known_rate():
    torch.manual_seed(0)
    spectrum = lyapunov_spectrum(nn.LSTM(3, 32), RNG.normal(size=(4, 60, 3)), n_exponents=1)
    assert spectrum.exponents[0] == pytest.approx(-0.45, abs=0.1)


@pytest.mark.parametrize("name", ["tanh", "gru-stacked", "lstm"])
def test_order_and_company_of_sequences_do_not_matter(name):
    layer = make_layer(name)
    together = lyapunov_spectrum(layer, SEQUENCES)
    permuted = lyapunov_spectrum(layer, SEQUENCES[::-1].copy())
    np.testing.assert_allclose(permuted.exponents, together.exponents, atol=1e-9)
    alone = [lyapunov_spectrum(layer, SEQUENCES[[i]], keep="growth").growth[0] for i in range(3)]
    kept = lyapunov_spectrum(layer, SEQUENCES, keep="growth").growth
    np.testing.assert_allclose(np.array(alone), kept, atol=1e-9)


@pytest.mark.parametrize("name", ["tanh", "gru", "lstm"])
def test_initial_frame_is_forgotten_after_the_warmup(name):
    layer = make_layer(name, gain=1.5)
    sequences = RNG.normal(size=(2, 3000, 3))
    for warmup, same in ((0, False), (1500, True)):
        first, second = (
            lyapunov_spectrum(layer, sequences, warmup=warmup, random_state=seed).exponents
            for seed in (1, 2)
        )
        assert np.allclose(first, second, rtol=0, atol=1e-9) == same


def test_float32_is_close_to_float64():
    layer = make_layer("gru")
    double = lyapunov_spectrum(layer, SEQUENCES)
    single = lyapunov_spectrum(layer, SEQUENCES, dtype="float32")
    np.testing.assert_allclose(single.exponents, double.exponents, atol=1e-3)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("options", [{}, {"n_exponents": 2}, {"method": "qr"}, {"keep": "growth"}])
@pytest.mark.parametrize("name", LAYERS)
def test_gpu_agrees_with_cpu(name, options):
    layer = make_layer(name)
    cpu = lyapunov_spectrum(layer, SEQUENCES, device="cpu", **options)
    gpu = lyapunov_spectrum(layer, SEQUENCES, device="cuda", **options)
    np.testing.assert_allclose(gpu.exponents, cpu.exponents, atol=1e-6)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("n", [1, 4, 64, 1600])
@pytest.mark.parametrize("method", ["lu", "qr"])
def test_on_a_gpu_dead_directions_and_infinite_slopes_are_told(n, method):
    state = torch.ones(2, n, dtype=torch.float64, device="cuda")
    options = {"n_steps": 3, "method": method}
    scale = torch.linspace(1, 0, n, dtype=torch.float64, device="cuda")
    found = lyapunov_spectrum(lambda s: 0.5 * scale * s, initial_state=state, **options).exponents
    assert np.isneginf(found).sum() == (n > 1)
    state[1, 0] = 0
    with pytest.raises(NumericalError, match="sequence 1 is not finite from step 0 on"):
        lyapunov_spectrum(torch.sqrt, initial_state=state, **options)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("n", [2, 8, 100])
def test_what_only_turns_neither_grows_nor_forgets(n, dtype):
    torch.manual_seed(n)
    Q = torch.linalg.qr(torch.randn(n, n, dtype=torch.float64)).Q.to(getattr(torch, dtype))
    found = lyapunov_spectrum(lambda s: Q @ s, initial_state=np.zeros(n), n_steps=99, dtype=dtype)
    assert (found.n_positive, found.entropy_rate) == (0, 0)
    assert found.gradient_horizon == np.inf
    assert found.kaplan_yorke_dimension == n
