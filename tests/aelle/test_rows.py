import numpy as np
import pytest

from lyapsk.aelle._rows import Rows, drawn


def test_outcomes_of_one_spectrum_count_by_their_mean_and_scatter():
    X, y = np.repeat(np.eye(3), 4, axis=0), np.r_[0.0, 0, 0, 4, 1, 1, 1, 1, 3, 3, 3, 3]
    rows = Rows.distinct(X, y[:, None], np.ones(12)).by_features()
    order = rows.X.argmax(axis=1).argsort()
    np.testing.assert_allclose(rows.targets[order, 0], [1, 1, 3])
    np.testing.assert_allclose(rows.scatter[order, 0], [3, 0, 0])
    np.testing.assert_allclose(rows.shares, 1)


@pytest.mark.parametrize("power", [1, 6])
def test_drawn_rows_stand_for_all(power):
    shares = np.random.default_rng(0).exponential(size=2000) ** power
    shares /= shares.mean()
    values = np.random.default_rng(1).normal(size=2000) + np.log(shares)
    estimates = []
    for seed in range(40):
        some, counts = drawn(shares, 500, np.random.RandomState(seed))
        assert len(set(some)) == len(some)
        assert abs(len(some) - 500) <= 1
        estimates.append(np.average(values[some], weights=counts))
    truth = np.average(values, weights=shares)
    assert np.mean(estimates) == pytest.approx(truth, abs=0.03)
    some, counts = drawn(np.ones(2000), 500, np.random.RandomState(0))
    np.testing.assert_allclose(counts, 1)
