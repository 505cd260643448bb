"""The table of results against one that is written by hand."""

import time

import numpy as np
import pytest

from lyapsk.search._candidate import Progress
from lyapsk.search._race import Race
from lyapsk.search._results import course, results_table
from lyapsk.search._run import Log

NAN = np.nan
BETTER, WORSE, PAUSED, NEVER, LATER_NAN, UNREADABLE, EARLY, TWIN = range(8)
SETTINGS = [{"lr": 0.1 * i, **({"kind": "GRU"} if i % 3 else {})} for i in range(8)]


@pytest.fixture
def race():
    features = [np.random.default_rng(0).normal(size=(8, 3))]
    race = Race(features, (1, 4), 2, 30, np.random.RandomState(0))
    race.exclude(UNREADABLE)
    for entry in [
        (BETTER, 1, -9.0),
        (BETTER, 4, -1.0),
        (WORSE, 4, -3.0),
        (PAUSED, 1, -0.5),
        (LATER_NAN, 1, -0.25),
        (LATER_NAN, 3, NAN),
        (TWIN, 4, -3.0),
    ]:
        race.record(*entry)
    race.record(EARLY, 2, -2.0, ended=True)
    return race


@pytest.fixture
def log():
    log = Log(8, strict=False)
    log.fail(UNREADABLE, "no spectrum")
    log.fail(LATER_NAN, "the score is nan")
    log.seconds[:] = np.arange(8)
    return log


def test_statuses_scores_and_epochs_are_those_of_the_race(race, log):
    table = results_table(race, SETTINGS, log, NAN)
    assert table["status"].tolist() == [
        *("finished", "finished", "paused", "untrained"),
        *("failed", "failed", "finished", "finished"),
    ]
    scores = [-1.0, -3.0, -0.5, NAN, NAN, NAN, -2.0, -3.0]
    np.testing.assert_array_equal(table["mean_test_score"], scores)
    np.testing.assert_array_equal(table["split0_test_score"], scores)
    np.testing.assert_array_equal(table["std_test_score"], np.multiply(scores, 0))
    np.testing.assert_array_equal(table["n_epochs"], [4, 4, 1, 0, 3, 0, 2, 4])
    np.testing.assert_array_equal(table["mean_fit_time"], np.arange(8))
    assert table["params"] == SETTINGS


@pytest.mark.parametrize("error_score", [NAN, -99.0, 99.0])
def test_ranks_put_finished_ones_first_and_failed_ones_last(race, log, error_score):
    table = results_table(race, SETTINGS, log, error_score)
    assert table["rank_test_score"].tolist() == [1, 3, 5, 6, 7, 7, 2, 3]
    assert table["rank_test_score"].dtype == np.int32


def test_error_score_is_that_of_failed_ones_only(race, log):
    table = results_table(race, SETTINGS, log, -99.0)
    failed = table["status"] == "failed"
    np.testing.assert_array_equal(table["mean_test_score"][failed], -99.0)
    np.testing.assert_array_equal(table["std_test_score"][failed], 0.0)
    assert np.isnan(table["mean_test_score"][NEVER])


def test_scores_keep_every_digit_where_errors_are_raised(race):
    race.record(WORSE, 4, -1 / 3)
    table = results_table(race, SETTINGS, Log(8, strict=True), "raise")
    assert table["mean_test_score"].dtype == float
    assert table["mean_test_score"][WORSE] == -1 / 3


def test_predictions_are_final_scores_or_forecasts(race, log):
    predicted = results_table(race, SETTINGS, log, NAN)["predicted_score"]
    finished = [BETTER, WORSE, EARLY, TWIN]
    np.testing.assert_array_equal(predicted[finished], [-1, -3, -2, -3])
    others = [PAUSED, NEVER, LATER_NAN, UNREADABLE]
    np.testing.assert_array_equal(predicted[others], race.forecast().scores()[others])
    assert ((predicted >= -9) & (predicted <= -0.25)).all()


def test_parameters_that_a_setting_lacks_are_masked(race, log):
    table = results_table(race, SETTINGS, log, NAN)
    np.testing.assert_array_equal(table["param_kind"].mask, [i % 3 == 0 for i in range(8)])
    assert set(table["param_kind"].compressed()) == {"GRU"}
    assert not table["param_lr"].mask.any()
    assert table["param_lr"].tolist() == [0.1 * i for i in range(8)]
    assert {name for name in table if name.startswith("param_")} == {"param_kind", "param_lr"}


def test_the_table_does_not_change_with_the_race_after_it(race, log):
    table = results_table(race, SETTINGS, log, NAN)
    race.record(PAUSED, 4, 0.0)
    assert table["n_epochs"][PAUSED] == 1


def test_the_course_is_in_the_order_in_which_epochs_ended(race, log):
    log.epochs = {
        EARLY: ({1: -1.5, 2: -2.0}, {1: 5.0, 2: 6.0}),
        BETTER: ({1: -9.0, 2: -7.0, 3: -2.0, 4: -1.0}, {1: 1.0, 2: 2.0, 3: 6.0, 4: 8.0}),
        LATER_NAN: ({1: -0.25, 2: -0.5, 3: NAN}, {1: 3.0, 2: 4.0, 3: 7.0}),
        PAUSED: ({1: -0.5}, {1: 9.0}),
    }
    told = course(race, log)
    assert told["candidate"].tolist() == [
        *(BETTER, BETTER, LATER_NAN, LATER_NAN, EARLY),
        *(BETTER, EARLY, LATER_NAN, BETTER, PAUSED),
    ]
    assert told["epoch"].tolist() == [1, 2, 1, 2, 1, 3, 2, 3, 4, 1]
    scores = [-9, -7, -0.25, -0.5, -1.5, -2, -2, NAN, -1, -0.5]
    np.testing.assert_array_equal(told["score"], scores)
    np.testing.assert_array_equal(told["best_score"], [NAN] * 6 + [-2, -2, -1, -1])


def test_epochs_keep_their_order_when_the_clock_is_set_back(monkeypatch):
    progress, clock = Progress(), iter([30.0, 20.0, 40.0])
    monkeypatch.setattr(time, "time", lambda: next(clock))
    for epoch in (1, 2, 3):
        progress.enter(epoch, -1.0)
    assert progress.times == {1: 30, 2: 30, 3: 40}
