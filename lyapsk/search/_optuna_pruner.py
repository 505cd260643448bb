"""Prune the trials of an Optuna study that a forecast gives no chance."""

from numbers import Real

from optuna.pruners import BasePruner

from .._checks import check_count, refusal
from ..callbacks._epochs import DOUBLING, check_epochs, is_chosen
from ._optuna_trials import Told, features


class LyapunovPruner(BasePruner):
    """Prune a trial whose final value will, in all likelihood, not beat the best.

    Before the first epoch and after each chosen one, the final value of a trial is forecast from
    the spectra that :class:`OptunaSpectra` has kept of it and of the other trials, from their
    parameters, and from the values that all have reported. Where the probability of beating the
    best final value of the study is below ``1 - probability``, the trial is pruned.

    Parameters
    ----------
    probability : float, default=0.95
        Between 0.5 and 1; the nearer to 1, the fewer trials are pruned by mistake.
    n_startup_trials : int, default=5
        Nothing is pruned before so many trials with spectra have completed.
    epochs : "doubling", int or collection of int, default="doubling"
        When trials are judged: after epochs 1, 2, 4, 8 and so on; every how many epochs; or
        after which, counted from 1.
    parameters : bool, default=True
        Whether the forecast rests on the trials' parameters, too.

    See Also
    --------
    OptunaSpectra : Keeps the spectra, and asks this pruner.
    LyapunovSampler : Proposes by the same forecast.
    lyapsk.callbacks.PredictedScoreStopping : Stops by a predictor that was fitted before.

    Notes
    -----
    Trials without spectra, as a study from before may have, and trials that failed are left out;
    a value of NaN counts as the worst. Values may be of any scale, as only their ranks count, but
    those reported must be of the same kind as the final one, which is taken for that at the latest
    epoch that any trial has reached.

    A forecast rests on the latest 150 trials and on at most 300 of their values: the latest of
    each, that after as many epochs as the trial in question, and then those after epochs 1, 2, 4,
    8 and so on of the newest. So it takes a fraction of a second, however many there are. Its
    probabilities are those of deviations twice as wide as the Gaussian process has them.

    Examples
    --------
    >>> import optuna
    >>> from lyapsk.search import LyapunovPruner
    >>> study = optuna.create_study(pruner=LyapunovPruner())

    The objective gives :class:`OptunaSpectra` to its network:
    ``net.set_params(callbacks=[("lyapsk", OptunaSpectra(trial, sequences))])``.
    """

    def __init__(self, *, probability=0.95, n_startup_trials=5, epochs=DOUBLING, parameters=True):
        if not (isinstance(probability, Real) and 0.5 <= probability <= 1):
            raise refusal("probability", probability, "between 0.5 and 1")
        check_epochs(epochs)
        self.probability = probability
        self.n_startup_trials = check_count("n_startup_trials", n_startup_trials)
        self.epochs = epochs
        self.parameters = parameters

    def prune(self, study, trial):
        """Judge a trial; Optuna calls this for ``trial.should_prune()``.

        Parameters
        ----------
        study : Study
        trial : FrozenTrial

        Returns
        -------
        bool
        """
        epoch = trial.last_step
        if features(trial) is None or not (epoch is None or is_chosen(epoch, self.epochs)):
            return False
        told = Told(study, self.parameters)
        if told.n_completed < self.n_startup_trials:
            return False
        return bool(told.chance(trial) < 1 - self.probability)
