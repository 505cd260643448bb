"""``SpectrumStatistics`` against numbers worked out by hand, and scikit-learn's own checks."""

import numpy as np
import pytest
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks

from lyapsk import LyapunovSpectrum, SpectrumStatistics
from lyapsk.exceptions import InvalidInputError


@parametrize_with_checks([SpectrumStatistics()])
def test_scikit_learn_conventions(estimator, check):
    check(estimator)


def statistics_of(*rows):
    transformer = SpectrumStatistics().set_output(transform="pandas")
    return transformer.fit_transform(np.array(rows, dtype=float))


def test_by_hand():
    row = statistics_of([0.5, -0.05, -1.5, -0.3]).iloc[0]
    assert row["count_above_-0.02"] == 1
    assert row["count_above_-0.1"] == 2
    assert row["share_above_-0.5"] == 0.75
    assert row["size"] == 4
    assert row["largest"] == 0.5
    assert row["smallest"] == -1.5
    assert row["sum"] == pytest.approx(-1.35)
    assert row["median"] == pytest.approx(-0.175)
    assert row["mean"] == pytest.approx(-1.35 / 4)
    assert row["standard_deviation"] == pytest.approx(np.std([0.5, -0.05, -1.5, -0.3]))
    assert row["sum_exp"] == pytest.approx(np.exp([0.5, -0.05, -1.5, -0.3]).sum())
    assert row["mean_exp"] == pytest.approx(row["sum_exp"] / 4)
    assert row["entropy_rate"] == 0.5
    assert row["kaplan_yorke_dimension"] == pytest.approx(3 + 0.15 / 1.5)
    assert row["signed_log_largest"] == pytest.approx(np.log(51))
    assert row["signed_log_smallest"] == pytest.approx(-np.log(151))
    assert row["signed_log_sum"] == pytest.approx(-np.log(136))
    assert len(row) == 26


ROUNDED = [1e-12, -2e-12, -3e-12, -0.5]
"""Three exponents of 0, but for rounding."""


def test_derived_quantities_are_the_spectrums_own():
    rng = np.random.default_rng(0)
    for exponents in [*-np.sort(-rng.normal(-0.3, 1, (20, 6)), axis=1), np.array(ROUNDED)]:
        zeros, rows = np.zeros(len(exponents)), exponents[None]
        spectrum = LyapunovSpectrum(exponents, zeros, rows, zeros, 2, np.array([1]), len(zeros))
        found = statistics_of(exponents).iloc[0]
        for name in ("kaplan_yorke_dimension", "entropy_rate"):
            assert found[name] == pytest.approx(getattr(spectrum, name))
    assert found["kaplan_yorke_dimension"] == 3
    assert found["entropy_rate"] == 0


def test_padding_is_as_if_it_were_not_there():
    padded = statistics_of([0.1, -1.0, np.nan, np.nan], [0.1, -1.0, -2.0, -3.0])
    np.testing.assert_allclose(padded.iloc[0], statistics_of([0.1, -1.0]).iloc[0])
    assert padded["share_above_-0.1"].tolist() == [0.5, 0.25]


def test_dead_directions_are_set_to_the_floor():
    row = statistics_of([0.1, -np.inf]).iloc[0]
    assert row["smallest"] == -10
    assert np.isfinite(row).all()


def test_thresholds_of_any_kind():
    expected = SpectrumStatistics(thresholds=[-0.5, -1.0]).fit_transform([[0.0, -0.7]])
    found = SpectrumStatistics(thresholds=torch.tensor([-0.5, -1.0])).fit_transform([[0.0, -0.7]])
    np.testing.assert_array_equal(found, expected)


def test_huge_numbers_do_not_overflow():
    floor = SpectrumStatistics(floor=-1e100).fit_transform([[-np.inf, 1e100, 0.0]])
    assert np.isfinite(floor).all()
    with pytest.raises(ValueError, match="floor"):
        SpectrumStatistics(floor=-np.inf).fit([[0.0]])


@pytest.mark.parametrize("row", [[np.inf, 0.0], [np.nan, np.nan], [1e101, 0.0]])
def test_what_is_no_spectrum_is_refused(row):
    with pytest.raises(InvalidInputError, match="X: a row holds"):
        SpectrumStatistics().fit([row])
