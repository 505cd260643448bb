import numpy as np
import pytest

from lyapsk.tasks import ACCURACY, NRMSE


@pytest.mark.parametrize("shape", [(50,), (50, 7)])
def test_accuracy_counts_hits(shape):
    rng = np.random.default_rng(0)
    y, output = rng.integers(4, size=shape), rng.normal(size=(*shape, 4)).astype("float32")
    hits = [row.argmax() == label for row, label in zip(output.reshape(-1, 4), y.flat, strict=True)]
    assert ACCURACY(y, output) == np.mean(hits)
    assert ACCURACY(y, np.eye(4)[y]) == 1


def test_nrmse_is_0_for_the_truth_and_1_for_the_mean():
    y = np.random.default_rng(0).normal(3, 2, size=(50, 7, 1))
    assert NRMSE(y, y) == 0
    assert NRMSE(y, np.full_like(y, y.mean())) == pytest.approx(1)
    assert NRMSE(y, y + 0.5) == pytest.approx(0.5 / y.std())


@pytest.mark.parametrize("metric", [ACCURACY, NRMSE])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_outputs_that_are_not_finite_have_no_metric(metric, bad):
    output = np.zeros((5, 3))
    output[2, 1] = bad
    assert np.isnan(metric(np.zeros((5, 3)), output))


def test_huge_outputs_of_single_precision_have_a_metric():
    assert np.isfinite(NRMSE([0.0, 1.0], np.array([1e30, 0], dtype="float32")))
