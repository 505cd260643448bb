"""Search among many networks, with the epochs of a few."""

import warnings
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, _fit_context, clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import check_scoring
from sklearn.utils import check_random_state, get_tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from skorch.scoring import loss_scoring

from .._checks import refusal
from ..exceptions import InvalidInputError, LyapskWarning, NumericalError
from ..transformers import LyapunovSpectrumTransformer
from ._candidate import Candidate, Training, read
from ._checks import check_budget, check_known_to_workers, check_net, check_picklable
from ._params import check_names, check_readable, draw, in_numbers
from ._race import Race
from ._results import course, results_table
from ._run import Log, recall, train, untrained_spectra
from ._store import described, fingerprint, search_directory

FEATURES = ("spectrum", "params")

LARGEST_SEED = 2**31 - 2**16
"""A candidate's seed has room for one more for each part of its training."""


def _best_has(name):
    """Whether the best net, or before `fit` the net itself, has a method."""

    def check(search):
        return hasattr(getattr(search, "best_estimator_", search.net), name)

    return available_if(check)


class LyapunovSearchCV(MetaEstimatorMixin, BaseEstimator):
    """Search among many networks by their spectra, with the epochs that a few would take.

    Candidates are drawn as in scikit-learn's RandomizedSearchCV, and initialised. Their Lyapunov
    spectra, before any training, say which of them are alike. A few that differ most are trained
    for a short while. From then on a Gaussian process over spectra, parameters and learning
    curves [1]_ forecasts every candidate's final score, and the one with the largest expected
    improvement is trained on, be it new or paused, until the budget of epochs is spent. The
    hopeless are never taken up again.

    A candidate is a network with its initial weights, so that what was found is what is returned:
    ``best_estimator_`` is the best network as the search trained it. Scores are those on the
    net's own validation data, one split.

    Parameters
    ----------
    net : NeuralNet
        A skorch net with a recurrent layer, `max_epochs` for the longest training, and a
        `train_split`.
    param_distributions : dict or list of dict
        Parameters of the net and their distributions or lists of values, as for
        RandomizedSearchCV. With fewer combinations than candidates, each is initialised several
        times; ``{}`` searches among initial weights alone.
    sequences : array-like or whatever the net's forward takes
        The sequences that drive the networks for their spectra; two are often enough.
    n_candidates : int
        How many networks are drawn.
    n_epochs_budget : int
        Epochs of training in all, enough for the first set and to finish one network of it.
    n_first : int, default=10
        Networks in the first set.
    factor : int, default=3
        Training pauses where `max_epochs` divided by powers of it is reached: with 12 epochs after
        1 and 4.
    features : sequence of {"spectrum", "params"}, default=("spectrum", "params")
        What tells candidates apart. The spectrum is read again after the first pause.
    scoring : str, callable or None, default=None
        As in scikit-learn; None is minus the validation loss.
    layer : str, optional
        Name of the recurrent layer, where the module has several.
    refit : bool, default=True
        Whether to keep the best network, trained as it is. Nothing is trained again.
    directory : str or Path, optional
        Where networks are kept as they are trained, so that a search that was stopped can go on,
        or spend a larger budget. By default a temporary one.
    resume : bool, default=False
        Whether `directory` may hold this search already, drawn from the same int as
        `random_state`. This unpickles its networks: trust its files.
    error_score : "raise" or float, default=nan
        Score in ``cv_results_`` of networks that fail: they count as the worst, and the others go
        on.
    n_jobs : int, optional
        Processes, as in joblib. As many candidates are chosen at once, so that the choices depend
        on their number.
    random_state : int, RandomState or None, default=None
        Draws candidates, their initial weights, and the first set.
    verbose : int, default=0
        Above 0, progress is shown.

    Attributes
    ----------
    best_estimator_ : NeuralNet
        The finished network with the best score; only where `refit`.
    best_params_ : dict
    best_score_ : float
    best_index_ : int
    cv_results_ : dict of ndarray
        ``params``, ``param_<name>``, ``mean_test_score`` (and ``split0_test_score``,
        ``std_test_score``) after the ``n_epochs`` that each was trained, NaN for none;
        ``predicted_score``, the forecast of its final score; ``status``, "finished", "paused",
        "untrained" or "failed"; ``rank_test_score``, finished ones first; and ``mean_fit_time``
        in seconds.
    n_epochs_ : int
        Epochs that were spent.
    course_ : dict of ndarray of shape (n_epochs,)
        One entry for each epoch that was spent, in the order in which they ended, in several
        processes and earlier runs too: ``candidate``; ``epoch``, of that candidate; ``score``, NaN
        where its training failed; and ``best_score``, the best final score so far, NaN until a
        candidate has finished.
    features_ : ndarray of shape (n_candidates, n_features)
        Of the spectra before training; NaN where a network failed. Only with "spectrum" among
        `features`.
    failures_ : list of (int, str)
        Candidate and cause.
    n_splits_ : int
        1.

    See Also
    --------
    sklearn.model_selection.HalvingRandomSearchCV : Stops candidates by their rank alone.
    lyapsk.callbacks.PredictedScoreStopping : Stops a single network.
    lyapsk.plotting.SearchDisplay : Draws the best score against the epochs spent.

    Notes
    -----
    In searches replayed on six tasks (``python benchmarks/search.py``) a network among the best
    5 % was found with 0.78 times the epochs of the best of random search, halving and Optuna's TPE
    with pruners, on average; random search took 1.7 to 5 times as many. Spectra tell most where
    initial weights decide, as in copying over a delay. Where the learning rate varies, of which
    they know nothing before training, ``features=["params"]`` did as well.

    References
    ----------
    .. [1] K. Swersky, J. Snoek and R. P. Adams, "Freeze-Thaw Bayesian Optimization", arXiv
       1406.3896.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from lyapsk.search import LyapunovSearchCV
    >>> from lyapsk.tasks import digits_by_rows
    >>> task = digits_by_rows()
    >>> search = LyapunovSearchCV(
    ...     task.net("GRU", max_epochs=3),
    ...     {"module__hidden_size": [8, 16, 24], "module__half_width": loguniform(0.03, 2)},
    ...     task.X_valid[:2],
    ...     n_candidates=12,
    ...     n_epochs_budget=12,
    ...     n_first=4,
    ...     random_state=0,
    ... ).fit(task.X_train, task.y_train)
    >>> sorted(search.best_params_)
    ['module__half_width', 'module__hidden_size']
    >>> len(search.best_estimator_.history), search.n_epochs_
    (3, 12)
    """

    _parameter_constraints: ClassVar[dict] = {
        "param_distributions": [dict, list],
        "n_candidates": [Interval(Integral, 2, None, closed="left")],
        "n_epochs_budget": [Interval(Integral, 1, None, closed="left")],
        "n_first": [Interval(Integral, 1, None, closed="left")],
        "factor": [Interval(Integral, 2, None, closed="left")],
        "features": ["array-like"],
        "scoring": [str, callable, None],
        "layer": [str, None],
        "refit": ["boolean"],
        "resume": ["boolean"],
        "error_score": [StrOptions({"raise"}), Real],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        net,
        param_distributions,
        sequences,
        n_candidates,
        n_epochs_budget,
        *,
        n_first=10,
        factor=3,
        features=FEATURES,
        scoring=None,
        layer=None,
        refit=True,
        directory=None,
        resume=False,
        error_score=np.nan,
        n_jobs=None,
        random_state=None,
        verbose=0,
    ):
        self.net = net
        self.param_distributions = param_distributions
        self.sequences = sequences
        self.n_candidates = n_candidates
        self.n_epochs_budget = n_epochs_budget
        self.n_first = n_first
        self.factor = factor
        self.features = features
        self.scoring = scoring
        self.layer = layer
        self.refit = refit
        self.directory = directory
        self.resume = resume
        self.error_score = error_score
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Search.

        Parameters
        ----------
        X, y
            As for the net's own `fit`, which splits them into training and validation data.

        Returns
        -------
        self : LyapunovSearchCV
            Also where the user interrupts it: with what was trained until then.

        Raises
        ------
        InvalidInputError, InvalidTypeError
            Before any training, naming the argument that is not allowed.
        NumericalError
            If a network fails and `error_score` is "raise", or all of them do.
        """
        self._check()
        vars(self).pop("best_estimator_", None)
        rng = check_random_state(self.random_state)
        settings = draw(self.param_distributions, self.n_candidates, rng)
        # One of each set of names.
        for params in {frozenset(params): params for params in settings}.values():
            check_names(self.net, params)
        seeds = [int(seed) for seed in rng.randint(LARGEST_SEED, size=len(settings))]
        training = self._training(X, y, settings)
        description = described(
            self.net,
            settings,
            seeds,
            training.datasets,
            rungs=training.rungs,
            scoring=self.scoring,
            sequences=fingerprint(self.sequences),
            layer=self.layer,
            features=self.features,
        )
        with search_directory(self.directory, self.resume, description) as directory:
            candidates = [
                Candidate(params, seed, directory / f"candidate-{i:05d}.pickle")
                for i, (params, seed) in enumerate(zip(settings, seeds, strict=True))
            ]
            self._search(training, candidates, rng)
            if self.refit:
                self.best_estimator_ = self._best(candidates[self.best_index_])
        return self

    def score(self, X, y=None):
        """Score of the best network: by `scoring`, or minus its loss.

        Parameters
        ----------
        X, y
            As for the net.

        Returns
        -------
        score : float
        """
        self._check_refitted()
        if self.scoring is None:
            return -float(loss_scoring(self.best_estimator_, X, y))
        return check_scoring(self.best_estimator_, scoring=self.scoring)(self.best_estimator_, X, y)

    @_best_has("predict")
    def predict(self, X):
        """What the best network predicts."""
        self._check_refitted()
        return self.best_estimator_.predict(X)

    @_best_has("predict_proba")
    def predict_proba(self, X):
        """Probabilities, or plain outputs, of the best network."""
        self._check_refitted()
        return self.best_estimator_.predict_proba(X)

    @property
    def classes_(self):
        """Classes that the best network tells apart."""
        self._check_refitted()
        return self.best_estimator_.classes_

    def _check_refitted(self):
        if hasattr(self, "best_params_") and not hasattr(self, "best_estimator_"):
            raise NotFittedError(
                "refit: got False, so that this fitted search keeps no network to predict "
                "with. Train one with its best_params_, or search with refit=True."
            )
        check_is_fitted(self, "best_estimator_")

    def _check(self):
        check_net(self.net, self.param_distributions)
        if not len(self.features) or not all(own in FEATURES for own in self.features):
            raise refusal("features", self.features, "'spectrum', 'params' or both, in a sequence")
        if self.n_first > self.n_candidates:
            raise refusal("n_first", self.n_first, f"at most n_candidates={self.n_candidates}")
        if self.scoring is not None:
            check_scoring(self.net, scoring=self.scoring)
        check_budget(self.n_epochs_budget, self.n_first, self._rungs())
        for name in ("net", "param_distributions", "scoring"):
            check_picklable(name, getattr(self, name))
        check_known_to_workers(self.net, self.n_jobs)

    def _rungs(self):
        """Epochs after which training pauses."""
        rungs = [self.net.max_epochs]
        while rungs[0] > 1:
            rungs.insert(0, max(1, rungs[0] // self.factor))
        return tuple(rungs)

    def _training(self, X, y, settings):
        transformer = None
        if "spectrum" in self.features:
            transformer = LyapunovSpectrumTransformer(self.sequences, layer=self.layer)
            check_readable(self.net, settings, transformer)
            transformer.set_params(error_score=np.nan)
        net = clone(self.net)
        net.check_data(X, y)
        datasets = net.get_split_datasets(X, y)
        return Training(self.net, datasets, self.scoring, transformer, self._rungs())

    # The race and after

    def _search(self, training, candidates, rng):
        log = Log(len(candidates), strict=self.error_score == "raise")
        features = self._features(training, candidates, log)
        log.check_some_left()
        race = Race(features, training.rungs, self.n_first, self.n_epochs_budget, rng)
        for i in log.failures:
            race.exclude(i)
        recall(race, candidates, log)
        try:
            train(race, training, candidates, log, self.n_jobs, self.verbose)
        except KeyboardInterrupt:
            if not race.finished.any():
                raise
            warnings.warn(
                f"LyapunovSearchCV: interrupted after {race.epochs.sum()} of "
                f"{self.n_epochs_budget} epochs: the results are those so far.",
                LyapskWarning,
                stacklevel=4,
            )
        log.check_some_left()
        log.tell()
        self._report(race, [candidate.params for candidate in candidates], log)

    def _features(self, training, candidates, log):
        """The kinds of features that tell candidates apart."""
        kinds, settings = [], [candidate.params for candidate in candidates]
        if "spectrum" in self.features:
            self.features_ = untrained_spectra(training, candidates, log, self.verbose)
            kinds.append(self.features_)
        if "params" in self.features and any(settings):
            kinds.append(in_numbers(settings))
        if not kinds:
            raise InvalidInputError(
                "features: got only 'params', but param_distributions names none, so that nothing "
                "tells candidates apart. Add 'spectrum'."
            )
        return kinds

    def _report(self, race, settings, log):
        if not race.finished.any():
            remedy = "Raise n_epochs_budget."
            if log.failures:
                remedy = f"{log.summary()} Mend that, or raise n_epochs_budget where others go on."
            raise NumericalError(
                f"no candidate reached max_epochs={race.rungs[-1]} within {race.budget} epochs. "
                f"{remedy}"
            )
        self.failures_ = sorted(log.failures.items())
        self.cv_results_ = results_table(race, settings, log, self.error_score)
        self.course_ = course(race, log)
        self.n_epochs_ = int(race.epochs.sum())
        self.n_splits_ = 1
        self.best_index_ = int(np.nanargmax(race.final_scores()))
        self.best_score_ = float(race.final_scores()[self.best_index_])
        self.best_params_ = settings[self.best_index_]

    def _best(self, candidate):
        """The network that a candidate has become, with the net's own settings."""
        net = read(candidate).net
        net.train_split, net.verbose = self.net.train_split, self.net.verbose
        return net

    def __sklearn_tags__(self):
        tags, of_net = super().__sklearn_tags__(), get_tags(self.net)
        tags.estimator_type = of_net.estimator_type
        tags.classifier_tags, tags.regressor_tags = of_net.classifier_tags, of_net.regressor_tags
        return tags
