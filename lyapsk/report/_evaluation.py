"""Cross-validate predictors of the final loss of networks."""

from dataclasses import dataclass
from inspect import signature

import numpy as np
from sklearn.base import clone
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import RepeatedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler

from .._correlation import rank_correlation
from .._parallel import in_parallel, one_thread
from ..aelle import AeLLERegressor

N_SPLITS, N_REPEATS = 5, 3


@dataclass(frozen=True)
class Score:
    """How well one predictor did on held-out networks.

    `out_of_fold` of shape (n_repeats, n_networks) holds its predictions, and `std` of that shape
    their standard deviations, or is None; `r2` and `spearman` are means over the repeats.
    """

    predictor: str
    r2: float
    spearman: float
    out_of_fold: np.ndarray
    std: np.ndarray | None = None

    @property
    def mean(self):
        """Mean prediction over the repeats (n_networks,)."""
        return self.out_of_fold.mean(axis=0)

    @property
    def mean_std(self):
        """Standard deviation of the truth about it (n_networks,), or None."""
        return None if self.std is None else np.sqrt((self.std**2).mean(axis=0))


def cross_validate(features, early, target, seed, *, early_name, n_jobs=None, verbose=1):
    """Score every predictor of `target` on the same folds, best last.

    Parameters
    ----------
    features : ndarray of shape (n_networks, n_features)
        Features of the spectra.
    early, target : ndarray of shape (n_networks,)
        Loss when the spectra were taken, and what is predicted.
    early_name : str
        What the table calls the former.

    Returns
    -------
    scores : list of Score
    """
    contestants = _contestants(features, early[:, np.newaxis], early_name, seed)
    folds = _folds(len(target), seed)
    jobs = [
        (estimator, X, target, train, test)
        for estimator, X in contestants.values()
        for train, test in folds
    ]
    predictions = iter(in_parallel(_predict, jobs, n_jobs, "cross-validating", verbose))
    return [_score(name, target, folds, predictions) for name in contestants]


def _contestants(features, early, early_name, seed):
    """Estimator and input of each row of the table."""
    alphas = np.logspace(-3, 4, 15)
    curve = make_pipeline(StandardScaler(), SplineTransformer(), RidgeCV(alphas))
    ridge = make_pipeline(StandardScaler(), RidgeCV(alphas))
    return {
        "always the mean": (DummyRegressor(), early),
        early_name: (curve, early),
        "spectrum with ridge": (ridge, features),
        "spectrum with AeLLE": (AeLLERegressor(random_state=seed), features),
    }


def _folds(n_networks, seed):
    splitter = RepeatedKFold(n_splits=N_SPLITS, n_repeats=N_REPEATS, random_state=seed)
    return list(splitter.split(np.empty(n_networks)))


def _predict(estimator, X, y, train, test):
    """Predictions and, where the estimator has them, their standard deviations."""
    with one_thread():
        fitted = clone(estimator).fit(X[train], y[train])
        if "return_std" in signature(fitted.predict).parameters:
            return fitted.predict(X[test], return_std=True)
        return fitted.predict(X[test]), None


def _score(name, target, folds, predictions):
    """Take the predictions of one contestant, fold by fold, and score each repeat."""
    out_of_fold, std = np.empty((2, N_REPEATS, len(target)))
    for i, (_, test) in enumerate(folds):
        out_of_fold[i // N_SPLITS, test], own_std = next(predictions)
        std[i // N_SPLITS, test] = np.nan if own_std is None else own_std
    return Score(
        predictor=name,
        r2=np.mean([_r2(target, predicted) for predicted in out_of_fold]),
        spearman=np.mean([_rank_correlation(target, predicted) for predicted in out_of_fold]),
        out_of_fold=out_of_fold,
        std=None if np.isnan(std).any() else std,
    )


def _r2(target, predicted):
    """Not a number where all targets are equal."""
    return r2_score(target, predicted) if np.ptp(target) > 0 else np.nan


def _rank_correlation(target, predicted):
    """Spearman's; not a number for one constant per fold, or where all targets are equal."""
    constant = len(np.unique(predicted)) <= N_SPLITS
    return np.nan if constant else rank_correlation(target, predicted)
