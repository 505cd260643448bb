import numpy as np
import pytest

from lyapsk.exceptions import InvalidInputError
from lyapsk.tasks import four_sines


@pytest.fixture(scope="module")
def task():
    return four_sines(n_train=300, n_valid=50, n_cue=25, n_free=200, period=50)


def test_wave_is_heard_and_then_must_be_carried_on(task):
    assert task.X_train.shape == (300, 225, 1)
    assert task.y_train.shape == (300, 200, 1)
    assert not task.X_train[:, 25:].any()
    np.testing.assert_allclose(task.y_train[:, 25:50], task.X_train[:, :25], atol=1e-5)


def test_amplitudes_are_those_of_the_paper(task):
    amplitudes = np.abs(np.fft.rfft(task.y_train[:, :, 0])) / 100
    expected = np.zeros(101)
    expected[[4, 8, 12, 16]] = 1, 1 / 2, 1 / 6, 1 / 3
    scale = amplitudes[0, 4]
    np.testing.assert_allclose(amplitudes, scale * np.broadcast_to(expected, (300, 101)), atol=1e-5)
    assert task.y_train.max() == pytest.approx(1, abs=1e-3)


def test_components_start_together(task):
    """Of all phases, one crosses zero upwards where every component does."""
    t = np.linspace(0, 1, 5001)
    sines = [np.sin(2 * np.pi * k * t) * a for k, a in ((1, 1), (2, 1 / 2), (3, 1 / 6), (4, 1 / 3))]
    largest, smallest = np.max(sum(sines)), np.min(sum(sines))
    assert task.y_train.min() == pytest.approx(smallest / largest, abs=1e-3)


def test_phases_differ(task):
    assert len(np.unique(task.X_train[:, 0, 0])) > 290


@pytest.mark.parametrize(("period", "message"), [(8, "above 8 steps"), (0, "above 0")])
def test_period_must_leave_room_for_the_overtones(period, message):
    with pytest.raises(InvalidInputError, match=f"period: got {period}. It must be .*{message}"):
        four_sines(period=period)
