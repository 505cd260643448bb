"""Whom the race trains next: within the budget, by expected improvement, and repeatably."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from lyapsk.search._forecast import Forecaster
from lyapsk.search._race import CLIP, Race, spread_out, standardized

RUNGS = (1, 4, 12)


def make_race(n=20, budget=60, n_first=4, rungs=RUNGS, seed=0, features=None):
    rng = np.random.default_rng(seed)
    features = features or [rng.normal(size=(n, 4)), rng.normal(size=(n, 2))]
    return Race(features, rungs, n_first, budget, np.random.RandomState(seed))


def some_scores(n=20, seed=0):
    """By candidate and epoch: learning curves that rise at their own pace."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 1)) + rng.normal(size=(n, 1)) * np.log(np.arange(1, 14))


def run(race, scores, n_at_once=1, n_rounds=200):
    """Train until the budget is spent; the choices, in rounds."""
    rounds = []
    while len(rounds) < n_rounds and (todo := race.choose(n_at_once)):
        for i, epoch in todo:
            race.record(i, epoch, scores[i][epoch])
        rounds.append(todo)
    return rounds


@st.composite
def contests(draw):
    """A race of any shape with just enough to spend, or more, and any scores."""
    n, rungs = draw(st.integers(2, 7)), draw(st.sampled_from([(1,), (2, 5), RUNGS]))
    n_first, n_at_once = draw(st.integers(1, n)), draw(st.integers(1, 4))
    budget = (n_first - 1) * rungs[0] + rungs[-1] + draw(st.integers(0, 25))
    race = make_race(n, budget, n_first, rungs, draw(st.integers(0, 99)))
    values = draw(st.sampled_from([st.floats(-1e9, 1e9), st.integers(0, 2)]))
    return race, draw(st.lists(values, min_size=30, max_size=30)), n_at_once


@settings(max_examples=25, deadline=None, derandomize=True)
@given(contests())
def test_budget_holds_and_one_finishes_whatever_the_scores(contest):
    race, scores, n_at_once = contest
    spent, done = 0, set()
    for todo in iter(lambda: race.choose(n_at_once), []):
        assert len(todo) <= n_at_once
        assert len({i for i, _ in todo}) == len(todo)
        assert not done & set(todo), "trained to the same rung again"
        done |= set(todo)
        for i, epoch in todo:
            rung = list(race.rungs).index(epoch)
            assert race.epochs[i] == (race.rungs[rung - 1] if rung else 0), "skipped a rung"
            spent += epoch - race.epochs[i]
            race.record(i, epoch, scores[(3 * i + rung) % len(scores)])
    assert spent == race.epochs.sum() <= race.budget
    assert race.finished.any()
    left = np.diff([0, *race.rungs])[np.searchsorted(race.rungs, race.epochs[race.open], "right")]
    assert (spent + left > race.budget).all(), "stopped where there was something to train"


@settings(max_examples=25, deadline=None, derandomize=True)
@given(contests(), st.data())
def test_excluded_failed_and_ended_are_never_chosen_again(contest, data):
    race, scores, n_at_once = contest
    out = set(data.draw(st.lists(st.integers(0, len(race.open) - 1), max_size=2)))
    for i in out:
        race.exclude(i)
    for todo in iter(lambda: race.choose(n_at_once), []):
        for i, epoch in todo:
            assert i not in out
            fate = data.draw(st.sampled_from(["fails", "ends", "goes on", "goes on"]))
            if fate != "goes on":
                epoch = race.epochs[i] + 1
                out.add(i)
            elif epoch == race.rungs[-1]:
                out.add(i)
            score = np.nan if fate == "fails" else scores[3 * i]
            race.record(i, epoch, score, ended=fate == "ends")
    assert race.epochs.sum() <= race.budget


