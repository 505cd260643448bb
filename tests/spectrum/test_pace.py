"""Intervals between factorisations: as long as pivots allow, never longer."""

import math

import pytest
import torch

from lyapsk.spectrum._pace import LONGEST_INTERVAL, Pace

EPS = torch.finfo(torch.float64).eps
MOST_AT_ONCE = 8
NONE_DEAD = torch.zeros(1, 1, 3, dtype=torch.bool)


def growth_of(ratios, *, most=0.0):
    """Growth of one network and sequence over intervals, of three directions each."""
    ratios = torch.tensor(ratios, dtype=torch.float64)
    return torch.stack([torch.full_like(ratios, most), most - ratios / 2, most - ratios], -1)[
        :, None, None
    ]


def run(pace, by_step, n_steps):
    """Take steps whose ratio grows by the same amount each; the lengths of all intervals."""
    taken, refused = [], 0
    while sum(taken) < n_steps:
        intervals = pace.intervals(n_steps - sum(taken))
        if pace.accepts(growth_of([by_step * n for n in intervals]), intervals, NONE_DEAD):
            taken += intervals
        else:
            refused += 1
    return taken, refused


@pytest.mark.parametrize("by_step", [0.01, 0.5, 3.0, 11.0, 20.0])
def test_every_step_adds_at_most_the_error_that_is_allowed(by_step):
    taken, _ = run(Pace(torch.float64, MOST_AT_ONCE), by_step, 300)
    assert sum(taken) == 300
    for n in taken:
        assert n == 1 or EPS * math.exp(by_step * n) / n <= 1.01 * EPS**0.6
    longer = max(taken) + 2
    assert max(taken) == LONGEST_INTERVAL or EPS * math.exp(by_step * longer) / longer > EPS**0.7


def test_steady_growth_is_found_without_a_refusal():
    for by_step in (0.2, 1.0, 4.0):
        taken, refused = run(Pace(torch.float64, MOST_AT_ONCE), by_step, 200)
        assert refused == 0
        assert taken[0] == 1


def test_a_sudden_collapse_is_refused_and_taken_in_shorter_intervals():
    pace = Pace(torch.float64, MOST_AT_ONCE)
    run(pace, 0.1, 300)
    intervals = pace.intervals(64)
    assert intervals[0] > 30
    assert not pace.accepts(growth_of([25.0] + [3.0] * (len(intervals) - 1)), intervals, NONE_DEAD)
    assert pace.intervals(64) == [intervals[0] // 2]


def test_any_interval_of_several_is_refused():
    pace = Pace(torch.float64, MOST_AT_ONCE)
    run(pace, 3.0, 100)
    intervals = pace.intervals(300)
    assert len(intervals) == MOST_AT_ONCE
    ratios = [12.0] * len(intervals)
    ratios[-2] = 25.0
    assert not pace.accepts(growth_of(ratios), intervals, NONE_DEAD)


def test_as_many_intervals_as_are_allowed_are_taken_at_once():
    pace = Pace(torch.float64, 1)
    run(pace, 3.0, 100)
    assert len(pace.intervals(300)) == 1


def test_what_is_below_rounding_error_is_looked_at_with_care():
    pace = Pace(torch.float64, MOST_AT_ONCE)
    assert not pace.accepts(growth_of([35.0]), [1], NONE_DEAD)
    assert pace.careful
    assert pace.intervals(10) == [1]
    assert pace.accepts(growth_of([35.0]), [1], NONE_DEAD)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_asks_for_single_steps(value):
    pace = Pace(torch.float64, MOST_AT_ONCE)
    run(pace, 0.1, 300)
    growth = growth_of([1.0])
    growth[..., 1] = value
    refused = 0
    while not pace.accepts(growth, intervals := pace.intervals(64)[:1], NONE_DEAD):
        refused += 1
    assert intervals == [1]
    assert refused >= 2


def test_a_dead_direction_is_believed_of_a_single_step_and_then_left_out():
    def growth_with_dead(directions, n_intervals):
        growth = growth_of([1.0] * n_intervals)
        growth[..., directions] = -math.inf
        return growth

    pace = Pace(torch.float64, MOST_AT_ONCE)
    pace.careful = True
    last = NONE_DEAD.clone()
    last[..., 2] = True
    assert pace.accepts(growth_with_dead([2], 1), [1], NONE_DEAD)
    intervals = pace.intervals(10)
    assert pace.accepts(growth_with_dead([2], len(intervals)), intervals, last)
    assert pace.intervals(10)[0] > 1
    assert not pace.accepts(growth_with_dead([1, 2], 1), [4], last)
    assert not pace.accepts(growth_with_dead([2], 1), [4], NONE_DEAD)


def test_numbers_that_would_overflow_are_kept_within_range():
    for dtype, most in ((torch.float64, 280.0), (torch.float32, 30.0)):
        pace = Pace(dtype, MOST_AT_ONCE)
        assert pace.accepts(growth_of([0.1], most=most), [4], NONE_DEAD)
        assert not pace.accepts(growth_of([0.1], most=1.5 * most), [4], NONE_DEAD)
        assert not pace.accepts(growth_of([0.1], most=-1.5 * most), [4], NONE_DEAD)
