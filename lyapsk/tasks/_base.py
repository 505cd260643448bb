"""What every sequence task consists of."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from skorch import NeuralNet
from skorch.callbacks import EpochScoring
from skorch.dataset import Dataset
from skorch.helper import predefined_split
from torch.optim import Adam

from .._checks import check_count, check_positive
from ._metrics import Metric


@dataclass(frozen=True)
class SequenceTask:
    """Data, network, loss and metric of one task.

    Attributes
    ----------
    name : str
        The task in words.
    X_train, X_valid : ndarray of shape (n_sequences, n_steps, n_inputs)
        Input sequences, float32.
    y_train, y_valid : ndarray
        What a network should answer: classes, int64 of shape (n_sequences,) for one answer to a
        sequence or (n_sequences, n_answers) for one at each of the last steps, or values,
        float32 of shape (n_sequences, n_answers, n_outputs).
    module : callable
        ``module(kind=..., hidden_size=..., half_width=...)`` makes an untrained network whose
        inputs and outputs fit the data.
    criterion : type
        The :class:`torch.nn.Module` class of the loss.
    metric : Metric
        ``metric(y_true, output)`` is a float.

    Examples
    --------
    >>> from lyapsk.tasks import digits_by_rows
    >>> task = digits_by_rows()
    >>> net = task.net("GRU", hidden_size=16, max_epochs=3).fit(task.X_train, task.y_train)
    >>> len(net.history[:, ("train_loss", "valid_loss", "accuracy")])
    3
    """

    name: str
    X_train: np.ndarray
    y_train: np.ndarray
    X_valid: np.ndarray
    y_valid: np.ndarray
    module: Callable
    criterion: type
    metric: Metric

    @classmethod
    def split(cls, *, X, y, n_train, **rest):
        """A task that trains on the first sequences and validates on the others.

        Parameters
        ----------
        X, y : ndarray
            Input sequences and targets of both, as in the attributes.
        n_train : int
            Number of sequences for training.
        **rest
            The other attributes.

        Returns
        -------
        task : SequenceTask
        """
        return cls(
            X_train=X[:n_train],
            y_train=y[:n_train],
            X_valid=X[n_train:],
            y_valid=y[n_train:],
            **rest,
        )

    def net(
        self,
        kind="LSTM",
        hidden_size=32,
        half_width=None,
        learning_rate=0.005,
        max_epochs=12,
        **parameters,
    ):
        """A skorch net that learns the task, not initialised yet.

        It trains with Adam on shuffled batches of 64 sequences. Its history holds the validation
        loss and the metric of every epoch.

        Parameters
        ----------
        kind, hidden_size, half_width
            As for :class:`SequenceNetwork`.
        learning_rate : float, default=0.005
            Step size of the optimizer.
        max_epochs : int, default=12
            Epochs of one ``fit``.
        **parameters
            Parameters of :class:`skorch.NeuralNet`; each takes the place of what is set here.

        Returns
        -------
        net : NeuralNet
        """
        defaults = {
            "module__kind": kind,
            "module__hidden_size": hidden_size,
            "module__half_width": half_width,
            "lr": check_positive("learning_rate", learning_rate),
            "max_epochs": check_count("max_epochs", max_epochs, least=0),
            "criterion": self.criterion,
            "optimizer": Adam,
            "batch_size": 64,
            "iterator_train__shuffle": True,
            "train_split": predefined_split(Dataset(self.X_valid, self.y_valid)),
            "callbacks": [("metric", self._scoring())],
            "verbose": 0,
        }
        return NeuralNet(self.module, **(defaults | parameters))

    def _scoring(self):
        return EpochScoring(
            self.metric.score,
            name=self.metric.name,
            lower_is_better=not self.metric.greater_is_better,
        )
