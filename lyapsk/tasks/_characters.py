"""The next character of a text."""

from functools import partial
from pathlib import Path

import numpy as np

from .._checks import check_count
from .._message import message_of
from .._random_state import random_numbers
from ..exceptions import InvalidInputError
from ._base import SequenceTask
from ._grammar import write_text
from ._losses import StepCrossEntropy
from ._metrics import ACCURACY
from ._modules import SequenceNetwork


def characters(path=None, n_train=1024, n_valid=256, n_steps=40, random_state=0):
    """Predict the next character of a text at every step.

    Parameters
    ----------
    path : str or Path, optional
        A text file in UTF-8. By default the text comes from a small grammar, with sentences such
        as "the quiet rivers that follow a singer visit some gardens."
    n_train, n_valid : int, default=1024 and 256
        Number of sequences: pieces of the text that do not overlap.
    n_steps : int, default=40
        Characters of each sequence.
    random_state : int, RandomState instance or None, default=0
        Writes the text of the grammar, and draws the pieces for training and validation.

    Returns
    -------
    task : SequenceTask
        One input and one class for each character that the text has; targets
        (n_sequences, n_steps).

    Examples
    --------
    >>> from lyapsk.tasks import characters
    >>> task = characters(n_train=20, n_valid=10)
    >>> task.X_train.shape, task.y_train.shape
    ((20, 40, 25), (20, 40))
    """
    check_count("n_train", n_train)
    n_sequences = n_train + check_count("n_valid", n_valid)
    check_count("n_steps", n_steps)
    rng = random_numbers(random_state)
    n_characters = n_sequences * n_steps + 1
    text = write_text(n_characters, rng) if path is None else _read(path, n_characters)
    alphabet, codes = np.unique(list(text), return_inverse=True)
    starts = n_steps * rng.permutation((len(text) - 1) // n_steps)[:n_sequences]
    pieces = codes[starts[:, np.newaxis] + np.arange(n_steps + 1)]
    X, y = np.eye(len(alphabet), dtype=np.float32)[pieces[:, :-1]], pieces[:, 1:].astype(np.int64)
    return SequenceTask.split(
        name="characters",
        X=X,
        y=y,
        n_train=n_train,
        module=partial(
            SequenceNetwork, n_inputs=len(alphabet), n_outputs=len(alphabet), read_from=0
        ),
        criterion=StepCrossEntropy,
        metric=ACCURACY,
    )


def _read(path, n_characters):
    """The text of a file of at least so many characters."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, TypeError, UnicodeDecodeError) as error:
        raise InvalidInputError(
            f"path: got {path!r}, which cannot be read: {message_of(error)}. "
            "It must be a text file in UTF-8."
        ) from error
    if len(text) < n_characters:
        raise InvalidInputError(
            f"path: {path} has {len(text)} characters, and {n_characters} are needed. Give a "
            "longer text, or lower n_train, n_valid or n_steps."
        )
    return text
