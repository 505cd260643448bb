"""One candidate: made, trained for a while, kept, trained on."""

import pickle
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sklearn.base import clone
from skorch.callbacks import Callback, EarlyStopping, EpochScoring, LRScheduler
from skorch.helper import predefined_split
from skorch.utils import data_from_dataset, is_skorch_dataset

from .._files import write_atomically
from .._random import seeded
from ..exceptions import FailedNetworkWarning, LyapskWarning, NumericalError

SCORE = "lyapsk_score"
"""What the history of a candidate's net calls the score, where it is not the loss."""


@dataclass(frozen=True)
class Candidate:
    """What a network is made from, and where it is kept."""

    params: dict
    seed: int
    path: Path


@dataclass(frozen=True)
class Training:
    """What all candidates share.

    Attributes
    ----------
    net : NeuralNet
        Not initialised.
    datasets : (Dataset, Dataset)
        For training and validation.
    scoring : str, callable or None
        As for :class:`LyapunovSearchCV`.
    transformer : LyapunovSpectrumTransformer or None
        Fitted, or None where spectra do not matter; its rows of NaN stand for networks that
        cannot be read.
    rungs : tuple of int
        After the first the spectrum is read again; the last is the end.
    """

    net: object
    datasets: tuple
    scoring: object
    transformer: object
    rungs: tuple


@dataclass
class Progress:
    """How far a candidate is.

    Attributes
    ----------
    net : NeuralNet
        Without its `train_split`, which may hold data; None where the training failed, or not
        begun.
    scores : dict of int to float
        By epoch; the last is NaN where the training failed.
    times : dict of int to float
        When each epoch ended, in seconds since 1970: what tells in which order epochs of several
        candidates, processes and runs were spent.
    late : ndarray of shape (n_features,) or None
        Features after the first rung, if the network could be read.
    seconds : float
        Spent on training.
    ended : bool
        Whether a callback ended the training.
    error : str
        Why the training failed, if it did.
    best_weights : list of dict
        Weights that callbacks may go back to, which they do not pickle themselves.
    """

    net: object = None
    scores: dict = field(default_factory=dict)
    times: dict = field(default_factory=dict)
    late: np.ndarray | None = None
    seconds: float = 0.0
    ended: bool = False
    error: str = ""
    best_weights: list = field(default_factory=list)

    @property
    def epoch(self):
        """Epochs done."""
        return max(self.scores, default=0)

    def enter(self, epoch, score):
        """Note the score after an epoch that has just ended."""
        # No earlier than the epoch before, should the clock have been set back.
        self.times[epoch] = max([time.time(), *self.times.values()])
        self.scores[epoch] = score


def new_net(training, candidate):
    """The candidate's net, initialised from its seed."""
    net = clone(training.net).set_params(**candidate.params)
    callbacks = list(net.callbacks or [])
    if training.scoring is not None:
        # Before any callback that may end the training.
        scoring = EpochScoring(training.scoring, name=SCORE, lower_is_better=False)
        callbacks.insert(0, (SCORE, scoring))
    net.set_params(callbacks=callbacks, train_split=None, verbose=0)
    with seeded(candidate.seed, net.device or "cpu"):
        return net.initialize()


def advance(training, candidate, epoch):
    """Train a candidate up to an epoch, and keep it.

    Returns
    -------
    progress : Progress
        Without its net, which is in the candidate's file.
    """
    progress = read(candidate) or Progress()
    start = time.perf_counter()
    try:
        progress.net = progress.net or new_net(training, candidate)
        _train(training, candidate, progress, epoch)
    except Exception as error:
        progress.net, progress.error = None, f"{type(error).__name__}: {error}"
        progress.enter(progress.epoch + 1, np.nan)
    progress.seconds += time.perf_counter() - start
    write_atomically(candidate.path, pickle.dumps(progress))
    progress.net = None
    return progress


def read(candidate):
    """The progress that was kept; None where there is none, or, with a warning, a damaged one."""
    if not candidate.path.exists():
        return None
    try:
        progress = pickle.loads(candidate.path.read_bytes())
        if not isinstance(progress, Progress):
            raise TypeError(f"it holds a {type(progress).__name__}")
        return progress
    except Exception as error:
        warnings.warn(
            f"{candidate.path} is damaged ({error}): its network is trained again.",
            LyapskWarning,
            stacklevel=2,
        )
        return None


def _train(training, candidate, progress, epoch):
    """Train to an epoch, or to where a callback ends it; raises what went wrong."""
    net, (dataset_train, dataset_valid) = progress.net, training.datasets
    net.train_split = predefined_split(dataset_valid)
    _link_schedules(net)
    for callback, weights in zip(_going_back(net), progress.best_weights, strict=False):
        callback.best_model_weights_ = weights
    # A seed for each part: it does not matter how often the training was interrupted.
    with seeded(candidate.seed + 1 + progress.epoch, net.device or "cpu"):
        if not progress.epoch:
            net.notify("on_train_begin", **_plain(dataset_train))
        while progress.epoch < epoch and not progress.ended:
            try:
                net.fit_loop(dataset_train, None, epochs=1)
            except KeyboardInterrupt as interrupt:
                progress.ended = _is_from_callback(interrupt)
                if not progress.ended:
                    raise
            n_done = len(net.history)
            progress.enter(n_done, _score(net, training.scoring, n_done))
        if progress.ended or epoch == training.rungs[-1]:
            net.notify("on_train_end", **_plain(dataset_train))
            progress.scores[progress.epoch] = _score(net, training.scoring, _kept_epoch(net))
    net.train_split = None
    progress.best_weights = [callback.best_model_weights_ for callback in _going_back(net)]
    if training.transformer is not None and epoch == training.rungs[0]:
        progress.late = _features(training.transformer, net)


def _link_schedules(net):
    """Let learning-rate schedules act on the net's optimizer, not on a copy pickled with them."""
    for _, callback in net.callbacks_:
        if isinstance(callback, LRScheduler) and callback.lr_scheduler_ is not None:
            callback.lr_scheduler_.optimizer = net.optimizer_


def _plain(dataset):
    """X and y as callbacks know them from a fit to arrays; other datasets as they are."""
    X, y = data_from_dataset(dataset) if is_skorch_dataset(dataset) else (dataset, None)
    return {"X": X, "y": y}


def _kept_epoch(net):
    """The epoch whose weights the net has at the end."""
    best = [callback.best_epoch_ for callback in _going_back(net)]
    return best[-1] if best else len(net.history)


def _going_back(net):
    """Callbacks that go back to the weights of the best epoch at the end."""
    callbacks = [callback for _, callback in net.callbacks_]
    return [c for c in callbacks if isinstance(c, EarlyStopping) and c.load_best]


def _score(net, scoring, epoch):
    if not net.history:
        raise NumericalError("a callback ended the training before the first epoch")
    row = net.history[epoch - 1]
    score = -row["valid_loss"] if scoring is None else row[SCORE]
    if not np.isfinite(score):
        raise NumericalError(f"the score is {score} after {epoch} epochs")
    return float(score)


def _features(transformer, net):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FailedNetworkWarning)
        row = transformer.transform([net])[0]
    return row if np.isfinite(row).all() else None


def _is_from_callback(interrupt):
    """Whether a callback ended the training, as skorch's EarlyStopping does, and not the user."""
    trace = interrupt.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    return isinstance(trace.tb_frame.f_locals.get("self"), Callback)
