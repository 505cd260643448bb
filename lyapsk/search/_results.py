"""What a search found, as scikit-learn's searches tell it."""

import numpy as np
from numpy.ma import masked_all
from scipy.stats import rankdata


def results_table(race, settings, log, error_score):
    """``cv_results_``, as :class:`LyapunovSearchCV` describes it."""
    failed = np.isin(np.arange(len(settings)), list(log.failures))
    scores = np.where(failed, error_score, race.last_scores()).astype(float)
    return {
        "mean_fit_time": log.seconds,
        "params": settings,
        **_columns(settings),
        "n_epochs": race.epochs.copy(),
        "status": _status(race, failed),
        "predicted_score": np.where(race.finished, race.final_scores(), race.forecast().scores()),
        "split0_test_score": scores,
        "mean_test_score": scores.copy(),
        "std_test_score": np.where(np.isnan(scores), np.nan, 0.0),
        "rank_test_score": _ranks(race, failed),
    }


def course(race, log):
    """``course_``, as :class:`LyapunovSearchCV` describes it."""
    entries = sorted(
        (times[epoch], i, epoch, score)
        for i, (scores, times) in log.epochs.items()
        for epoch, score in scores.items()
    )
    _, candidates, epochs, scores = (np.array(column) for column in zip(*entries, strict=True))
    is_final = race.finished[candidates] & (epochs == race.epochs[candidates])
    return {
        "candidate": candidates,
        "epoch": epochs,
        "score": scores,
        "best_score": np.fmax.accumulate(np.where(is_final, scores, np.nan)),
    }


def _columns(settings):
    """Each parameter's values, masked where a setting lacks it."""
    columns = {}
    for i, params in enumerate(settings):
        for name, value in params.items():
            column = columns.setdefault(f"param_{name}", masked_all(len(settings), dtype=object))
            column[i] = value
    return columns


def _status(race, failed):
    states = [failed, race.finished, race.epochs > 0]
    return np.select(states, ["failed", "finished", "paused"], "untrained")


def _ranks(race, failed):
    """1 for the best: finished ones before others, by score, and last whatever failed."""
    scores = np.nan_to_num(race.last_scores(), nan=-np.inf)
    _, places = np.unique(np.c_[~failed, race.finished, scores], axis=0, return_inverse=True)
    return rankdata(-places.ravel(), method="min").astype(np.int32)
