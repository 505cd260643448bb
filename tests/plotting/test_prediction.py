import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, spearmanr
from sklearn.decomposition import PCA
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import BayesianRidge, LinearRegression, LogisticRegression
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lyapsk.exceptions import InvalidInputError, InvalidTypeError
from lyapsk.plotting import PredictionDisplay

RNG = np.random.default_rng(0)
TRUE = RNG.gamma(2, size=40)
STD = RNG.uniform(0.1, 0.6, size=40)
PREDICTED = TRUE + STD * RNG.normal(size=40)

draw = PredictionDisplay.from_predictions


def test_points_lie_at_truth_and_prediction(ax):
    display = draw(pd.Series(TRUE), PREDICTED.tolist(), value_name="Loss (nats)", ax=ax)
    np.testing.assert_array_equal(display.points_.get_offsets(), np.c_[TRUE, PREDICTED])
    assert display.intervals_ is display.coverage_ is ax.get_legend() is None
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Loss (nats), true", "Loss (nats), predicted")
    assert display.ax_ is ax


def test_scores_are_those_of_sklearn_and_scipy(ax):
    display = draw(TRUE, -PREDICTED, ax=ax)
    r2, rank = r2_score(TRUE, -PREDICTED), spearmanr(TRUE, -PREDICTED).statistic
    assert display.r2_ == pytest.approx(r2)
    assert display.rank_correlation_ == pytest.approx(rank)
    assert display.text_.get_text().replace("\N{MINUS SIGN}", "-") == (
        f"R² = {r2:.2f}\nrank correlation = {rank:.2f}"
    )


@pytest.mark.parametrize("level", [0.5, 0.9, np.float32(0.99)])
def test_intervals_are_central_and_normal(level, ax):
    display = draw(TRUE, PREDICTED, STD, level=level, ax=ax)
    low, high = norm.interval(level, PREDICTED, STD)
    (bars,) = display.intervals_.lines[2]
    ends = [[(x, a), (x, b)] for x, a, b in zip(TRUE, low, high, strict=True)]
    np.testing.assert_allclose(bars.get_segments(), ends)
    covered = np.mean((low <= TRUE) & (low < high) & (high >= TRUE))
    assert display.coverage_ == covered
    (label,) = (text.get_text() for text in ax.get_legend().get_texts())
    assert label == f"{100 * level:g} % interval, holds {100 * covered:.0f} %"


def test_the_diagonal_spans_axes_that_hold_everything(ax):
    display = draw(TRUE, PREDICTED, STD, ax=ax)
    x, y = display.diagonal_.get_data()
    np.testing.assert_array_equal(x, y)
    assert tuple(x) == ax.get_xlim() == ax.get_ylim()
    low, high = norm.interval(0.9, PREDICTED, STD)
    assert x[0] < min(low.min(), TRUE.min())
    assert x[1] > max(high.max(), TRUE.max())


def test_scores_that_are_undefined_are_called_so(ax):
    display = draw([2.0], [3.0], [0.0], ax=ax)
    assert np.isnan([display.r2_, display.rank_correlation_]).all()
    assert display.text_.get_text() == "R² = undefined\nrank correlation = undefined"
    assert display.coverage_ == 0
    same = draw([1, 1], [1, 1], ax=ax)
    assert same.points_ in ax.collections


@pytest.mark.parametrize(
    "regressor",
    [
        BayesianRidge(),
        make_pipeline(PCA(2), make_pipeline(GaussianProcessRegressor(optimizer=None))),
    ],
)
def test_spreads_are_asked_for_where_there_are_some(regressor, ax):
    X = RNG.normal(size=(40, 3))
    fitted = make_pipeline(StandardScaler(), regressor).fit(X, TRUE)
    display = PredictionDisplay.from_estimator(fitted, X, TRUE, level=0.5, ax=ax)
    predicted, std = fitted.predict(X, return_std=True)
    np.testing.assert_array_equal(display.y_pred, predicted)
    np.testing.assert_array_equal(display.y_std, std)
    assert display.level == 0.5


def test_estimators_without_spreads_get_no_intervals(ax):
    X = RNG.normal(size=(40, 3))
    fitted = make_pipeline(StandardScaler(), LinearRegression()).fit(X, TRUE)
    display = PredictionDisplay.from_estimator(fitted, X, TRUE, ax=ax, color="black")
    np.testing.assert_array_equal(display.y_pred, fitted.predict(X))
    assert display.y_std is None
    assert display.points_.get_facecolor()[0].tolist()[:3] == [0, 0, 0]


def test_what_cannot_predict_is_refused(ax):
    with pytest.raises(InvalidTypeError, match=r"estimator: got PCA.*It must be a fitted regr"):
        PredictionDisplay.from_estimator(PCA(), TRUE[:, None], TRUE, ax=ax)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], []), r"y_true has shape \(0,\). It must be \(n_networks,\), not empty"),
        ((TRUE[:, None], PREDICTED), r"y_true has shape \(40, 1\)"),
        ((TRUE, PREDICTED[:-1]), r"y_pred has shape \(39,\). It must be \(40,\)"),
        ((TRUE, np.full(40, np.nan)), "y_pred: entry 0 is nan. All must be finite"),
        (([1, np.inf], [1, 2]), "y_true: entry 1 is inf"),
        ((TRUE, PREDICTED, STD[:3]), r"y_std has shape \(3,\)"),
        ((TRUE, PREDICTED, -STD), "y_std: its smallest entry is -0.5.*at least 0"),
    ],
)
def test_misfits_are_refused(arguments, message, ax):
    with pytest.raises(InvalidInputError, match=message):
        draw(*arguments, ax=ax)
    assert not ax.lines


@pytest.mark.parametrize(
    "values", [["low", "high"], [1j, 2], ["2024-01-01"], [[1], [1, 2]], "loss", {}]
)
def test_what_holds_no_numbers_is_refused(values, ax):
    with pytest.raises(InvalidTypeError, match=r"y_true: got .* no array of real numbers"):
        draw(values, [1, 2], ax=ax)


@pytest.mark.parametrize("level", [0, 1, 90, -0.5, np.nan, "0.9", None, True, [0.9]])
def test_levels_are_probabilities(level, ax):
    with pytest.raises(InvalidInputError, match=r"level: got .*between 0 and 1, for example 0.9"):
        draw(TRUE, PREDICTED, STD, level=level, ax=ax)


def test_classes_are_refused(ax):
    X = np.random.default_rng(0).normal(size=(20, 3))
    classifier = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, X[:, 0] > 0)
    with pytest.raises(InvalidTypeError, match="estimator: got Pipeline, a classifier"):
        PredictionDisplay.from_estimator(classifier, X, X[:, 0] > 0, ax=ax)


class OnlyPredicts:
    def predict(self, X):
        return X[:, 0]


def test_whatever_predicts_will_do(ax):
    display = PredictionDisplay.from_estimator(OnlyPredicts(), TRUE[:, None], TRUE, ax=ax)
    assert display.r2_ == 1
