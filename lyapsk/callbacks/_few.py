"""A few sequences of a data set, drawn once, for callbacks that follow the same ones."""

import numpy as np
from skorch.callbacks import Callback
from skorch.dataset import get_len
from torch.utils.data import Subset

from .._checks import check_count
from .._random_state import random_numbers
from ._epochs import check_epochs


class OfFewSequences(Callback):
    """Follows a few sequences now and then.

    Parameters
    ----------
    n_sequences : int
        Sequences to draw.
    epochs : "doubling", int or collection of int
        After epochs 1, 2, 4, 8 and so on; every how many epochs; or after which.
    random_state : int, RandomState or None
        Draws the sequences.

    Attributes
    ----------
    indices_ : ndarray of int
        Sequences that were drawn.
    n_rows_ : int
        Of how many; of as many as before, the same are taken.
    rng_ : RandomState
        Has drawn them.
    """

    def __init__(self, n_sequences, epochs, random_state):
        self.n_sequences = n_sequences
        self.epochs = epochs
        self.random_state = random_state

    def initialize(self):
        """Forget what was seen, and check what was asked for."""
        for name in [name for name in vars(self) if name.endswith("_")]:
            del vars(self)[name]
        check_count("n_sequences", self.n_sequences)
        check_epochs(self.epochs)
        random_numbers(self.random_state)
        return self

    def few(self, dataset):
        """The few sequences, with targets where there are some."""
        n_rows = get_len(dataset)
        if getattr(self, "n_rows_", None) != n_rows:
            self.n_rows_, self.rng_ = n_rows, random_numbers(self.random_state)
            self.indices_ = np.sort(self.rng_.permutation(n_rows)[: self.n_sequences])
        return Subset(dataset, self.indices_)