@pytest.mark.parametrize("n_at_once", [1, 3])
def test_the_first_set_comes_first(n_at_once):
    race = make_race(n_first=5)
    rounds = run(race, some_scores(), n_at_once, n_rounds=-(-5 // n_at_once))
    assert [chosen for todo in rounds for chosen in todo] == [(i, 1) for i in race.first]


def test_the_first_set_is_spread_over_clusters():
    rng = np.random.default_rng(0)
    sizes, centres = [60, 4, 4, 4], 10 * np.eye(4)
    X = np.repeat(centres, sizes, axis=0) + 0.1 * rng.normal(size=(72, 4))
    clusters = np.repeat(range(4), sizes)
    for seed in range(5):
        first = spread_out([X], 4, np.random.RandomState(seed))
        assert sorted(clusters[first]) == [0, 1, 2, 3]
        at_random = [pdist(X[rng.choice(72, 4, replace=False)]).min() for _ in range(20)]
        assert pdist(X[first]).min() > np.mean(at_random)


def test_the_first_set_weighs_both_kinds_of_features_alike():
    rng = np.random.default_rng(0)
    X, P = rng.normal(size=(30, 2)), rng.normal(size=(30, 2))
    wide = spread_out([np.tile(X, 9), P], 8, np.random.RandomState(3))
    assert wide == spread_out([X, P], 8, np.random.RandomState(3))


@pytest.mark.filterwarnings("error")
def test_the_first_set_is_distinct_even_where_candidates_are_equal():
    X = np.repeat([[0.0], [1.0]], 5, axis=0)
    for seed in range(5):
        first = spread_out([X], 6, np.random.RandomState(seed))
        assert len(set(first)) == 6
        assert {0.0, 1.0} == set(X[first[:2], 0])


def test_the_choice_has_the_largest_expected_improvement_of_those_affordable():
    seen = {"before one finished": 0, "after": 0, "unaffordable": 0}
    for seed in range(6):
        race, scores = make_race(budget=31, seed=seed), some_scores(seed=seed)
        run(race, scores, n_rounds=4)
        while todo := race.choose():
            forecast, trained = race.forecast(), race.epochs > 0
            if race.finished.any():
                best = max(scores[i][12] for i in range(20) if race.epochs[i] == 12)
            else:
                best = forecast.scores()[trained].max()
            improvement = forecast.improvement(best)
            np.testing.assert_allclose(race._promise(), improvement, rtol=1e-9)
            target = {0: 1, 1: 4, 4: 12, 12: np.inf}
            targets = np.array([target[epochs] for epochs in race.epochs])
            cost = (targets if race.finished.any() else 12) - race.epochs
            possible = np.flatnonzero(race.open & (race.epochs.sum() + cost <= 31))
            chosen = max(possible, key=lambda i: improvement[i])
            assert todo == [(chosen, targets[chosen])]
            seen["after" if race.finished.any() else "before one finished"] += 1
            seen["unaffordable"] += chosen != np.where(race.open, improvement, -1).argmax()
            race.record(chosen, todo[0][1], scores[chosen][todo[0][1]])
    assert min(seen.values()) > 2, "each of them is tried"


def test_the_bar_before_one_has_finished_is_the_best_forecast_of_those_trained():
    """The untrained, with what is good of both kinds, are forecast to be better still."""
    spectrum, params = (np.repeat(each, 5)[:, None] for each in ([1, 0, 0, 1], [0, 1, 0, 1]))
    race = make_race(features=[spectrum, params])
    for i, level in enumerate(np.repeat([1, 1, 0], 5)):
        race.record(i, 1, level + 0.01 * (i % 5))
    forecast = race.forecast()
    bar = forecast.scores()[:15].max()
    assert forecast.scores()[15:].min() > bar
    np.testing.assert_allclose(race._promise(), forecast.improvement(bar), rtol=1e-9)


def test_candidates_trained_at_once_are_no_copies_of_each_other():
    rng = np.random.default_rng(0)
    kinds = [np.repeat(rng.normal(size=(10, d)), 2, axis=0) for d in (4, 2)]
    race = make_race(features=kinds)
    run(race, some_scores(), n_rounds=4)
    promise, chosen = race._promise(), [i for i, _ in race.choose(3)]
    assert promise[chosen[0]] == promise.max()
    assert len({i // 2 for i in chosen}) == 3
    copy = chosen[0] ^ 1
    assert promise[copy] > promise[chosen[1:]].min(), "though the copy promises more"


def test_the_same_scores_lead_to_the_same_choices():
    one, other = (run(make_race(seed=3), some_scores(seed=3)) for _ in range(2))
    assert one == other
    assert one != run(make_race(seed=3), some_scores(seed=4))


def test_forecasts_and_choices_do_not_depend_on_the_order_of_records():
    """As after a resume; to the last digit, which may decide among equal candidates."""
    rng = np.random.default_rng(0)
    entries = [(i, epoch, rng.normal()) for i in range(8) for epoch in RUNGS[: 1 + i % 2]]
    races = []
    for _ in range(4):
        races.append(make_race())
        for k in rng.permutation(len(entries)):
            races[-1].record(*entries[k], late=[entries[k][0], 1.0])
        races[-1].epochs[:8] = [1, 4] * 4
    for race in races[1:]:
        for name in ("mean", "std"):
            np.testing.assert_array_equal(*(getattr(r.forecast(), name) for r in (race, races[0])))
        assert race.choose(3) == races[0].choose(3)


def test_a_resumed_race_with_another_first_set_keeps_to_the_budget():
    race = make_race(budget=15)
    for i in [i for i in range(20) if i not in race.first][:4]:
        race.record(i, 1, 0.1 * i)
    [(chosen, rung)] = race.choose()
    assert (race.epochs[chosen], rung) == (1, 4), "only one that has begun can still finish"
    race.record(chosen, 4, 1.0)
    assert race.choose() == [(chosen, 12)]
    race.record(chosen, 12, 1.0)
    assert race.choose() == []


def test_an_early_end_is_final_and_costs_what_was_trained():
    race = make_race()
    race.record(3, 1, 0.5)
    race.record(3, 2, 0.75, ended=True)
    assert race.finished[3]
    assert not race.open[3]
    assert race.epochs[3] == 2
    assert race.final_scores()[3] == race.last_scores()[3] == 0.75
    assert race.scores == {(3, 1): 0.5, (3, 12): 0.75}


def test_final_scores_are_those_of_the_finished_and_last_scores_of_all_trained():
    race = make_race(n=5)
    for entry in [(0, 12, 3.0), (0, 1, 1.0), (0, 4, 2.0), (2, 1, 5.0), (3, 1, 4.0)]:
        race.record(*entry)
    race.record(0, 12, 3.0)
    race.record(3, 4, np.nan)
    np.testing.assert_array_equal(race.final_scores(), [3, *[np.nan] * 4])
    np.testing.assert_array_equal(race.last_scores(), [3, np.nan, 5, np.nan, np.nan])


def test_failures_count_as_the_worst_that_was_seen():
    failing, bad = make_race(), make_race()
    for race, last in [(failing, np.nan), (bad, 2.0)]:
        for entry in [(0, 1, 5.0), (1, 1, 2.0), (2, 1, 3.0)]:
            race.record(*entry)
        race.record(4, 12, last)
    np.testing.assert_array_equal(failing.forecast().mean, bad.forecast().mean)
    assert not failing.finished.any()
    assert bad.finished[4]


@pytest.mark.filterwarnings("error")
def test_goes_on_where_all_that_was_trained_has_failed():
    race = make_race(budget=40)
    for i in race.first:
        race.record(i, 1, np.nan)
    [(i, rung)] = race.choose()
    assert (i in race.first, rung) == (False, 1)
    assert np.isfinite(race.forecast().scores()).all()


def test_goes_on_where_nothing_of_the_first_set_can_be_trained():
    race = make_race(n=8, n_first=3)
    for i in race.first:
        race.exclude(i)
    chosen = race.choose(2)
    assert [rung for _, rung in chosen] == [1, 1]
    assert len({i for i, _ in chosen} - set(race.first)) == 2


def test_late_features_reach_the_forecast_standardised():
    rng = np.random.default_rng(0)
    kinds, late = [rng.normal(size=(6, 4))], 10 + 3 * rng.normal(size=(6, 2))
    late[4:] = np.nan
    race, scores = make_race(features=kinds, n_first=2), rng.normal(size=4)
    for i in (2, 0, 3, 1):
        race.record(i, 1, scores[i], late=late[i])
    rows = (late - late[:4].mean(0)) / late[:4].std(0)
    early = (kinds[0] - kinds[0].mean(0)) / kinds[0].std(0)
    expected = Forecaster([early])(range(4), [1] * 4, scores, 12, rows)
    np.testing.assert_allclose(race.forecast().mean, expected.mean, atol=1e-9)
    without = Forecaster([early])(range(4), [1] * 4, scores, 12)
    assert not np.allclose(without.mean, expected.mean)


def test_features_are_standardised_and_cut_off_and_those_missing_are_average():
    X = np.random.default_rng(0).normal(5, 2, size=(100, 2))
    X[0], X[1] = [1e6, 5], np.nan
    found = standardized(X)
    assert found[0, 0] == CLIP
    assert np.isnan(found[1]).all()
    assert np.nanmean(found[:, 1]) == pytest.approx(0)
    assert np.nanstd(found[:, 1]) == pytest.approx(1)
    apart = make_race(features=[X]).forecaster.distances[0]
    lengths = np.linalg.norm(np.delete(found, 1, axis=0), axis=1)
    np.testing.assert_allclose(np.delete(apart[1], 1) / apart[1, 0], lengths / lengths[0])


def test_finds_one_of_the_best_with_a_fifth_of_all_epochs():
    """Scores are a smooth function of the features; chance would find one in a third of races."""
    n_found = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        X = rng.uniform(-1, 1, size=(40, 2))
        final = -np.square(X - [0.4, -0.3]).sum(1)
        scores = np.outer(final, np.ones(13)) + np.log(1 + np.arange(13))
        race = make_race(features=[X], budget=96, seed=seed)
        run(race, scores + 0.02 * rng.normal(size=scores.shape))
        n_found += np.nanargmax(race.final_scores()) in np.argsort(-final)[:2]
    assert n_found >= 7
