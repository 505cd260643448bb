"""How well the outputs of a network answer the targets of a task."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Metric:
    """One number for the outputs of a network.

    Attributes
    ----------
    name : str
        Also its column in the history of a skorch net.
    function : callable
        ``function(y_true, output)`` of arrays, as a float.
    greater_is_better : bool
        Whether larger numbers are better.

    Examples
    --------
    >>> from lyapsk.tasks import ACCURACY
    >>> ACCURACY([0, 1], [[0.9, 0.1], [0.8, 0.2]])
    0.5
    """

    name: str
    function: Callable
    greater_is_better: bool

    def __call__(self, y_true, output):
        """The metric as a float; NaN for outputs that are not finite."""
        output = np.asarray(output, dtype=np.float64)
        if not np.isfinite(output).all():
            return np.nan
        return float(self.function(np.asarray(y_true), output))

    def score(self, net, X, y):
        """The metric of a fitted skorch net, for ``scoring=`` in skorch and scikit-learn."""
        return self(y, net.predict(X))


def _share_of_hits(y_true, output):
    """`output` (..., n_classes) holds one score for each class."""
    return np.mean(output.argmax(axis=-1) == y_true)


def _normalised_error(y_true, output):
    return np.sqrt(np.mean((output - y_true) ** 2)) / np.std(y_true)


ACCURACY = Metric("accuracy", _share_of_hits, greater_is_better=True)
"""Share of answers whose most likely class is the true one."""

NRMSE = Metric("nrmse", _normalised_error, greater_is_better=False)
"""Root mean squared error over the targets' standard deviation; 1 for the mean as answer."""
