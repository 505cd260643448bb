import numpy as np
import pytest
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Matern

from lyapsk.aelle._kernels import BANDWIDTHS, exponential_kernels, linear_kernel


@pytest.fixture
def rows():
    return np.random.default_rng(0).normal(size=(12, 3))


def test_exponential_is_a_matern_kernel_in_units_of_the_mean_distance(rows):
    kernels = exponential_kernels(rows, np.ones(len(rows)))
    distance = np.mean(np.linalg.norm(rows[:, None] - rows, axis=2))
    np.testing.assert_allclose([k.bandwidth for k in kernels], np.multiply(BANDWIDTHS, distance))
    expected = Matern(kernels[1].bandwidth, nu=0.5)(rows, rows[:5])
    np.testing.assert_allclose(kernels[1](rows, rows[:5]), expected)


def test_linear_is_the_scalar_product_and_1_for_a_usual_row(rows):
    kernel = linear_kernel(rows, np.ones(len(rows)))
    expected = ConstantKernel(1 / kernel.unit) * DotProduct(0, "fixed")
    np.testing.assert_allclose(kernel(rows, rows[:5]), expected(rows, rows[:5]))
    assert kernel.with_itself(rows).mean() == pytest.approx(1)


def test_with_itself_is_the_diagonal(rows):
    for kernel in (
        *exponential_kernels(rows, np.ones(len(rows))),
        linear_kernel(rows, np.ones(len(rows))),
    ):
        np.testing.assert_allclose(kernel.with_itself(rows), np.diag(kernel(rows, rows)))


def test_rows_that_are_all_equal_have_kernels():
    rows = np.zeros((4, 2))
    for kernel in (
        *exponential_kernels(rows, np.ones(len(rows))),
        linear_kernel(rows, np.ones(len(rows))),
    ):
        assert np.isfinite(kernel(rows, rows)).all()


def test_units_count_repeated_rows_by_their_weight(rows):
    counts = np.random.default_rng(1).integers(1, 5, size=len(rows))
    repeated = np.repeat(rows, counts, axis=0)
    ones = np.ones(len(repeated))
    for weighted, plain in zip(
        [*exponential_kernels(rows, counts), linear_kernel(rows, counts)],
        [*exponential_kernels(repeated, ones), linear_kernel(repeated, ones)],
        strict=True,
    ):
        np.testing.assert_allclose(weighted(rows, rows), plain(rows, rows))
