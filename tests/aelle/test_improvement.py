import numpy as np
import pandas as pd
import pytest
from scipy.optimize import least_squares
from sklearn.base import clone

from lyapsk import AeLLERegressor
from lyapsk.aelle._improvement import Spread
from lyapsk.exceptions import InvalidInputError

N_FEATURES = 30
RANK = np.linspace(0, 1, N_FEATURES)


@pytest.fixture(scope="module")
def fitted(curved_spectra):
    X, y = curved_spectra(150, n_features=N_FEATURES)
    return AeLLERegressor(random_state=0).fit(X, y)


@pytest.fixture(scope="module")
def others(curved_spectra):
    return curved_spectra(20, n_features=N_FEATURES, seed=1)[0]


def true_performance(row):
    """Of the three hidden numbers that come nearest to a spectrum, as the fixture makes it."""

    def misfit(hidden):
        decay, fold, ripple = hidden
        spectrum = -np.exp(1.5 * decay) * RANK + np.tanh(4 * (RANK - 0.5 - 0.4 * fold))
        return spectrum + ripple * np.sin(6 * RANK) - row

    starts = [(0, -0.5, 0), (0, 0.5, 0)]
    decay, fold, ripple = min(
        (least_squares(misfit, start, bounds=(-1.2, 1.2)) for start in starts),
        key=lambda found: found.cost,
    ).x
    return np.sin(3 * decay) + fold**2 - fold * ripple


@pytest.mark.parametrize("larger_is_better", [True, np.False_])
def test_every_step_is_predicted_to_be_better(fitted, others, larger_is_better):
    for row in others[:5]:
        better = fitted.improve(row[None], larger_is_better=larger_is_better)
        assert len(better.codes) > 1
        steps = np.diff(better.predictions)
        assert (steps > 0).all() if larger_is_better else (steps < 0).all()
        np.testing.assert_array_equal(better.start, row)
        np.testing.assert_allclose(better.codes[0], fitted.transform(row[None])[0])
        np.testing.assert_array_equal(better.rows, fitted.inverse_transform(better.codes))
        predicted = fitted.predict(better.rows, return_std=True)
        np.testing.assert_array_equal((better.predictions, better.std), predicted)


def test_a_step_too_long_is_tried_again_half_as_long(fitted, others):
    """Of one of these networks the prediction falls four deviations on, and rises before."""
    paths = [
        fitted.improve(row[None], larger_is_better=True, n_steps=1, reach=4.0) for row in others
    ]
    assert [len(path.codes) for path in paths] == [2] * len(others)


def test_networks_with_these_spectra_truly_do_better(fitted, others):
    """By the truth that made the spectra, of which the estimator knows 150 noisy samples."""
    gains = []
    for row in others:
        rows = fitted.improve(row[None], larger_is_better=True).rows
        gains.append(true_performance(rows[-1]) - true_performance(rows[0]))
    assert np.mean(np.array(gains) > 0) >= 0.9
    assert np.median(gains) > 0.5


def codes_of(aelle):
    return aelle.blends_[0].heads[0].rows


def spread_of(aelle):
    return Spread(codes_of(aelle), aelle.blends_[0].heads[0].shares)


def test_the_path_stays_among_the_codes_of_fit(fitted, others):
    codes = codes_of(fitted)
    covariance = np.linalg.inv(np.cov(codes.T))

    def distance(code):
        centered = code - codes.mean(axis=0)
        return np.sqrt(centered @ covariance @ centered)

    usual = np.quantile([distance(code) for code in codes], 0.95, method="hazen")
    for row in others[:4]:
        better = fitted.improve(row[None], larger_is_better=True, n_steps=20, reach=50.0)
        farthest = max(usual, distance(better.codes[0]))
        assert max(map(distance, better.codes)) <= farthest * (1 + 1e-9)


def test_steps_are_as_long_as_asked_for_at_most(fitted, others):
    better = fitted.improve(others[:1], larger_is_better=True, n_steps=4, reach=1.0)
    lengths = spread_of(fitted).distances(
        np.diff(better.codes, axis=0) + codes_of(fitted).mean(axis=0)
    )
    assert len(better.codes) == 5
    assert (lengths <= 0.25 * (1 + 1e-9)).all()
    assert (lengths > 0.01).all()


