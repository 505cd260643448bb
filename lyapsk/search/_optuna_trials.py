"""What the trials of a study say of the final values of others."""

from dataclasses import replace

import numpy as np
from optuna.study import StudyDirection
from optuna.trial import TrialState

from .._checks import refusal
from ..callbacks._epochs import DOUBLING, is_chosen
from ._forecast import Forecaster
from ._params import in_numbers
from ._race import standardized

FEATURES = "lyapsk:features:"
"""Attribute of a trial with its features, less the number of epochs done. Rows under one name must
be of one kind: where the default features change, so must this."""

MAX_TRIALS, MAX_SCORES = 150, 300
"""That a forecast rests on at most, so that it stays fast."""

DOUBT = 2.0
"""By which standard deviations are widened: seen by ranks, the best lie closer than they are."""


class Told:
    """What the trials with features have told so far.

    Parameters
    ----------
    study : Study
        Of one direction.
    parameters : bool
        Whether the trials' parameters tell, too.

    Attributes
    ----------
    trials : list of FrozenTrial
        Those with features that have not failed, the oldest first.
    n_completed : int
        How many of them have a final value.
    bar : float
        Best of these as a score: a value, turned so that the greater is the better.
    """

    def __init__(self, study, parameters):
        if len(study.directions) > 1:
            raise refusal("study", study.directions, "of one direction")
        self.parameters = parameters
        self.sign = 1 if study.direction == StudyDirection.MAXIMIZE else -1
        told = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
        trials = study.get_trials(deepcopy=False, states=told)
        self.trials = [trial for trial in trials if features(trial) is not None]
        final = [self.sign * trial.value for trial in self.trials if _completed(trial)]
        self.n_completed, self.bar = len(final), max(final, default=-np.inf)

    def chance(self, trial):
        """Probability that a running trial will beat the best."""
        return self._forecast([trial]).chance(self.bar)[-1]

    def improvement(self, proposals):
        """Expected improvement on the best by trials that have not begun (n_proposals,)."""
        return self._forecast(proposals).improvement(self.bar)[-len(proposals) :]

    def _forecast(self, asked):
        """Forecast of final scores; those of the trials asked for come last."""
        numbers = {trial.number for trial in asked}
        past = [trial for trial in self.trials if trial.number not in numbers]
        trials = [*past[-MAX_TRIALS:], *asked]
        kinds = [np.array([features(trial) for trial in trials])]
        if self.parameters and any(trial.params for trial in trials):
            kinds.append(in_numbers([trial.params for trial in trials]))
        forecaster = Forecaster([np.nan_to_num(standardized(X)) for X in kinds])
        last_epoch = max(trial.last_step or 1 for trial in trials)
        candidates, epochs, scores = self._scores(trials, last_epoch)
        forecast = forecaster(candidates, epochs, scores, last_epoch, _late(trials))
        return replace(forecast, std=DOUBT * forecast.std)

    def _scores(self, trials, last_epoch):
        """Positions, epochs and scores: those that tell most of the last of the trials."""
        now, rows = trials[-1].last_step, []
        for candidate, trial in enumerate(trials):
            values = _values(trial, now, last_epoch)
            for epoch, value in values.items():
                telling = epoch in (now, max(values))
                rows.append((telling, candidate, epoch, self.sign * value))
        rows.sort(reverse=True)
        _, candidates, epochs, scores = zip(*rows[:MAX_SCORES], strict=True)
        return candidates, epochs, finite(scores)


def features(trial, epoch=0):
    """Those of a trial after so many epochs, None if it has none."""
    return trial.user_attrs.get(f"{FEATURES}{epoch}")


def finite(scores):
    """Scores in which NaN counts as the worst, and infinite ones as the worst or best."""
    scores = np.asarray(scores)
    seen = scores[np.isfinite(scores)]
    worst, best = (seen.min(), seen.max()) if len(seen) else (0, 0)
    return np.nan_to_num(scores, nan=worst, posinf=best, neginf=worst)


def _values(trial, now, last_epoch):
    """Values after epochs 1, 2, 4, 8, ..., the present one of another trial, and the latest."""
    steps = {now, trial.last_step}
    values = {
        step: value
        for step, value in trial.intermediate_values.items()
        if step > 0 and (step in steps or is_chosen(step, DOUBLING))
    }
    return {**values, last_epoch: trial.value} if _completed(trial) else values


def _late(trials):
    """The last trial's latest features and those of the others after as many epochs, or None."""
    prefixed = [name for name in trials[-1].user_attrs if name.startswith(FEATURES)]
    epoch = max(int(name.removeprefix(FEATURES)) for name in prefixed)
    if epoch == 0:
        return None
    missing = np.full(len(features(trials[-1])), np.nan)
    rows = [features(trial, epoch) or missing for trial in trials]
    return standardized(np.array(rows))


def _completed(trial):
    return trial.state == TrialState.COMPLETE
