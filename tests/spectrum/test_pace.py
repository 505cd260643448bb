"""Intervals between factorisations: as long as pivots allow, never longer."""

import math

import pytest
import torch

from lyapsk.spectrum._pace import LONGEST_INTERVAL, MOST_AT_ONCE, Pace

EPS = torch.finfo(torch.float64).eps


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
        if pace.accepts(growth_of([by_step * n for n in intervals]), intervals):
            taken += intervals
        else:
            refused += 1
    return taken, refused


@pytest.mark.parametrize("by_step", [0.01, 0.5, 3.0, 11.0, 20.0])
def test_every_step_adds_at_most_the_error_that_is_allowed(by_step):
    taken, _ = run(Pace(torch.float64, 100), by_step, 300)
    assert sum(taken) == 300
    for n in taken:
        assert n == 1 or EPS * math.exp(by_step * n) / n <= 1.01 * EPS**0.6
    longer = max(taken) + 2
    assert max(taken) == LONGEST_INTERVAL or EPS * math.exp(by_step * longer) / longer > EPS**0.7


def test_steady_growth_is_found_without_a_refusal():
    for by_step in (0.2, 1.0, 4.0):
        taken, refused = run(Pace(torch.float64, 100), by_step, 200)
        assert refused == 0
        assert taken[0] == 1


def test_a_sudden_collapse_is_refused_and_taken_in_shorter_intervals():
    pace = Pace(torch.float64, 100)
    run(pace, 0.1, 300)
    intervals = pace.intervals(64)
    assert intervals[0] > 30
    assert not pace.accepts(growth_of([25.0] + [3.0] * (len(intervals) - 1)), intervals)
    assert pace.intervals(64) == [intervals[0] // 2]


def test_any_interval_of_several_is_refused():
    pace = Pace(torch.float64, 100)
    run(pace, 3.0, 100)
    intervals = pace.intervals(300)
    assert len(intervals) == MOST_AT_ONCE
    ratios = [12.0] * len(intervals)
    ratios[-2] = 25.0
    assert not pace.accepts(growth_of(ratios), intervals)


def test_large_frames_are_looked_at_after_every_factorisation():
    pace = Pace(torch.float64, 2**21)
    run(pace, 3.0, 100)
    assert len(pace.intervals(300)) == 1


def test_what_is_below_rounding_error_is_looked_at_with_care():
    pace = Pace(torch.float64, 100)
    assert not pace.accepts(growth_of([35.0]), [1])
    assert pace.careful
    assert pace.intervals(10) == [1]
    assert pace.accepts(growth_of([35.0]), [1])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_asks_for_single_steps(value):
    pace = Pace(torch.float64, 100)
    run(pace, 0.1, 300)
    growth = growth_of([1.0])
    growth[..., 1] = value
    refused = 0
    while not pace.accepts(growth, intervals := pace.intervals(64)[:1]):
        refused += 1
    assert intervals == [1]
    assert refused >= 2


def test_a_dead_direction_is_believed_of_a_single_step_and_then_left_out():
    def dead(n_intervals):
        growth = growth_of([1.0] * n_intervals)
        growth[..., 2] = -math.inf
        return growth

    pace = Pace(torch.float64, 100)
    pace.careful = True
    assert pace.accepts(dead(1), [1])
    intervals = pace.intervals(10)
    assert pace.accepts(dead(len(intervals)), intervals)
    assert pace.intervals(10)[0] > 1
    other = growth_of([1.0, 1.0])
    other[..., 1] = -math.inf
    assert pace.accepts(other, [1, 1])
    other[..., 2] = -math.inf
    assert pace.accepts(other, [4, 4])
    pace.forget_dead()
    assert not pace.careful
    assert not pace.accepts(dead(1), [4])
    assert pace.careful
    assert not pace.accepts(dead(1), [4])


def test_numbers_that_would_overflow_are_kept_within_range():
    for dtype, most in ((torch.float64, 280.0), (torch.float32, 30.0)):
        pace = Pace(dtype, 100)
        assert pace.accepts(growth_of([0.1], most=most), [4])
        assert not pace.accepts(growth_of([0.1], most=1.5 * most), [4])
        assert not pace.accepts(growth_of([0.1], most=-1.5 * most), [4])
