import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Matern
from sklearn.linear_model import Ridge

from lyapsk.aelle._kernel_head import RIDGES, fit_kernel_head
from lyapsk.aelle._kernels import Linear, exponential_kernels, linear_kernel

CANDIDATES = {"exponential": exponential_kernels, "linear": lambda rows: [linear_kernel(rows)]}
both = pytest.mark.parametrize("candidates", CANDIDATES.values(), ids=CANDIDATES)


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 3))
    targets = np.c_[np.sin(2 * rows[:, 0]), rows[:, 1] ** 2] + 0.1 * rng.normal(size=(40, 2))
    return rows, targets


@pytest.fixture
def new():
    return np.random.default_rng(1).normal(size=(9, 3))


def fit(candidates, rows, targets):
    return fit_kernel_head(rows, targets, candidates(rows))


def gaussian_process(head, rows, targets):
    """scikit-learn's own, with the kernel of `head`; a Matern kernel of nu 1/2 is exponential."""
    if isinstance(head.kernel, Linear):
        kernel = ConstantKernel(1 / head.kernel.unit) * DotProduct(0, "fixed")
    else:
        kernel = Matern(head.kernel.bandwidth, nu=0.5)
    process = GaussianProcessRegressor(kernel, alpha=head.ridge, optimizer=None)
    return process.fit(rows, targets - head.offset)


@both
def test_prediction_and_variance_are_those_of_a_gaussian_process(problem, new, candidates):
    head = fit(candidates, *problem)
    mean, std = gaussian_process(head, *problem).predict(new, return_std=True)
    np.testing.assert_allclose(head.predict(new), mean + head.offset, rtol=1e-8)
    np.testing.assert_allclose(head.variance(new), std[:, 0] ** 2 + head.ridge, rtol=1e-8)


@both
def test_leave_one_out_is_what_leaving_one_out_gives(problem, candidates):
    rows, targets = problem
    head = fit(candidates, rows, targets)
    for row in (0, 17):
        others = np.delete(np.arange(40), row)
        process = gaussian_process(head, rows[others], targets[others])
        mean, std = process.predict(rows[[row]], return_std=True)
        np.testing.assert_allclose(head.residuals[row], targets[row] - mean[0] - head.offset)
        np.testing.assert_allclose(head.variances[row], std[0, 0] ** 2 + head.ridge)


def test_no_candidate_has_a_smaller_leave_one_out_error(problem):
    rows, targets = problem
    kernels = [*exponential_kernels(rows), linear_kernel(rows)]
    head = fit_kernel_head(rows, targets, kernels)
    for kernel in kernels:
        for ridge in RIDGES:
            precision = np.linalg.inv(kernel(rows, rows) + ridge * np.eye(40))
            residuals = precision @ (targets - targets.mean(axis=0)) / np.diag(precision)[:, None]
            assert np.mean(residuals**2) >= np.mean(head.residuals**2) * (1 - 1e-9)


@pytest.mark.parametrize(("target", "is_linear"), [(np.sum, True), (np.prod, False)])
def test_a_line_is_chosen_where_it_is_one(target, is_linear):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 2))
    targets = target(rows, axis=1)[:, None] + 0.3 * rng.normal(size=(60, 1))
    head = fit_kernel_head(rows, targets, [*exponential_kernels(rows), linear_kernel(rows)])
    assert isinstance(head.kernel, Linear) == is_linear


def test_the_linear_kernel_gives_ridge_regression(problem, new):
    rows, targets = problem
    rows = rows - rows.mean(axis=0)
    head = fit(CANDIDATES["linear"], rows, targets)
    ridge = Ridge(head.ridge * head.kernel.unit).fit(rows, targets)
    np.testing.assert_allclose(head.predict(new), ridge.predict(new))


def test_far_from_all_rows_the_mean_is_predicted_with_full_variance(problem):
    head = fit(exponential_kernels, *problem)
    far = np.full((1, 3), 1e6)
    np.testing.assert_allclose(head.predict(far)[0], problem[1].mean(axis=0))
    np.testing.assert_allclose(head.variance(far), 1 + head.ridge)


def test_the_variance_of_a_line_grows_with_the_square_of_the_distance(problem, new):
    head = fit(CANDIDATES["linear"], *problem)
    near, far = (head.variance(scale * new) - head.ridge for scale in (1, 10))
    np.testing.assert_allclose(far, 100 * near)


@both
def test_equal_rows_predict_the_mean(candidates):
    head = fit(candidates, np.ones((4, 2)), np.array([[0.0], [1.0], [2.0], [3.0]]))
    np.testing.assert_allclose(head.predict(np.ones((1, 2))), [[1.5]])


@both
def test_refitted_is_the_same_process_on_other_rows(problem, candidates):
    rows, targets = problem
    head = fit(candidates, rows, targets)
    other = head.refitted(rows[:15], targets[:15])
    process = gaussian_process(other, rows[:15], targets[:15])
    mean, std = process.predict(rows[15:], return_std=True)
    assert (other.kernel, other.ridge) == (head.kernel, head.ridge)
    np.testing.assert_allclose(other.predict(rows[15:]), mean + targets[:15].mean(axis=0))
    np.testing.assert_allclose(other.variance(rows[15:]), std[:, 0] ** 2 + head.ridge)
