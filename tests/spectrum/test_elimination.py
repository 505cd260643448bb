"""LU against QR, and both against many digits, where frames collapse fast."""

import mpmath
import numpy as np
import pytest
import torch
from helpers import LAYERS, dense_jacobians, make_layer
from torch import nn

from lyapsk import lyapunov_spectrum
from lyapsk.exceptions import NumericalError
from lyapsk.spectrum import initial_frame
from lyapsk.spectrum._frames import log_diagonal, orthonormalize
from lyapsk.spectrum._lu import LU

RNG = np.random.default_rng(0)
SEQUENCES = RNG.normal(size=(2, 200, 3))


def exact_growth(jacobians, frame):
    """Mean of ``log abs diag R_t`` with 60 digits, by Gram-Schmidt."""
    with mpmath.workdps(60):
        Q = mpmath.matrix(frame.tolist())
        n, k = frame.shape
        total = [mpmath.mpf(0)] * k
        for J in jacobians:
            Q = mpmath.matrix(J.tolist()) * Q
            for j in range(k):
                column = Q[:, j]
                for i in range(j):
                    column -= Q[:, i] * (Q[:, i].T * column)[0]
                norm = mpmath.norm(column)
                total[j] += mpmath.log(norm)
                for row in range(n):
                    Q[row, j] = column[row] / norm
        return np.array([float(t) for t in total]) / len(jacobians)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("gain", [0.3, 1.0, 3.0])
def test_lu_agrees_with_qr_or_is_nearer_to_many_digits(name, gain):
    layer = make_layer(name, gain=gain)
    lu = lyapunov_spectrum(layer, SEQUENCES, method="lu")
    qr = lyapunov_spectrum(layer, SEQUENCES, method="qr")
    assert (np.isneginf(lu.exponents) == np.isneginf(qr.exponents)).all()
    for one, other, x in zip(lu.per_sequence, qr.per_sequence, SEQUENCES, strict=True):
        live = other > -8
        if not np.allclose(one[live], other[live], rtol=0, atol=1e-6):
            J = dense_jacobians(layer, torch.tensor(x), torch.zeros(len(one)).double())
            frame = initial_frame(len(one), len(one), seed=0, dtype=torch.float64, device="cpu")
            exact = np.sort(exact_growth(J.numpy(), frame.mT.numpy()))[::-1]
            errors = [np.abs(np.sort(v)[::-1] - exact)[live].max() for v in (one, other)]
            assert errors[0] <= errors[1]


@pytest.mark.parametrize(("name", "gain"), [("lstm", 1), ("lstm", 12), ("gru", 12), ("tanh", 5)])
def test_elimination_is_nearer_to_many_digits_than_qr(name, gain):
    layer = make_layer(name, gain=gain)
    x = torch.tensor(SEQUENCES[0, :60])
    n = lyapunov_spectrum(layer, x[None]).state_size
    jacobians = dense_jacobians(layer, x, torch.zeros(n).double()).numpy()
    frame = initial_frame(n, n, seed=0, dtype=torch.float64, device="cpu").mT.numpy()
    exact = np.sort(exact_growth(jacobians, frame))
    error = {
        method: np.abs(np.sort(lyapunov_spectrum(layer, x[None], method=method).exponents) - exact)
        for method in ("lu", "qr")
    }
    assert (error["lu"] <= np.maximum(1e-6, error["qr"])).all()


def eliminate(tangents):
    """The frame and its growth."""
    tangents, frame = tangents.clone(), torch.empty_like(tangents)
    lu, pivots = LU(tangents, torch.empty_like(tangents)), tangents.new_empty(tangents.shape[:-1])
    lu.factor(pivots, careful=True)
    lu.write_frame(frame)
    return frame, pivots.log()


def test_sums_of_pivots_and_of_diagonals_differ_by_the_frames_own():
    J = torch.randn(30, 5, 9, 9, generator=torch.Generator().manual_seed(0)).double()
    start = initial_frame(9, 6, seed=0, dtype=torch.float64, device="cpu").expand(5, -1, -1)
    by_lu, by_qr = start, start
    lu = qr = torch.zeros(5, 6).double()
    for step in J:
        by_lu, growth = eliminate(by_lu @ step.mT)
        lu = lu + growth
        by_qr, growth, _ = orthonormalize(by_qr @ step.mT)
        qr = qr + growth
    torch.testing.assert_close(lu + log_diagonal(by_lu), qr, rtol=0, atol=1e-9)


