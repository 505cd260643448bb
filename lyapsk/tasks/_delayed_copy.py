"""Symbols to be remembered over a delay."""

from functools import partial

import numpy as np

from .._checks import check_count
from .._random_state import random_numbers
from ._base import SequenceTask
from ._losses import StepCrossEntropy
from ._metrics import ACCURACY
from ._modules import SequenceNetwork


def delayed_copy(n_train=4096, n_valid=512, n_symbols=4, n_items=5, delay=10, random_state=0):
    """Remember a few random symbols over a delay, and then give them back in order.

    Parameters
    ----------
    n_train, n_valid : int, default=4096 and 512
        Number of sequences.
    n_symbols : int, default=4
        Size of the alphabet; guessing is right once in ``n_symbols`` times.
    n_items : int, default=5
        Symbols to remember. There are ``n_symbols ** n_items`` different sequences, so that with
        the defaults validation repeats what was trained: the task is to remember.
    delay : int, default=10
        Steps without any input between the last symbol and the first answer.
    random_state : int, RandomState instance or None, default=0
        Draws the symbols.

    Returns
    -------
    task : SequenceTask
        ``2 * n_items + delay`` steps. One input for each symbol, and one that asks for an answer
        during the last ``n_items`` steps; targets (n_sequences, n_items).

    References
    ----------
    S. Hochreiter and J. Schmidhuber (1997), "Long short-term memory", Neural Computation 9(8),
    introduced tasks with a delay; this form is that of M. Arjovsky, A. Shah and Y. Bengio (2016),
    "Unitary evolution recurrent neural networks", arXiv 1511.06464, without answers during the
    delay.

    Examples
    --------
    >>> from lyapsk.tasks import delayed_copy
    >>> task = delayed_copy(n_train=20, n_valid=10)
    >>> task.X_train.shape, task.y_train.shape
    ((20, 20, 5), (20, 5))
    """
    check_count("n_train", n_train)
    check_count("n_valid", n_valid)
    check_count("n_symbols", n_symbols, least=2)
    check_count("n_items", n_items)
    check_count("delay", delay, least=0)
    rng = random_numbers(random_state)
    symbols = rng.randint(n_symbols, size=(n_train + n_valid, n_items), dtype=np.int64)
    X = np.zeros((len(symbols), 2 * n_items + delay, n_symbols + 1), dtype=np.float32)
    X[:, :n_items, :n_symbols] = np.eye(n_symbols)[symbols]
    X[:, -n_items:, n_symbols] = 1
    return SequenceTask.split(
        name="delayed copy",
        X=X,
        y=symbols,
        n_train=n_train,
        module=partial(
            SequenceNetwork, n_inputs=n_symbols + 1, n_outputs=n_symbols, read_from=-n_items
        ),
        criterion=StepCrossEntropy,
        metric=ACCURACY,
    )
