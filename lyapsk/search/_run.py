"""The race itself: spectra before it, and training until the budget is spent."""

import warnings

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.utils import gen_batches
from tqdm.auto import tqdm

from ..exceptions import FailedNetworkWarning, NumericalError
from ._candidate import advance, new_net, read
from ._params import N_TRIED

BATCH = 64
"""Untrained networks that are in memory at once."""


class Log:
    """What becomes of the candidates beside their scores.

    Parameters
    ----------
    n_candidates : int
    strict : bool
        Whether a failure ends the search.

    Attributes
    ----------
    seconds : ndarray of shape (n_candidates,)
        Spent on training each.
    failures : dict of int to str
        Causes by candidate.
    epochs : dict of int to (dict, dict)
        Score and time of each epoch, by candidate.
    """

    def __init__(self, n_candidates, strict):
        self.seconds, self.failures, self.strict = np.zeros(n_candidates), {}, strict
        self.epochs = {}

    def fail(self, i, cause):
        """Note why a candidate failed."""
        if self.strict:
            raise NumericalError(f"candidate {i}: {cause}")
        self.failures[i] = cause

    def check_some_left(self):
        """Raise where everything failed."""
        if len(self.failures) == len(self.seconds):
            raise NumericalError(self.summary())

    def check_some_train(self):
        """Raise where the first that were trained all failed alike, and not by diverging."""
        causes = {self.failures.get(i) for i in self.epochs}
        if len(self.epochs) >= N_TRIED and len(causes) == 1:
            (cause,) = causes
            if cause and not cause.startswith(NumericalError.__name__):
                raise NumericalError(
                    f"the first {len(self.epochs)} candidates that were trained all failed, as the "
                    f"others would: {cause.rstrip('.')}. Mend the net, X, y or scoring."
                )

    def tell(self):
        """Warn of what failed."""
        if self.failures:
            message = f"{self.summary()} They count as the worst; see failures_."
            warnings.warn(message, FailedNetworkWarning, stacklevel=5)

    def summary(self):
        """How many failed, and why the first did."""
        i, cause = next(iter(self.failures.items()))
        n_failed, n_candidates = len(self.failures), len(self.seconds)
        return (
            f"{n_failed} of {n_candidates} candidates failed; candidate {i}: {cause.rstrip('.')}."
        )


def untrained_spectra(training, candidates, log, verbose):
    """Features (n_candidates, n_features) before training; NaN where a network failed."""
    rows = []
    with _progress(len(candidates), "taking spectra", "network", verbose) as bar:
        for batch in gen_batches(len(candidates), BATCH):
            nets = [_made(training, candidate) for candidate in candidates[batch]]
            rows.append(_features(training.transformer, nets, batch.start, log))
            bar.update(len(nets))
    return np.concatenate(rows)


def recall(race, candidates, log):
    """Enter what was kept of an earlier run."""
    for i, candidate in enumerate(candidates):
        progress = read(candidate)
        if progress is not None:
            _enter(race, i, progress, log)


def train(race, training, candidates, log, n_jobs, verbose):
    """Train until the budget is spent, or nothing is left to train."""
    n_at_once = effective_n_jobs(n_jobs)
    with (
        Parallel(n_jobs=n_jobs, mmap_mode="c") as parallel,
        _progress(race.budget, "searching", "epoch", verbose) as bar,
    ):
        bar.update(int(race.epochs.sum()))
        while todo := race.choose(n_at_once):
            jobs = [delayed(advance)(training, candidates[i], epoch) for i, epoch in todo]
            for (i, _), progress in zip(todo, parallel(jobs), strict=True):
                _enter(race, i, progress, log)
            log.check_some_train()
            bar.update(int(race.epochs.sum()) - bar.n)
            if race.finished.any():
                bar.set_postfix(best=f"{np.nanmax(race.final_scores()):.4g}")


def _enter(race, i, progress, log):
    """Let the race know of a candidate's scores so far."""
    for epoch in sorted({*race.rungs, progress.epoch} & set(progress.scores)):
        ended = progress.ended and epoch == progress.epoch
        race.record(i, epoch, progress.scores[epoch], late=progress.late, ended=ended)
    log.seconds[i] = progress.seconds
    log.epochs[i] = progress.scores, progress.times
    if progress.error:
        log.fail(i, progress.error)


def _made(training, candidate):
    """The candidate's net, or the error that came instead."""
    try:
        return new_net(training, candidate)
    except Exception as error:
        return error


def _features(transformer, nets, first, log):
    """Rows of features of nets, or errors in their place, of which the first has that number."""
    rows = np.full((len(nets), len(transformer.get_feature_names_out())), np.nan)
    made = [i for i, net in enumerate(nets) if not isinstance(net, Exception)]
    failures = [(i, net) for i, net in enumerate(nets) if isinstance(net, Exception)]
    if made:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FailedNetworkWarning)
            rows[made] = transformer.transform([nets[i] for i in made])
        failures += [(made[i], error) for i, error in transformer.failures_]
    for i, error in sorted(failures, key=lambda failure: failure[0]):
        log.fail(first + i, f"{type(error).__name__}: {error}")
    return rows


def _progress(total, what, unit, verbose):
    return tqdm(total=total, desc=what, unit=unit, disable=not verbose)
