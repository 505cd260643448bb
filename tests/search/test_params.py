"""Settings that are drawn, checked and told in numbers."""

from collections import Counter

import numpy as np
import pytest
import torch
from helpers import make_net
from scipy.stats import loguniform

from lyapsk.exceptions import InvalidInputError
from lyapsk.search._params import check_names, draw, in_numbers


def columns(values):
    """Of settings of one parameter, None where it is not set; sorted."""
    rows = in_numbers([{} if value is None else {"a": value[0]} for value in values])
    return sorted(rows.T.tolist())


def as_strings(settings):
    return Counter(str(sorted(s.items())) for s in settings)


@pytest.mark.filterwarnings("error")
def test_each_combination_comes_again_and_as_often_where_there_are_few():
    lists = {"a": [1, 2], "b": ["x", "y", "z"]}
    for n in (6, 12, 20):
        counts = as_strings(draw(lists, n, np.random.RandomState(0)))
        assert len(counts) == 6
        assert counts.total() == n
        assert max(counts.values()) - min(counts.values()) <= 1
    assert draw({}, 3, np.random.RandomState(0)) == [{}, {}, {}]


def test_no_combination_comes_twice_where_there_are_enough():
    lists = [{"a": [1, 2], "b": [1, 2, 3]}, {"c": [1, 2]}]
    counts = as_strings(draw(lists, 8, np.random.RandomState(0)))
    assert len(counts) == 8


def test_the_same_state_draws_the_same_from_distributions():
    distributions = {"a": loguniform(1e-3, 1), "b": [1, 2]}
    one, again, other = (draw(distributions, 5, np.random.RandomState(i)) for i in (0, 0, 1))
    assert one == again != other
    assert len({s["a"] for s in one}) == 5


@pytest.mark.parametrize("name", ["module__n_unit", "rate", "optimizer__momentums"])
def test_names_that_the_net_lacks_are_refused(name):
    with pytest.raises(InvalidInputError, match=rf"param_distributions.*'{name}'"):
        check_names(make_net(), {"module__n_units": 3, name: 2})


def test_the_length_of_training_is_not_for_the_distributions():
    with pytest.raises(InvalidInputError, match=r"'max_epochs'.*give the net itself"):
        check_names(make_net(), {"max_epochs": 3})


def test_names_that_the_net_has_are_accepted_whatever_the_values():
    net = make_net(n_units=5)
    before, state = net.get_params()["module__n_units"], torch.get_rng_state()
    check_names(net, {"module__n_units": 3, "lr": 0.1, "optimizer__momentum": 0.5})
    check_names(net, {"module__n_units": -1})
    check_names(net, {})
    assert net.get_params()["module__n_units"] == before
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("values", "logarithms"),
    [
        ([0.01, 1.0], True),
        ([1, 11], True),
        ([1, 10], False),
        ([np.float32(0.5), np.int64(64)], True),
        ([0.0, 100.0], False),
        ([-1, 100], False),
    ],
)
def test_positive_numbers_over_more_than_a_decade_become_logarithms(values, logarithms):
    expected = np.log(values) if logarithms else np.array(values, dtype=float)
    np.testing.assert_allclose(in_numbers([{"a": v} for v in values]), expected[:, None])


@pytest.mark.parametrize(
    "values", [["x", "y", "x"], [True, False, True], [None, "x", None], [(1, 2), [1, 2], (1, 2)]]
)
def test_what_is_no_number_has_a_column_for_each_value(values):
    assert columns([[v] for v in values]) == [[0, 1, 0], [1, 0, 1]]


def test_numbers_among_others_stay_numbers():
    assert columns([[0.25], [None], [True], [500.0], [np.inf]]) == [
        [0, 0, 0, 0, 1],
        [0, 0, 1, 0, 0],
        [0, 1, 0, 0, 0],
        [0.25, 0, 0, 500, 0],
    ]


def test_settings_may_lack_names():
    assert columns([["x"], None, ["y"]]) == [[0, 0, 1], [1, 0, 0]]
    rows = in_numbers([{"a": 2.0}, {"b": 0.1}, {"b": 10.0}])
    np.testing.assert_allclose(rows, [[2, 0], [0, np.log(0.1)], [0, np.log(10)]])
