"""Cross-validate predictors of the final loss of a network."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import RepeatedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler

from .._parallel import in_parallel, one_thread
from ..aelle import AeLLERegressor

N_SPLITS, N_REPEATS = 5, 3


@dataclass(frozen=True)
class Score:
    """How well one predictor did on held-out networks.

    `out_of_fold` of shape (n_repeats, n_networks) holds its predictions of the log loss;
    `r2` and `spearman` are means over the repeats.
    """

    predictor: str
    r2: float
    spearman: float
    out_of_fold: np.ndarray


def cross_validate(features, loss_before, target, seed, n_jobs):
    """Score every predictor of `target` on the same folds, best last.

    Parameters
    ----------
    features : ndarray of shape (n_networks, n_features)
        Features of the spectra.
    loss_before, target : ndarray of shape (n_networks,)
        Loss before training, and log of the loss after it.

    Returns
    -------
    scores : list of Score
    """
    contestants = _contestants(features, np.log(loss_before)[:, np.newaxis], seed)
    folds = _folds(len(target), seed)
    jobs = [
        (estimator, X, target, train, test)
        for estimator, X in contestants.values()
        for train, test in folds
    ]
    predictions = iter(in_parallel(_predict, jobs, n_jobs, "cross-validating"))
    return [_score(name, target, folds, predictions) for name in contestants]


def _contestants(features, log_loss, seed):
    """Estimator and input of each row of the table."""
    alphas = np.logspace(-3, 4, 15)
    curve = make_pipeline(StandardScaler(), SplineTransformer(), RidgeCV(alphas))
    ridge = make_pipeline(StandardScaler(), RidgeCV(alphas))
    return {
        "always the mean": (DummyRegressor(), log_loss),
        "loss before training": (curve, log_loss),
        "spectrum with ridge": (ridge, features),
        "spectrum with AeLLE": (AeLLERegressor(random_state=seed), features),
    }


def _folds(n_networks, seed):
    splitter = RepeatedKFold(n_splits=N_SPLITS, n_repeats=N_REPEATS, random_state=seed)
    return list(splitter.split(np.empty(n_networks)))


def _predict(estimator, X, y, train, test):
    with one_thread():
        return clone(estimator).fit(X[train], y[train]).predict(X[test])


def _score(name, target, folds, predictions):
    """Take the predictions of one contestant, fold by fold, and score each repeat."""
    out_of_fold = np.empty((N_REPEATS, len(target)))
    for i, (_, test) in enumerate(folds):
        out_of_fold[i // N_SPLITS, test] = next(predictions)
    return Score(
        predictor=name,
        r2=np.mean([r2_score(target, predicted) for predicted in out_of_fold]),
        spearman=np.mean([_rank_correlation(target, predicted) for predicted in out_of_fold]),
        out_of_fold=out_of_fold,
    )


def _rank_correlation(target, predicted):
    """Spearman's; not a number for one constant per fold, which puts nothing in order."""
    if len(np.unique(predicted)) <= N_SPLITS:
        return np.nan
    return spearmanr(target, predicted).statistic
