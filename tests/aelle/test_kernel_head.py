import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Matern
from sklearn.linear_model import Ridge

from lyapsk.aelle._kernel_head import RIDGES, fit_kernel_heads
from lyapsk.aelle._kernels import Linear, exponential_kernels, linear_kernel

CANDIDATES = {
    "exponential": exponential_kernels,
    "linear": lambda rows, shares: [linear_kernel(rows, shares)],
}
SHARES = np.random.default_rng(3).uniform(0.2, 3, size=40)
weighted = pytest.mark.parametrize("shares", [np.ones(40), SHARES], ids=["equal", "weighted"])
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


def fit(candidates, rows, targets, shares=None):
    shares = np.ones(len(rows)) if shares is None else shares
    return fit_kernel_heads(rows, targets, shares, candidates(rows, shares), [slice(None)])[0]


def every_kernel(rows, shares):
    return [*exponential_kernels(rows, shares), linear_kernel(rows, shares)]


def gaussian_process(head, rows, targets, shares=1.0):
    """scikit-learn's own, with the kernel of `head`; a Matern kernel of nu 1/2 is exponential."""
    if isinstance(head.kernel, Linear):
        kernel = ConstantKernel(1 / head.kernel.unit) * DotProduct(0, "fixed")
    else:
        kernel = Matern(head.kernel.bandwidth, nu=0.5)
    process = GaussianProcessRegressor(kernel, alpha=head.ridge / shares, optimizer=None)
    return process.fit(rows, targets - head.offset)


@both
@weighted
def test_prediction_and_variance_are_those_of_a_gaussian_process(problem, new, candidates, shares):
    head = fit(candidates, *problem, shares)
    mean, std = gaussian_process(head, *problem, shares).predict(new, return_std=True)
    np.testing.assert_allclose(head.predict(new), mean + head.offset, rtol=1e-8)
    np.testing.assert_allclose(head.variance(new), std[:, 0] ** 2 + head.ridge, rtol=1e-8)


@both
@weighted
def test_leave_one_out_is_what_leaving_one_out_gives(problem, candidates, shares):
    rows, targets = problem
    head = fit(candidates, rows, targets, shares)
    for row in (0, 17):
        others = np.delete(np.arange(40), row)
        process = gaussian_process(head, rows[others], targets[others], shares[others])
        mean, std = process.predict(rows[[row]], return_std=True)
        np.testing.assert_allclose(head.residuals[row], targets[row] - mean[0] - head.offset)
        np.testing.assert_allclose(head.variances[row], std[0, 0] ** 2 + head.ridge)


@both
def test_a_row_that_counts_three_times_is_like_three_rows(problem, new, candidates):
    rows, targets = problem
    counts = np.random.default_rng(2).integers(1, 4, size=40)
    head = fit(candidates, rows, targets, counts)
    repeated = np.repeat(np.arange(40), counts)
    other = head.refitted(rows[repeated], targets[repeated], np.ones(len(repeated)))
    np.testing.assert_allclose(head.offset, other.offset)
    np.testing.assert_allclose(head.predict(new), other.predict(new))
    np.testing.assert_allclose(head.variance(new), other.variance(new))


def test_the_error_counts_rows_by_their_share(problem):
    shares = np.linspace(0.5, 1.5, 40)
    head = fit(exponential_kernels, *problem, shares)
    assert head.error == pytest.approx((shares[:, None] * head.residuals**2).sum() / 40)


def test_no_candidate_has_a_smaller_leave_one_out_error(problem):
    rows, targets = problem
    head = fit(every_kernel, rows, targets)
    for kernel in every_kernel(rows, np.ones(40)):
        for ridge in RIDGES:
            precision = np.linalg.inv(kernel(rows, rows) + ridge * np.eye(40))
            residuals = precision @ (targets - targets.mean(axis=0)) / np.diag(precision)[:, None]
            assert np.mean(residuals**2) >= np.mean(head.residuals**2) * (1 - 1e-9)


@pytest.mark.parametrize(("target", "is_linear"), [(np.sum, True), (np.prod, False)])
def test_a_line_is_chosen_where_it_is_one(target, is_linear):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 2))
    targets = target(rows, axis=1)[:, None] + 0.3 * rng.normal(size=(60, 1))
    head = fit(every_kernel, rows, targets)
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
    other = head.refitted(rows[:15], targets[:15], np.ones(15))
    process = gaussian_process(other, rows[:15], targets[:15])
    mean, std = process.predict(rows[15:], return_std=True)
    assert (other.kernel, other.ridge) == (head.kernel, head.ridge)
    np.testing.assert_allclose(other.predict(rows[15:]), mean + targets[:15].mean(axis=0))
    np.testing.assert_allclose(other.variance(rows[15:]), std[:, 0] ** 2 + head.ridge)