def test_several_rows_start_from_their_mean_code(fitted, others):
    better = fitted.improve(others, larger_is_better=True)
    np.testing.assert_allclose(better.codes[0], fitted.transform(others).mean(axis=0))
    np.testing.assert_allclose(better.start, others.mean(axis=0))


def test_tables_are_taken_and_arrays_returned(curved_spectra):
    X, y = curved_spectra(30, n_features=4)
    table = pd.DataFrame(X, columns=list("abcd"))
    aelle = AeLLERegressor(max_epochs=2, random_state=0).set_output(transform="pandas")
    better = aelle.fit(table, y).improve(table[:2], larger_is_better=True)
    expected = clone(aelle).fit(X, y).improve(X[:2], larger_is_better=True)
    for name, array in vars(expected).items():
        np.testing.assert_allclose(getattr(better, name), array, atol=1e-9)


def test_directions_are_the_steepest(fitted):
    spread = spread_of(fitted)
    weights = np.random.default_rng(0).normal(size=spread.axes.shape[1])
    uphill = spread.uphill(lambda codes: codes @ weights, spread.center)
    assert spread.distances(spread.center + uphill[None])[0] == pytest.approx(1)
    covariance = np.cov(codes_of(fitted).T)
    assert uphill @ weights == pytest.approx(np.sqrt(weights @ covariance @ weights))


def test_where_nothing_varies_there_is_no_path():
    X = np.tile(RANK, (20, 1))
    aelle = AeLLERegressor(max_epochs=2, random_state=0).fit(X, np.arange(20.0))
    better = aelle.improve(X[:1], larger_is_better=True)
    assert len(better.codes) == len(better.rows) == len(better.predictions) == 1


def test_a_constant_prediction_cannot_be_improved(curved_spectra):
    X, _ = curved_spectra(30, n_features=N_FEATURES)
    aelle = AeLLERegressor(max_epochs=2, random_state=0).fit(X, np.full(30, 0.3))
    assert len(aelle.improve(X[:1], larger_is_better=False).codes) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"larger_is_better": "loss"}, "larger_is_better: got 'loss'. It must be True or False"),
        ({"larger_is_better": 1}, "larger_is_better: got 1"),
        ({"larger_is_better": True, "n_steps": 0}, "n_steps: got 0"),
        ({"larger_is_better": True, "reach": -1.0}, "reach: got -1.0"),
        ({"larger_is_better": True, "reach": np.inf}, "reach: got inf"),
    ],
)
def test_what_cannot_be_walked_is_refused(fitted, others, arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        fitted.improve(others[:1], **arguments)


def test_rows_are_checked_as_in_predict(fitted, others):
    with pytest.raises(InvalidInputError, match="Input X contains NaN: row 0, column 0"):
        fitted.improve(np.full((1, N_FEATURES), np.nan), larger_is_better=True)
    with pytest.raises(ValueError, match="expecting 30 features"):
        fitted.improve(others[:, :4], larger_is_better=True)


def test_the_published_network_keeps_no_codes(curved_spectra):
    X, y = curved_spectra(20, n_features=N_FEATURES)
    paper = AeLLERegressor(4, architecture="paper", max_epochs=2, random_state=0).fit(X, y)
    with pytest.raises(InvalidInputError, match="architecture: got 'paper', which keeps no codes"):
        paper.improve(X[:1], larger_is_better=True)


def test_networks_that_hardly_count_do_not_widen_the_path():
    rng = np.random.default_rng(0)
    codes, far = rng.normal(size=(50, 3)), 4 * rng.normal(size=(20, 3))
    without = Spread(codes, np.ones(50))
    shares = np.concatenate([np.ones(50), np.full(20, 1e-9)])
    beside = Spread(np.vstack([codes, far]), shares)
    np.testing.assert_allclose(beside.center, without.center, rtol=1e-6)
    assert beside.usual * np.sqrt(49 / 69) == pytest.approx(without.usual, rel=0.05)
