import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern

from lyapsk.aelle._kernel_head import BANDWIDTHS, RIDGES, fit_kernel_head


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(40, 3))
    targets = np.c_[np.sin(2 * codes[:, 0]), codes[:, 1] ** 2] + 0.1 * rng.normal(size=(40, 2))
    return codes, targets


def gaussian_process(head, codes, targets):
    """scikit-learn's own, with the kernel of `head`; a Matern kernel of nu 1/2 is exponential."""
    kernel = Matern(head.bandwidth, nu=0.5)
    process = GaussianProcessRegressor(kernel, alpha=head.ridge, optimizer=None)
    return process.fit(codes, targets - head.offset)


def test_prediction_and_variance_are_those_of_a_gaussian_process(problem):
    head = fit_kernel_head(*problem)
    new = np.random.default_rng(1).normal(size=(9, 3))
    mean, std = gaussian_process(head, *problem).predict(new, return_std=True)
    np.testing.assert_allclose(head.predict(new), mean + head.offset, rtol=1e-8)
    np.testing.assert_allclose(head.variance(new), std[:, 0] ** 2 + head.ridge, rtol=1e-8)


def test_leave_one_out_is_what_leaving_one_out_gives(problem):
    codes, targets = problem
    head = fit_kernel_head(codes, targets)
    for row in (0, 17):
        others = np.delete(np.arange(40), row)
        process = gaussian_process(head, codes[others], targets[others])
        mean, std = process.predict(codes[[row]], return_std=True)
        np.testing.assert_allclose(head.residuals[row], targets[row] - mean[0] - head.offset)
        np.testing.assert_allclose(head.variances[row], std[0, 0] ** 2 + head.ridge)


def test_no_candidate_has_a_smaller_leave_one_out_error(problem):
    codes, targets = problem
    head = fit_kernel_head(codes, targets)
    distances = np.linalg.norm(codes[:, None] - codes, axis=2)
    for bandwidth in np.multiply(BANDWIDTHS, distances.mean()):
        for ridge in RIDGES:
            precision = np.linalg.inv(np.exp(-distances / bandwidth) + ridge * np.eye(40))
            residuals = precision @ (targets - targets.mean(axis=0)) / np.diag(precision)[:, None]
            assert np.mean(residuals**2) >= np.mean(head.residuals**2) * (1 - 1e-9)


def test_far_from_all_codes_the_mean_is_predicted_with_full_variance(problem):
    head = fit_kernel_head(*problem)
    far = np.full((1, 3), 1e6)
    np.testing.assert_allclose(head.predict(far)[0], problem[1].mean(axis=0))
    np.testing.assert_allclose(head.variance(far), 1 + head.ridge)


def test_equal_codes_predict_the_mean():
    head = fit_kernel_head(np.ones((4, 2)), np.array([[0.0], [1.0], [2.0], [3.0]]))
    np.testing.assert_allclose(head.predict(np.ones((1, 2))), [[1.5]])


def test_refitted_is_the_same_process_on_other_rows(problem):
    codes, targets = problem
    head = fit_kernel_head(codes, targets)
    other = head.refitted(codes[:15], targets[:15])
    process = gaussian_process(other, codes[:15], targets[:15])
    mean, std = process.predict(codes[15:], return_std=True)
    assert (other.bandwidth, other.ridge) == (head.bandwidth, head.ridge)
    np.testing.assert_allclose(other.predict(codes[15:]), mean + targets[:15].mean(axis=0))
    np.testing.assert_allclose(other.variance(codes[15:]), std[:, 0] ** 2 + head.ridge)
