"""Handwritten digits, read pixel by pixel or row by row."""

from functools import partial

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from .._random_state import random_numbers
from ..exceptions import InvalidInputError
from ._base import SequenceTask
from ._metrics import ACCURACY
from ._modules import SequenceNetwork


def digits_by_pixels(valid_size=0.25, random_state=0):
    """Tell which digit an 8 x 8 image shows after reading its 64 pixels one at a time.

    The 1,797 images are those that scikit-learn bundles; nothing is downloaded.

    Parameters
    ----------
    valid_size : float or int, default=0.25
        Share or number of images held out for validation, each digit in proportion.
    random_state : int, RandomState instance or None, default=0
        Which images are held out.

    Returns
    -------
    task : SequenceTask
        Sequences of 64 steps and 1 input, brightness from 0 to 1, row by row; 10 classes.

    See Also
    --------
    digits_by_rows : The same images in 8 steps.

    Examples
    --------
    >>> from lyapsk.tasks import digits_by_pixels
    >>> task = digits_by_pixels()
    >>> task.X_train.shape, task.X_valid.shape
    ((1347, 64, 1), (450, 64, 1))
    """
    return _digits("digits by pixels", 1, valid_size, random_state)


def digits_by_rows(valid_size=0.25, random_state=0):
    """Tell which digit an 8 x 8 image shows after reading its 8 rows one at a time.

    The 1,797 images are those that scikit-learn bundles; nothing is downloaded.

    Parameters
    ----------
    valid_size : float or int, default=0.25
        Share or number of images held out for validation, each digit in proportion.
    random_state : int, RandomState instance or None, default=0
        Which images are held out.

    Returns
    -------
    task : SequenceTask
        Sequences of 8 steps and 8 inputs, brightness from 0 to 1; 10 classes.

    See Also
    --------
    digits_by_pixels : The same images in 64 steps.

    Examples
    --------
    >>> from lyapsk.tasks import digits_by_rows
    >>> task = digits_by_rows()
    >>> task.X_train.shape, task.X_valid.shape
    ((1347, 8, 8), (450, 8, 8))
    """
    return _digits("digits by rows", 8, valid_size, random_state)


def _digits(name, n_inputs, valid_size, random_state):
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32).reshape(len(X), -1, n_inputs)
    train, valid = _split(y, valid_size, random_numbers(random_state))
    y = y.astype(np.int64)
    return SequenceTask(
        name=name,
        X_train=X[train],
        y_train=y[train],
        X_valid=X[valid],
        y_valid=y[valid],
        module=partial(SequenceNetwork, n_inputs=n_inputs, n_outputs=10),
        criterion=nn.CrossEntropyLoss,
        metric=ACCURACY,
    )


def _split(y, valid_size, rng):
    """Indices of the images for training and for validation."""
    try:
        return train_test_split(
            np.arange(len(y)), test_size=valid_size, stratify=y, random_state=rng
        )
    except ValueError as error:
        raise InvalidInputError(
            f"valid_size: got {valid_size!r}. It must be a share between 0 and 1, or a number of "
            f"images that leaves some of each digit on both sides: {error}"
        ) from error