def test_factors_rebuild_what_was_factored():
    Z = torch.randn(3, 7, 9, generator=torch.Generator().manual_seed(0)).double()
    frame, growth = eliminate(Z)
    U = torch.linalg.lstsq(frame.mT, Z.mT).solution
    torch.testing.assert_close(frame.mT @ U, Z.mT)
    torch.testing.assert_close(U, U.triu(), rtol=0, atol=1e-12)
    torch.testing.assert_close(U.diagonal(dim1=-2, dim2=-1).abs().log(), growth)


def test_frames_are_factored_rarely_where_they_collapse_slowly(monkeypatch):
    calls, factor = [], LU.factor
    monkeypatch.setattr(LU, "factor", lambda *args, **how: calls.append(1) or factor(*args, **how))
    torch.manual_seed(0)
    layer = nn.RNN(3, 16)
    nn.init.orthogonal_(layer.weight_hh_l0)
    lyapunov_spectrum(layer, 0.1 * SEQUENCES[:1], method="lu")
    slowly = len(calls)
    calls.clear()
    lyapunov_spectrum(make_layer("lstm", gain=3), SEQUENCES[:1], method="lu")
    assert slowly < 50
    assert len(calls) > 80


@pytest.mark.parametrize("gain", [1.0, 3.0])
@pytest.mark.parametrize("name", LAYERS)
def test_factoring_every_step_without_reading_pivots_gives_the_same(monkeypatch, name, gain):
    from lyapsk.spectrum._elimination import Elimination

    layer = make_layer(name, gain=gain)
    expected = lyapunov_spectrum(layer, SEQUENCES[:, :50], method="lu").exponents
    monkeypatch.setattr(Elimination, "_reads_pivots", False)
    found = lyapunov_spectrum(layer, SEQUENCES[:, :50], method="lu").exponents
    assert (np.isneginf(found) == np.isneginf(expected)).all()
    live = expected > -8
    np.testing.assert_allclose(found[live], expected[live], atol=1e-7)


def test_one_collapsing_network_leaves_the_others_right():
    from lyapsk import LyapunovSpectrumTransformer

    layers = [make_layer("lstm", gain=gain) for gain in (0.5, 1, 300)]
    alone = [lyapunov_spectrum(layer, SEQUENCES).exponents for layer in layers]
    spectra = LyapunovSpectrumTransformer(SEQUENCES).fit(layers).spectra(layers)
    for found, expected in zip(spectra, alone, strict=True):
        live = expected > -8
        np.testing.assert_allclose(found.exponents[live], expected[live], atol=1e-9)


def henon(state):
    x, y = state[..., 0], state[..., 1]
    return torch.stack([1 - 1.4 * x * x + y, 0.3 * x], -1)


def test_directions_that_collapse_between_factorisations_are_not_dead():
    for method in ("lu", "qr"):
        found = lyapunov_spectrum(henon, initial_state=[[0.1, 0.1]], n_steps=3000, method=method)
        assert found.sum == pytest.approx(np.log(0.3), abs=1e-9)


def test_sudden_collapse_after_a_quiet_time():
    quiet, loud = np.zeros((1, 150, 1)), np.full((1, 50, 1), 8.0)
    for seed in range(5):
        torch.manual_seed(seed)
        layer = nn.RNN(1, 3).double()
        X = np.concatenate([quiet, loud], axis=1)
        lu, qr = (lyapunov_spectrum(layer, X, method=m).exponents for m in ("lu", "qr"))
        np.testing.assert_allclose(lu, qr, atol=1e-6)


def test_a_direction_that_died_in_the_warmup_may_live_and_collapse_later():
    turn = torch.tensor([[1.0, 0.5], [0.2, 1.0]], dtype=torch.float64)
    back = torch.linalg.inv(turn)

    def step(state, x):
        shrink = torch.stack([torch.ones_like(x[0]), x[0]])
        return turn @ (shrink * (back @ state))

    factors = np.full((1, 600, 1), 0.95)
    factors[:, 3] = 0
    factors[:, 300:] = np.exp(-5)
    found = lyapunov_spectrum(
        step, factors, initial_state=np.ones((1, 2)), warmup=20, method="lu"
    ).exponents
    np.testing.assert_allclose(found, [0, np.log(factors[0, 20:]).mean()], atol=2e-3)


