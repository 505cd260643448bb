import numpy as np
import pytest
from scipy.stats import norm, rankdata

from lyapsk.aelle._scaling import CLIP, NormalScores, WinsorizedScaler, principal_axes


@pytest.fixture
def values():
    return np.random.default_rng(0).normal([3, -50, 0], [1, 1e-3, 1e4], size=(500, 3))


def test_columns_come_out_with_mean_0_and_deviation_1(values):
    standardized = WinsorizedScaler(values).standardize(values)
    np.testing.assert_allclose(standardized.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(standardized.std(axis=0), 1, rtol=1e-9)


def test_restore_undoes_standardize(values):
    scaler = WinsorizedScaler(values)
    np.testing.assert_allclose(scaler.restore(scaler.standardize(values)), values, rtol=1e-9)


@pytest.mark.parametrize("wild", [1e3, 1e9, 1e200])
def test_wild_values_hardly_change_the_units_of_the_others(values, wild):
    clean = WinsorizedScaler(values)
    spoiled = WinsorizedScaler(np.vstack([values, np.full((5, 3), wild)]))
    np.testing.assert_allclose(spoiled.scale, clean.scale, rtol=0.15)
    np.testing.assert_allclose((spoiled.center - clean.center) / clean.scale, 0, atol=0.1)


def test_wild_values_are_clipped(values):
    np.testing.assert_array_equal(
        WinsorizedScaler(values).standardize(np.array([[1e9, -1e9, np.inf]])), [[CLIP, -CLIP, CLIP]]
    )


def test_a_column_with_one_deviating_row_keeps_it_apart():
    count = np.zeros((50, 1))
    count[7] = 3
    standardized = WinsorizedScaler(count).standardize(count)[:, 0]
    assert standardized.argmax() == 7
    assert standardized[7] == CLIP


def test_rounding_errors_of_a_constant_are_no_variation():
    scaler = WinsorizedScaler(np.array([[0.3], [0.1 + 0.2], [0.3]]))
    np.testing.assert_array_equal(scaler.standardize(np.array([[0.1 + 0.2]])), 0)


@pytest.mark.parametrize("constant", [0.0, 0.1, -1e8])
def test_a_constant_column_says_nothing_and_is_restored_exactly(constant):
    scaler = WinsorizedScaler(np.full((7, 1), constant))
    np.testing.assert_array_equal(scaler.standardize(np.array([[constant], [9.0]])), 0)
    np.testing.assert_array_equal(scaler.restore(np.array([[3.0]])), constant)


def test_normal_scores_follow_the_ranks(values):
    scores = NormalScores(values)
    found = scores(values)
    for column, row in zip(values.T, found.T, strict=True):
        np.testing.assert_array_equal(rankdata(row[1:-1]), rankdata(column[1:-1]))
        middle = (rankdata(column) - 1) / 499
        expected = np.clip(norm.ppf(middle), norm.ppf(0.001), norm.ppf(0.999))
        np.testing.assert_allclose(row, expected, atol=1e-6)


def test_normal_scores_stay_within_the_ends_and_do_not_jump(values):
    scores = NormalScores(values)
    largest = norm.ppf(1 - 0.5 / 500)
    np.testing.assert_allclose(scores(values + 1e9), largest)
    np.testing.assert_allclose(scores(values - 1e9), -largest)
    np.testing.assert_allclose(scores(values * (1 + 1e-14)), scores(values), atol=1e-5)


def test_principal_axes_are_orthonormal_and_explain_the_most(values):
    rows = (values - values.mean(axis=0)) / values.std(axis=0)
    axes = principal_axes(rows, 2, np.random.RandomState(0))
    np.testing.assert_allclose(axes @ axes.T, np.eye(2), atol=1e-12)
    singular = np.linalg.svd(rows, compute_uv=False)
    np.testing.assert_allclose(np.linalg.norm(rows @ axes.T, axis=0), singular[:2], rtol=1e-6)
