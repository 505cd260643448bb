import numpy as np
import pytest
import torch

from lyapsk.exceptions import InvalidInputError
from lyapsk.tasks import digits_by_pixels, digits_by_rows


@pytest.fixture(scope="module")
def task():
    return digits_by_pixels()


def test_pixels_come_one_by_one_and_row_by_row(task):
    assert task.X_train.shape[1:] == task.X_valid.shape[1:] == (64, 1)
    assert task.X_train.dtype == np.float32
    assert (task.X_train.min(), task.X_train.max()) == (0, 1)
    brightness = task.X_train.mean(axis=0).reshape(8, 8)
    assert brightness[:, 3:5].mean() > 5 * brightness[:, [0, 7]].mean()


def test_rows_hold_the_same_images(task):
    rows = digits_by_rows()
    np.testing.assert_array_equal(rows.X_train, task.X_train.reshape(-1, 8, 8))
    np.testing.assert_array_equal(rows.y_valid, task.y_valid)


def test_split_keeps_every_image_and_the_share_of_each_digit(task):
    assert len(task.X_train) + len(task.X_valid) == 1797
    train, valid = np.bincount(task.y_train), np.bincount(task.y_valid)
    np.testing.assert_allclose(valid / (train + valid), 0.25, atol=0.01)


def test_validation_size_can_be_chosen():
    assert len(digits_by_pixels(valid_size=100).X_valid) == 100


@pytest.mark.parametrize("valid_size", [0, 1.5, 3, 1797])
def test_split_that_cannot_be_made_is_refused(valid_size):
    with pytest.raises(InvalidInputError, match=f"valid_size: got {valid_size}. It must be a"):
        digits_by_rows(valid_size=valid_size)


def test_module_and_loss_fit_the_data(task):
    module = task.module(kind="GRU", hidden_size=4, half_width=0.1)
    logits = module(torch.as_tensor(task.X_valid[:5]))
    loss = task.criterion()(logits, torch.as_tensor(task.y_valid[:5]))
    assert logits.shape == (5, 10)
    assert 1 < loss.item() < 4