@pytest.mark.parametrize("method", ["lu", "qr"])
@pytest.mark.parametrize(("dtype", "factor"), [("float32", 1e30), ("float64", 1e250)])
@pytest.mark.parametrize("sign", [1, -1])
def test_numbers_whose_squares_leave_the_range_are_not_dead(method, dtype, factor, sign):
    growth = torch.tensor([1.0, 0.5, 0.2], dtype=getattr(torch, dtype)) * factor**sign
    found = lyapunov_spectrum(
        lambda state: growth * state,
        initial_state=np.zeros(3),
        n_steps=120,
        warmup=100,
        dtype=dtype,
        method=method,
    )
    np.testing.assert_allclose(found.exponents, growth.double().log(), rtol=1e-6)


@pytest.mark.parametrize("failing", [0, 7, 70, 99])
def test_step_at_which_a_frame_overflows_is_told(failing):
    signs = torch.randn(6, 6, generator=torch.Generator().manual_seed(0)).sign()
    factors = np.full((1, 100, 1), 0.1)
    factors[0, failing] = 2e38
    with pytest.raises(NumericalError, match=f"sequence 0 is not finite from step {failing} on"):
        lyapunov_spectrum(
            lambda state, x: (x * signs) @ state,
            factors,
            initial_state=np.zeros((1, 6)),
            dtype="float32",
            method="lu",
        )


def test_frame_that_overflows_is_an_error():
    layer = nn.RNN(1, 6)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.zero_()
        signs = torch.randn(6, 6, generator=torch.Generator().manual_seed(0)).sign()
        layer.weight_hh_l0.copy_(2e38 * signs)
    with pytest.raises(NumericalError, match="sequence 0"):
        lyapunov_spectrum(layer, np.zeros((1, 5, 1)), dtype="float32")


def test_subnormal_pivots_break_nothing():
    Z = torch.randn(2, 4, 4, generator=torch.Generator().manual_seed(0)).double()
    Z[0, :, 1:] *= 1e-310
    frame, growth = eliminate(Z)
    assert frame.isfinite().all()
    assert growth[0].isneginf().tolist() == [False, True, True, True]
    assert growth[1].isfinite().all()


@pytest.mark.parametrize("method", ["lu", "qr"])
@pytest.mark.parametrize(
    ("dtype", "log_size"), [("float64", -700), ("float64", 700), ("float32", -75), ("float32", 75)]
)
def test_what_shrinks_or_grows_fast_as_a_whole_is_not_dead(method, dtype, log_size):
    A = torch.tensor([[1.0, 0.3], [-0.2, 0.9]], dtype=torch.float64)
    told = {"initial_state": [0.0, 0.0], "n_steps": 50, "method": method}
    expected = lyapunov_spectrum(lambda s: A @ s, **told).exponents + log_size
    A = (A * np.exp(float(log_size))).to(getattr(torch, dtype))
    found = lyapunov_spectrum(lambda s: A @ s, **told, dtype=dtype).exponents
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 if dtype == "float64" else 1e-4)


@pytest.mark.parametrize("start", [[[0.0], [1.0]], [[0.0, 1.0]]])
@pytest.mark.parametrize("method", ["lu", "qr"])
@pytest.mark.parametrize("reads_pivots", [True, False])
def test_an_infinite_slope_is_an_error_and_is_not_factored(
    monkeypatch, start, method, reads_pivots
):
    from lyapsk.spectrum._elimination import Elimination

    for name in ("lu_factor_ex", "qr"):
        factor = getattr(torch.linalg, name)

        def finite_only(tangents, *args, factor=factor, **options):
            assert (reads_pivots and method == "lu") or tangents.isfinite().all()
            return factor(tangents, *args, **options)

        monkeypatch.setattr(torch.linalg, name, finite_only)
    monkeypatch.setattr(Elimination, "_reads_pivots", reads_pivots)
    with pytest.raises(NumericalError, match="sequence 0 is not finite from step 0 on"):
        lyapunov_spectrum(torch.sqrt, initial_state=start, n_steps=5, method=method)
