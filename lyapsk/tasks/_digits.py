"""Handwritten digits, read pixel by pixel."""

from functools import partial

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from ._base import SequenceTask
from ._modules import SequenceClassifier


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

    Examples
    --------
    >>> from lyapsk.tasks import digits_by_pixels
    >>> task = digits_by_pixels()
    >>> task.X_train.shape, task.X_valid.shape
    ((1347, 64, 1), (450, 64, 1))
    """
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)[:, :, np.newaxis]
    X_train, X_valid, y_train, y_valid = train_test_split(
        X, y.astype(np.int64), test_size=valid_size, stratify=y, random_state=random_state
    )
    return SequenceTask(
        name="digits by pixels",
        X_train=X_train,
        y_train=y_train,
        X_valid=X_valid,
        y_valid=y_valid,
        module=partial(SequenceClassifier, n_inputs=1, n_classes=10),
        criterion=nn.CrossEntropyLoss,
    )
