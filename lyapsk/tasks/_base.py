"""What every sequence task consists of."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SequenceTask:
    """Data, network and loss of one task.

    Attributes
    ----------
    name : str
        The task in words.
    X_train, X_valid : ndarray of shape (n_sequences, n_steps, n_inputs)
        Input sequences, float32.
    y_train, y_valid : ndarray of shape (n_sequences,)
        What a network should answer to each sequence.
    module : callable
        ``module(kind=..., hidden_size=..., half_width=...)`` makes an untrained network whose
        inputs and outputs fit the data.
    criterion : type
        The :class:`torch.nn.Module` class of the loss.
    """

    name: str
    X_train: np.ndarray
    y_train: np.ndarray
    X_valid: np.ndarray
    y_valid: np.ndarray
    module: Callable
    criterion: type
