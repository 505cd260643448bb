import numpy as np
import pytest

from lyapsk.aelle._scaling import CLIP, WinsorizedScaler


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
