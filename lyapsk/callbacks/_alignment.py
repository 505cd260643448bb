"""Watch gradient and growth line up as a network trains."""

import time
import warnings
from collections.abc import Collection
from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state
from skorch.callbacks import Callback
from skorch.dataset import get_len
from torch.utils.data import Subset

from ..exceptions import InvalidInputError, LyapskError, LyapskWarning
from ..scorers import GradientAlignmentScorer, InputSensitivityScorer, frame_gradient


class AlignmentMonitor(Callback):
    """Record alignment, gradient share and input sensitivity in the history of a net.

    After each chosen epoch, and once before the first, the same few sequences are read, and five
    numbers recorded: ``alignment_state`` and ``alignment_adjoint``, the scores of
    :class:`~lyapsk.GradientAlignmentScorer` on both sides; ``gradient_share``, what the leading
    directions carry of the recurrent weights' gradient; ``input_sensitivity``, the score of
    :class:`~lyapsk.InputSensitivityScorer`; and ``alignment_dur``, the seconds that this took.
    Epochs that are not chosen hold NaN. Net and generators are left as they were, so that
    training goes on as it would have.

    Parameters
    ----------
    n_sequences : int, default=32
        Sequences that are read, drawn once from the validation data, or from the training data
        where there are no others.
    epochs : int or collection of int, default=1
        Every how many epochs, or after which, counted from 1.
    n_directions : int, default=5
        Leading directions of the frame.
    n_singular : int, default=2
        Leading singular vectors of the gradient.
    n_draws : int, default=0
        Perturbations of each input; 0 takes the exact changes to first order. These go back
        through the net once for each number of its answer: with answers at every step, 1 draw is
        cheaper.
    layer : str, optional
        Name of the recurrent layer, where the module has several.
    random_state : int, RandomState or None, default=0
        Draws the sequences.

    Attributes
    ----------
    before_ : dict of str to float
        The numbers before the first epoch of the first ``fit``, under the same names.
    indices_ : ndarray of int
        Sequences that are read.

    Notes
    -----
    The cost is that of a few training steps on ``n_sequences`` sequences, whatever the size of
    the data; ``alignment_dur`` tells. An epoch after which the network cannot be read, because its
    training diverged, holds NaN and is warned of.

    Examples
    --------
    >>> from lyapsk.callbacks import AlignmentMonitor
    >>> from lyapsk.tasks import digits_by_rows
    >>> task = digits_by_rows()
    >>> monitor = AlignmentMonitor(n_sequences=8, epochs=2)
    >>> net = task.net("GRU", hidden_size=16, max_epochs=2, callbacks=[monitor])
    >>> net = net.fit(task.X_train, task.y_train)
    >>> sorted(monitor.before_) == sorted(monitor.names)
    True
    >>> [bool(score > -1) for score in net.history[:, "alignment_state"]]
    [False, True]
    """

    names = (
        "alignment_state",
        "alignment_adjoint",
        "gradient_share",
        "input_sensitivity",
        "alignment_dur",
    )

    def __init__(
        self,
        *,
        n_sequences=32,
        epochs=1,
        n_directions=5,
        n_singular=2,
        n_draws=0,
        layer=None,
        random_state=0,
    ):
        self.n_sequences = n_sequences
        self.epochs = epochs
        self.n_directions = n_directions
        self.n_singular = n_singular
        self.n_draws = n_draws
        self.layer = layer
        self.random_state = random_state

    def initialize(self):
        """Forget what was seen."""
        for name in ("before_", "indices_"):
            vars(self).pop(name, None)
        self._check()
        return self

    def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        """Read once before the first epoch."""
        if not hasattr(self, "before_"):
            self.before_ = self._measured(net, dataset_train, dataset_valid)

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        """Read after a chosen epoch."""
        measured = {}
        if self._is_chosen(len(net.history)):
            try:
                measured = self._measured(net, dataset_train, dataset_valid)
            except LyapskError as error:
                warnings.warn(
                    f"AlignmentMonitor: epoch {len(net.history)} could not be read: {error}",
                    LyapskWarning,
                    stacklevel=2,
                )
        for name in self.names:
            net.history.record(name, measured.get(name, np.nan))

    def _is_chosen(self, epoch):
        if isinstance(self.epochs, Collection):
            return epoch in self.epochs
        return epoch % self.epochs == 0

    def _measured(self, net, dataset_train, dataset_valid):
        start = time.perf_counter()
        dataset = dataset_train if dataset_valid is None else dataset_valid
        if not hasattr(self, "indices_"):
            rng = check_random_state(self.random_state)
            self.indices_ = np.sort(rng.permutation(get_len(dataset))[: self.n_sequences])
        few = Subset(dataset, self.indices_)
        options = {"n_directions": self.n_directions, "layer": self.layer}
        state, adjoint = (
            GradientAlignmentScorer(side=side, n_singular=self.n_singular, **options)
            for side in ("state", "adjoint")
        )
        sensitivity = InputSensitivityScorer(n_draws=self.n_draws, layer=self.layer)
        values = (
            state(net, few),
            adjoint(net, few),
            float(frame_gradient(net, few, **options).share[-1]),
            sensitivity(net, few),
            time.perf_counter() - start,
        )
        return dict(zip(self.names, values, strict=True))

    def _check(self):
        for name, value in (("n_sequences", self.n_sequences), ("epochs", self.epochs)):
            several = name == "epochs" and isinstance(value, Collection)
            counts = value if several and not isinstance(value, str) else [value]
            for count in counts:
                if isinstance(count, bool) or not isinstance(count, Integral) or count < 1:
                    raise InvalidInputError(
                        f"{name}: got {value!r}. It must be a whole number of at least 1"
                        f"{', or a collection of them' if name == 'epochs' else ''}."
                    )
