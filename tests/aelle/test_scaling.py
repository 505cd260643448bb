import numpy as np
import pytest

from lyapsk.aelle._scaling import CLIP, WinsorizedScaler, principal_axes, quantiles


@pytest.fixture
def values():
    return np.random.default_rng(0).normal([3, -50, 0], [1, 1e-3, 1e4], size=(500, 3))


def scaler_of(values):
    return WinsorizedScaler(values, np.ones(len(values)))


def test_columns_come_out_with_mean_0_and_deviation_1(values):
    standardized = scaler_of(values).standardize(values)
    np.testing.assert_allclose(standardized.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(standardized.std(axis=0), 1, rtol=1e-9)


def test_restore_undoes_standardize(values):
    scaler = scaler_of(values)
    np.testing.assert_allclose(scaler.restore(scaler.standardize(values)), values, rtol=1e-9)


@pytest.mark.parametrize("wild", [1e3, 1e9, 1e200])
def test_wild_values_hardly_change_the_units_of_the_others(values, wild):
    clean = scaler_of(values)
    spoiled = scaler_of(np.vstack([values, np.full((5, 3), wild)]))
    np.testing.assert_allclose(spoiled.scale, clean.scale, rtol=0.15)
    np.testing.assert_allclose((spoiled.center - clean.center) / clean.scale, 0, atol=0.1)


def test_wild_rows_that_hardly_count_change_no_unit(values):
    clean = scaler_of(values)
    shares = np.append(np.ones(500), np.full(100, 1e-9))
    spoiled = WinsorizedScaler(np.vstack([values, np.full((100, 3), 1e6)]), shares)
    np.testing.assert_allclose(spoiled.scale, clean.scale, rtol=1e-3)
    np.testing.assert_allclose((spoiled.center - clean.center) / clean.scale, 0, atol=1e-3)


def test_wild_values_are_clipped(values):
    np.testing.assert_array_equal(
        scaler_of(values).standardize(np.array([[1e9, -1e9, np.inf]])), [[CLIP, -CLIP, CLIP]]
    )


def test_a_column_with_one_deviating_row_keeps_it_apart():
    count = np.zeros((50, 1))
    count[7] = 3
    standardized = scaler_of(count).standardize(count)[:, 0]
    assert standardized.argmax() == 7
    assert standardized[7] == CLIP


def test_rounding_errors_of_a_constant_are_no_variation():
    scaler = scaler_of(np.array([[0.3], [0.1 + 0.2], [0.3]]))
    np.testing.assert_array_equal(scaler.standardize(np.array([[0.1 + 0.2]])), 0)


@pytest.mark.parametrize("constant", [0.0, 0.1, -1e8])
def test_a_constant_column_says_nothing_and_is_restored_exactly(constant):
    scaler = scaler_of(np.full((7, 1), constant))
    np.testing.assert_array_equal(scaler.standardize(np.array([[constant], [9.0]])), 0)
    np.testing.assert_array_equal(scaler.restore(np.array([[3.0]])), constant)


def test_principal_axes_are_orthonormal_and_explain_the_most(values):
    rows = (values - values.mean(axis=0)) / values.std(axis=0)
    axes = principal_axes(rows, np.ones(500), 2, np.random.RandomState(0))
    np.testing.assert_allclose(axes @ axes.T, np.eye(2), atol=1e-12)
    singular = np.linalg.svd(rows, compute_uv=False)
    np.testing.assert_allclose(np.linalg.norm(rows @ axes.T, axis=0), singular[:2], rtol=1e-6)


def test_weighted_principal_axes_are_those_of_repeated_rows(values):
    rows = (values - values.mean(axis=0)) / values.std(axis=0)
    counts = np.random.default_rng(1).integers(1, 4, size=500)
    axes = principal_axes(rows, counts, 2, np.random.RandomState(0))
    expected = np.linalg.svd(np.repeat(rows, counts, axis=0))[2][:2]
    np.testing.assert_allclose(np.abs(axes @ expected.T), np.eye(2), atol=1e-6)


def test_quantiles_of_equal_shares_are_hazens(values):
    orders = [0.0, 0.1, 0.33, 0.5, 1.0]
    found = quantiles(values, np.full(500, 0.7), orders)
    np.testing.assert_allclose(found, np.quantile(values, orders, axis=0, method="hazen"))


def test_quantiles_lie_at_the_middles_of_shares():
    values, shares = np.array([[3.0], [1.0], [2.0]]), np.array([1.0, 2.0, 1.0])
    found = quantiles(values, shares, [0.25, 0.4375, 0.625, 0.75, 0.875])
    np.testing.assert_allclose(found[:, 0], [1, 1.5, 2, 2.5, 3])


def test_weighted_units_have_mean_0_and_deviation_1_too(values):
    shares = np.random.default_rng(1).exponential(size=500)
    scaler = WinsorizedScaler(values, shares)
    standardized = scaler.in_units(values - scaler.center)
    inside = np.abs(standardized).max(axis=1) < CLIP
    assert inside.mean() > 0.99
    np.testing.assert_allclose(np.average(standardized, axis=0, weights=shares), 0, atol=0.01)
    np.testing.assert_allclose(np.average(standardized**2, axis=0, weights=shares), 1, atol=0.01)


@pytest.mark.parametrize(("n_far", "is_wild"), [(1, True), (3, True), (8, False), (20, False)])
def test_more_than_a_few_far_targets_are_not_pulled_in(n_far, is_wild):
    values = np.random.default_rng(0).normal(size=(100, 1))
    values[:n_far] += 1000
    scaler = WinsorizedScaler(values, np.ones(100), few=0.03)
    assert (np.abs(scaler.restore(scaler.standardize(values)) - values).max() > 100) == is_wild
    assert (scaler.scale[0] < 3) == is_wild


def test_one_of_few_targets_may_be_wild():
    values = np.append(np.random.default_rng(0).normal(size=20), 1e9)[:, None]
    assert WinsorizedScaler(values, np.ones(21), few=0.03).scale[0] < 3
