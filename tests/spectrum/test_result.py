"""What follows from exponents, on numbers worked out by hand."""

import numpy as np
import pytest
import torch

from lyapsk import LyapunovSpectrum, diagnose, lyapunov_spectrum


def spectrum_of(exponents, **fields):
    exponents = np.array(exponents, dtype=float)
    zeros, steps = np.zeros(len(exponents)), np.array([10])
    fields = {"standard_error": zeros, "drift": zeros, **fields}
    return LyapunovSpectrum(
        exponents,
        per_sequence=exponents[None],
        n_batches=16,
        n_steps=steps,
        state_size=len(exponents),
        **fields,
    )


@pytest.mark.parametrize(
    ("exponents", "dimension"),
    [
        ([0.9, 0.0, -14.57], 2 + 0.9 / 14.57),
        ([0.5, -0.25, -0.5], 2.5),
        ([-0.1, -0.2], 0),
        ([0.3, -0.1], 2),
        ([0.3, -np.inf], 1),
    ],
)
def test_kaplan_yorke_dimension(exponents, dimension):
    assert spectrum_of(exponents).kaplan_yorke_dimension == pytest.approx(dimension)


def test_entropy_rate_and_count_take_positive_exponents_only():
    spectrum = spectrum_of([0.9, 0.2, 0.0, -3.0])
    assert spectrum.entropy_rate == pytest.approx(1.1)
    assert spectrum.n_positive == 2


def switching(state, x):
    """Grows by exp(x): the growth of each step is the input."""
    return state * torch.exp(x)


@pytest.mark.parametrize("n_sequences", [1, 3, 40])
def test_standard_error_covers_the_truth(n_sequences):
    rng = np.random.default_rng(0)
    hits = []
    for _ in range(60):
        growth = rng.normal(-0.5, 1.0, size=(n_sequences, 64, 1))
        spectrum = lyapunov_spectrum(switching, growth, initial_state=torch.ones(1))
        assert spectrum.exponents[0] == pytest.approx(growth.mean())
        hits.append(abs(spectrum.exponents[0] + 0.5) < 2 * spectrum.standard_error[0])
    assert 0.85 < np.mean(hits) <= 1


def test_standard_error_sees_correlation_in_time():
    rng = np.random.default_rng(0)
    slow = np.repeat(rng.normal(size=(1, 64, 1)), 16, axis=1)
    fast = rng.normal(size=(1, 1024, 1))
    errors = [
        lyapunov_spectrum(switching, x, initial_state=torch.ones(1)).standard_error[0]
        for x in (slow, fast)
    ]
    assert errors[0] > 2 * errors[1]


def test_one_step_of_one_sequence_has_unknown_error():
    spectrum = lyapunov_spectrum(switching, np.ones((1, 1, 1)), initial_state=torch.ones(1))
    assert np.isposinf(spectrum.standard_error[0])


def test_columns_of_per_sequence_follow_exponents():
    def step(state, x):
        return state * torch.exp(x)

    growth = np.tile([-2.0, 1.0, -1.0], (2, 50, 1)) + np.arange(2)[:, None, None]
    spectrum = lyapunov_spectrum(step, growth, initial_state=torch.ones(3), warmup=45)
    np.testing.assert_allclose(spectrum.exponents, spectrum.per_sequence.mean(0))
    assert (np.diff(spectrum.exponents) < 0).all()
    np.testing.assert_allclose(spectrum.per_sequence[1] - spectrum.per_sequence[0], 1, atol=1e-9)


def test_repr_says_what_matters():
    text = repr(spectrum_of([0.9, -3.0]))
    assert "2 of 2 exponents" in text
    assert "0.9" in text
    assert "nats per step" in text


@pytest.mark.parametrize("n_sequences", [2, 4, 16])
def test_standard_error_sees_differences_between_sequences(n_sequences):
    rng = np.random.default_rng(0)
    found, reported = [], []
    for _ in range(60):
        levels = rng.normal(-1, 1, size=(n_sequences, 1, 1)) * np.ones((1, 64, 1))
        spectrum = lyapunov_spectrum(switching, levels, initial_state=torch.ones(1))
        found.append(spectrum.exponents[0])
        reported.append(spectrum.standard_error[0])
    assert np.sqrt(np.mean(np.square(reported))) == pytest.approx(np.std(found), rel=0.35)


@pytest.mark.parametrize("level", [95, 0, -1, None])
def test_confidence_level_is_checked(level):
    with pytest.raises(ValueError, match="level: got"):
        spectrum_of([0.1]).confidence_interval(level)


def test_threshold_is_checked():
    with pytest.raises(ValueError, match="threshold: got None"):
        spectrum_of([0.1]).count_above(None)


def test_confidence_interval_widens_with_level():
    spectrum = spectrum_of([0.1, -np.inf], standard_error=np.array([0.01, 0.0]))
    narrow, wide = spectrum.confidence_interval(0.5), spectrum.confidence_interval(0.99)
    assert wide[0, 0] < narrow[0, 0] < 0.1 < narrow[0, 1] < wide[0, 1]
    assert np.isneginf(wide[1]).all() or np.isinf(wide[1]).all()


def test_finite_time_exponents_up_to_and_after_each_step():
    growth = np.random.default_rng(3).normal(size=(2, 9, 1))
    spectrum = lyapunov_spectrum(switching, growth, initial_state=torch.ones(1), keep="growth")
    until, after = spectrum.finite_time_exponents(), spectrum.remaining_exponents()
    for t in range(8):
        np.testing.assert_allclose(until[:, t], growth[:, : t + 1].mean(1))
        np.testing.assert_allclose(after[:, t], growth[:, t + 1 :].mean(1))
    assert np.isnan(after[:, 8]).all()
    with pytest.raises(AttributeError, match="keep='growth'"):
        lyapunov_spectrum(switching, growth, initial_state=torch.ones(1)).remaining_exponents()


@pytest.mark.parametrize("seed", range(4))
def test_what_neither_grows_nor_shrinks_is_told_so_whatever_rounding_does(seed):
    drawn = torch.randn(5, 5, generator=torch.Generator().manual_seed(seed)).double()
    turn = torch.linalg.qr(drawn)[0]
    spectrum = lyapunov_spectrum(lambda s: turn @ s, initial_state=[1.0] * 5, n_steps=60)
    assert (spectrum.n_positive, spectrum.entropy_rate) == (0, 0)
    assert (spectrum.kaplan_yorke_dimension, spectrum.gradient_horizon) == (5, np.inf)
    assert "neither grow nor shrink" in diagnose(spectrum).summary
