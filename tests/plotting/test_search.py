import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

from lyapsk.exceptions import InvalidInputError, InvalidTypeError
from lyapsk.plotting import SearchDisplay
from lyapsk.search import LyapunovSearchCV
from lyapsk.tasks import digits_by_rows

CURVES = {"random": ([12, 24, 36], [-0.9, -0.4, -0.4]), "halving": ([4, 30], [np.nan, -0.5])}

draw = SearchDisplay.from_predictions


@pytest.fixture(scope="module")
def searches():
    task = digits_by_rows()
    net, sizes = task.net("GRU", max_epochs=2), {"module__hidden_size": [4, 8]}
    return {
        f"budget {budget}": LyapunovSearchCV(
            net, sizes, task.X_valid[:2], 3, budget, n_first=2, random_state=0
        ).fit(task.X_train, task.y_train)
        for budget in (3, 6)
    }


def test_each_search_is_a_line_of_steps(ax):
    display = draw(CURVES, ax=ax)
    for line, (name, (epochs, best)) in zip(display.lines_, CURVES.items(), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), epochs)
        np.testing.assert_array_equal(line.get_ydata(), best)
        assert line.get_drawstyle() == "steps-post"
        assert line.get_label() == name
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(CURVES)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Epochs spent", "Best score so far")
    assert display.ax_ is ax


def test_a_search_alone_has_no_legend(searches, ax):
    search = searches["budget 6"]
    display = SearchDisplay.from_estimator(search, score_name="Minus the loss (nats)", ax=ax)
    (line,) = display.lines_
    assert ax.get_legend() is None
    assert ax.get_ylabel() == "Minus the loss (nats)"
    np.testing.assert_array_equal(line.get_xdata(), range(1, search.n_epochs_ + 1))
    assert line.get_ydata()[-1] == search.best_score_


def test_lines_end_at_the_best_scores_of_fitted_searches(searches, ax):
    display = SearchDisplay.from_estimator(searches, ax=ax)
    for line, (name, search) in zip(display.lines_, searches.items(), strict=True):
        assert line.get_label() == name
        assert line.get_xdata()[-1] == search.n_epochs_
        best = line.get_ydata()
        assert best[-1] == search.best_score_
        assert (np.diff(best[np.isfinite(best)]) >= 0).all()
        first = np.flatnonzero(np.isfinite(best))[0]
        assert search.course_["epoch"][first] == 2


def test_lines_take_the_look_that_is_asked_for(ax):
    assert {line.get_linestyle() for line in draw(CURVES, linestyle=":", ax=ax).lines_} == {":"}


def test_searches_that_are_not_fitted_or_not_ours_are_refused(searches, ax):
    with pytest.raises(NotFittedError):
        SearchDisplay.from_estimator(clone(searches["budget 3"]), ax=ax)
    other = GridSearchCV(Ridge(), {"alpha": [1]})
    with pytest.raises(InvalidTypeError, match=r"searches: 'grid' is GridSearchCV.*from_predict"):
        SearchDisplay.from_estimator({**searches, "grid": other}, ax=ax)


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        ({}, "curves: got 0 entries. It must hold 1 to 8"),
        ({str(i): ([1], [1]) for i in range(9)}, "curves: got 9"),
        ({"a": ([], [])}, r"curves\['a'\]\[0\] has shape \(0,\)"),
        ({"a": ([1, 2], [1])}, r"curves\['a'\]\[1\] has shape \(1,\). It must be \(2,\)"),
        ({"a": ([1, np.nan], [1, 2])}, r"curves\['a'\]\[0\]: entry 1 is nan"),
        ({"a": ([1, 2], [np.nan, -np.inf])}, r"curves\['a'\]\[1\]: none of its 2 scores"),
        ({"a": ([1, 5, 4], [1, 2, 3])}, r"curves\['a'\]\[0\]: epochs decrease after 5"),
    ],
)
def test_misfits_are_refused(curves, message, ax):
    with pytest.raises(InvalidInputError, match=message):
        draw(curves, ax=ax)
    assert not ax.lines


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        ([([1], [1])], "curves: got list. It must be a dict"),
        (None, "curves: got NoneType"),
        ({"a": [1, 2, 3]}, r"curves\['a'\]: got list. It must be a pair"),
        ({"a": 1.0}, r"curves\['a'\]: got float"),
        ({"a": "ab"}, r"curves\['a'\]: got str"),
        ({"a": {"x": 1, "y": 2}}, r"curves\['a'\]: got dict"),
        ({"a": iter([[1], [1]])}, r"curves\['a'\]: got list_iterator"),
        ({"a": (["x"], [1])}, r"curves\['a'\]\[0\]: got list that is no array of real numbers"),
    ],
)
def test_what_is_no_curve_is_refused(curves, message, ax):
    with pytest.raises(InvalidTypeError, match=message):
        draw(curves, ax=ax)
