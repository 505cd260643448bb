import numpy as np
import pytest

from lyapsk.exceptions import InvalidInputError
from lyapsk.tasks import delayed_copy


@pytest.mark.parametrize(("n_symbols", "n_items", "delay"), [(4, 5, 10), (2, 1, 0), (3, 2, 1)])
def test_answers_are_the_symbols_that_were_shown(n_symbols, n_items, delay):
    task = delayed_copy(30, 20, n_symbols, n_items, delay)
    X, y = task.X_train, task.y_train
    assert X.shape == (30, 2 * n_items + delay, n_symbols + 1)
    shown, silent, asked = np.split(X, [n_items, n_items + delay], axis=1)
    np.testing.assert_array_equal(shown.sum(axis=2), 1)
    np.testing.assert_array_equal(shown.argmax(axis=2), y)
    assert not silent.any()
    assert not asked[:, :, :n_symbols].any()
    np.testing.assert_array_equal(asked[:, :, n_symbols], 1)


def test_symbols_are_equally_likely():
    counts = np.bincount(delayed_copy(n_train=2000).y_train.ravel())
    np.testing.assert_allclose(counts / counts.sum(), 0.25, atol=0.02)


def test_one_symbol_is_too_few():
    with pytest.raises(InvalidInputError, match=r"n_symbols: got 1. .* at least 2"):
        delayed_copy(n_symbols=1)
