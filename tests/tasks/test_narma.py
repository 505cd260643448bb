import numpy as np
import pytest

from lyapsk.exceptions import InvalidInputError
from lyapsk.tasks import _narma, narma10


def outputs_by_hand(u):
    """The recursion for one sequence, term by term in plain Python."""
    y = [0.0]
    for t in range(len(u)):
        memory = sum(y[t - i] for i in range(10) if t - i >= 0)
        product = u[t - 9] * u[t] if t >= 9 else 0.0
        y.append(0.3 * y[t] + 0.05 * y[t] * memory + 1.5 * product + 0.1)
    return np.array(y)


@pytest.mark.parametrize("washout", [0, 12])
def test_targets_follow_the_recursion(washout):
    task = narma10(n_train=6, n_valid=4, n_steps=40, washout=washout)
    for X, y in [(task.X_train, task.y_train), (task.X_valid, task.y_valid)]:
        assert (X.min(), X.max()) >= (0, 0)
        assert X.max() < 0.5
        for inputs, targets in zip(X[:, :, 0].astype(float), y[:, :, 0], strict=True):
            np.testing.assert_allclose(targets, outputs_by_hand(inputs)[1:][washout:], rtol=1e-5)


def test_sequences_that_diverge_are_drawn_anew(monkeypatch):
    """Inputs near their upper bound drive the recursion to infinity."""

    class Generator:
        def __init__(self):
            self.sizes = []

        def uniform(self, low, high, size):
            self.sizes.append(size)
            u = np.full(size, 0.1)
            if len(self.sizes) == 1:
                u[1] = 0.49
            return u

    rng = Generator()
    u, y = _narma._draw(3, 100, rng)
    assert rng.sizes == [(3, 100), (1, 100)]
    np.testing.assert_array_equal(u, 0.1)
    assert y.max() < 1
    assert outputs_by_hand([0.49] * 30)[-1] > 1.25


def test_no_outputs_are_far_out():
    task = narma10(n_train=500, n_valid=500)
    assert 0.1 < task.y_train.min() < task.y_train.max() < 1.25
    assert task.y_train.mean() == pytest.approx(0.39, abs=0.01)


@pytest.mark.parametrize("washout", [100, 101, -1, 2.0])
def test_washout_must_leave_a_step(washout):
    with pytest.raises(InvalidInputError, match=f"washout: got {washout}"):
        narma10(washout=washout)
