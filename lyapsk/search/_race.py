"""Which candidate to train next, and for how long."""

import numpy as np
from sklearn.cluster import kmeans_plusplus
from sklearn.preprocessing import StandardScaler

from ._forecast import Forecaster

CLIP = 5
"""Standardised features are cut off at so many standard deviations."""


class Race:
    """Candidates that are trained from rung to rung, whoever promises most first.

    First a few candidates whose features are far apart reach the first rung. Then always the one
    with the largest expected improvement on the best finished score is trained to its next rung,
    be it new or one that was left waiting. The same scores lead to the same choices.

    Parameters
    ----------
    features : list of ndarray of shape (n_candidates, n_features)
        One kind or two; rows of NaN count as average.
    rungs : sequence of int
        Epochs after which training pauses; the last is the end.
    n_first : int
        Candidates in the first set.
    budget : int
        Epochs in all, enough for the first set and to finish one of it.
    random_state : RandomState
        Draws the first set.

    Attributes
    ----------
    epochs : ndarray of int of shape (n_candidates,)
        That each was trained.
    open : ndarray of bool of shape (n_candidates,)
        Whether each may still be trained.
    finished : ndarray of bool of shape (n_candidates,)
        Whether each has its final score.
    """

    def __init__(self, features, rungs, n_first, budget, random_state):
        features = [np.nan_to_num(standardized(X)) for X in features]
        n_candidates = len(features[0])
        self.rungs, self.budget = np.asarray(rungs), budget
        self.forecaster = Forecaster(features)
        self.first = spread_out(features, n_first, random_state)
        self.epochs = np.zeros(n_candidates, dtype=int)
        self.open = np.full(n_candidates, True)
        self.finished = np.full(n_candidates, False)
        self.scores, self.late = {}, {}

    def exclude(self, candidate):
        """Take a candidate out of the race that cannot be trained at all."""
        self.open[candidate] = False

    def record(self, candidate, epoch, score, *, late=None, ended=False):
        """Enter a score after some epochs.

        Parameters
        ----------
        candidate, epoch : int
        score : float
            Greater is better. NaN counts as the worst, and ends the candidate's training.
        late : ndarray of shape (n_features,), optional
            Features after these epochs.
        ended : bool, default=False
            Whether training ended before the last rung.
        """
        failed = np.isnan(score)
        ended = ended or failed or epoch >= self.rungs[-1]
        self.epochs[candidate] = epoch
        self.open[candidate] = not ended
        self.finished[candidate] = ended and not failed
        self.scores[candidate, self.rungs[-1] if ended else epoch] = score
        if late is not None:
            self.late[candidate] = late

    def final_scores(self):
        """Final score of each candidate, NaN for those without."""
        final = np.full(len(self.open), np.nan)
        done = np.flatnonzero(self.finished)
        final[done] = [self.scores[i, self.rungs[-1]] for i in done]
        return final

    def last_scores(self):
        """Score of each candidate after its last epoch, NaN for those without."""
        last = np.full(len(self.open), np.nan)
        for (candidate, _), score in sorted(self.scores.items()):
            last[candidate] = score
        return last

    def forecast(self):
        """What the scores so far say of the final ones.

        Returns
        -------
        forecast : Forecast
            Of all candidates.
        """
        # In one order, so that rounding does not depend on which came first.
        keys = sorted(self.scores)
        candidates, epochs = np.transpose(keys)
        scores = np.array([self.scores[key] for key in keys], dtype=float)
        worst = np.nanmin(scores, initial=np.inf)
        scores = np.where(np.isnan(scores), worst if np.isfinite(worst) else 0, scores)
        return self.forecaster(candidates, epochs, scores, self.rungs[-1], self._late_features())

    def choose(self, n_at_once=1):
        """The next candidates, and the rung that each is to reach.

        Returns
        -------
        list of (int, int)
            Empty when the budget is spent.
        """
        spent, todo = self.epochs.sum(), []
        next_rungs = self.rungs[np.searchsorted(self.rungs[:-1], self.epochs, side="right")]
        # Until one has finished, none is trained that could not be finished.
        needed = (next_rungs if self.finished.any() else self.rungs[-1]) - self.epochs
        for i in self.first:
            waits = self.open[i] and not self.epochs[i]
            if waits and len(todo) < n_at_once and spent + needed[i] <= self.budget:
                todo.append((i, int(next_rungs[i])))
                spent += next_rungs[i]
        if todo:
            return todo
        promise = self._promise()
        while len(todo) < n_at_once:
            possible = self.open & (spent + needed <= self.budget)
            if not possible.any():
                break
            i = int(np.argmax(np.where(possible, promise, -np.inf)))
            todo.append((i, int(next_rungs[i])))
            spent += next_rungs[i] - self.epochs[i]
            # Those that are trained at once had better be different.
            promise = promise * -np.expm1(-self.forecaster.distances[0][i])
            needed[i] = self.budget + 1
        return todo

    def _promise(self):
        """Expected improvement on the best so far, (n_candidates,)."""
        if not self.scores:
            return np.ones(len(self.open))
        forecast = self.forecast()
        final = self.final_scores()
        best = np.nanmax(final) if self.finished.any() else forecast.scores()[self.epochs > 0].max()
        return forecast.improvement(best)

    def _late_features(self):
        if not self.late:
            return None
        width = len(next(iter(self.late.values())))
        rows = np.full((len(self.open), width), np.nan)
        rows[list(self.late)] = list(self.late.values())
        return standardized(rows)


def standardized(X):
    """Columns with mean 0 and variance 1, cut off; NaN stays."""
    return np.clip(StandardScaler().fit_transform(X), -CLIP, CLIP)


def spread_out(features, n, random_state):
    """So many candidates whose features are far apart."""
    together = np.hstack([X / np.sqrt(X.shape[1]) for X in features])
    _, apart = kmeans_plusplus(together, n, random_state=random_state)
    return [int(i) for i in dict.fromkeys([*apart, *random_state.permutation(len(together))])][:n]
