"""The forecast against dense formulas, and what must not change it."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.spatial.distance import pdist, squareform
from scipy.stats import multivariate_normal, norm

from lyapsk.search._forecast import (
    LATE,
    LENGTHS,
    MEMORIES,
    NOISE,
    SHARED,
    SHARES,
    WEIGHTS,
    Forecast,
    Forecaster,
    _over_epochs,
    distances,
)

LAST = 12
SEEN = [(0, 1), (1, 1), (2, 1), (3, 1), (5, 1), (1, 4), (5, 4), (5, LAST), (2, 2)]
CANDIDATES, EPOCHS = zip(*SEEN, strict=True)
N = 8


def features(seed=0, n_kinds=2):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(N, 3)), rng.normal(size=(N, 2))][:n_kinds]


def late_features(seed=0):
    """Only some of those with scores have them."""
    rows = np.random.default_rng(seed + 100).normal(size=(N, 3))
    rows[[0, 4, 6, 7]] = np.nan
    return rows


def smooth_scores(seed=0):
    """Scores that the features tell, with ties."""
    first = features(seed)[0][list(CANDIDATES), 0]
    noise = np.random.default_rng(seed + 200).normal(size=len(SEEN))
    return np.round(2 * (first + np.log(EPOCHS) + 0.3 * noise)) / 2


def apart(X):
    """Distances in units of their median."""
    return squareform(pdist(X)) / np.nanmedian(pdist(X))


def covariance(one, other, kinds, late, kernel):
    """Of the scores of two candidates, each after some epochs."""
    length, weight, share, memory = kernel
    (i, s), (j, t) = one, other
    weights = (weight, 1 - weight) if len(kinds) == 2 else (1,)
    told = sum(w * np.exp(-D[i, j] / length) for w, D in zip(weights, kinds, strict=True))
    rest = float(i == j)
    if late is not None and np.isfinite(late[i, j]):
        rest = (1 - LATE) * rest + LATE * np.exp(-late[i, j] / length)
    lasting = (1 + np.exp(-abs(np.log(s / t)) / memory)) / 2
    return (share * told + (1 - share) * rest) * lasting + SHARED * (s == t) + SHARED


def dense(kinds, late, scores, kernel):
    """Likelihood, mean and standard deviation under one kernel."""
    ranks = [np.mean([other < s for other in scores]) for s in scores]
    ties = [np.mean([other == s for other in scores]) for s in scores]
    y = norm.ppf(np.add(ranks, np.divide(ties, 2)))
    args = [apart(X) for X in kinds], None if late is None else apart(late), kernel
    K = np.array([[covariance(a, b, *args) for b in SEEN] for a in SEEN])
    K += NOISE * np.eye(len(SEEN))
    cross = np.array([[covariance((i, LAST), b, *args) for b in SEEN] for i in range(N)])
    prior = np.array([covariance((i, LAST), (i, LAST), *args) for i in range(N)])
    inverse = np.linalg.inv(K)
    variance = y @ inverse @ y / len(y)
    likelihood = multivariate_normal(cov=variance * K).logpdf(y)
    left = np.maximum(prior - np.diag(cross @ inverse @ cross.T), NOISE)
    return likelihood, cross @ inverse @ y, np.sqrt(variance * left)


def assert_same(one, other):
    np.testing.assert_allclose(one.mean, other.mean, atol=1e-9)
    np.testing.assert_allclose(one.std, other.std, rtol=1e-9)


@pytest.mark.parametrize("least", [5e-324, -2e-309, 1e-308])
def test_scores_next_to_nothing_leave_the_forecast_finite(least):
    forecast = Forecaster([np.arange(4.0)[:, None]])([0, 1, 2], [1, 1, 1], [-16, least, 0], 3)
    for bar in (least, least / 2, 0.0, 2 * least):
        assert np.isfinite(forecast.improvement(bar)).all()
        assert np.isfinite(forecast.chance(bar)).all()


@pytest.fixture
def forecast():
    """Of made-up distributions, on a scale on which scores are neither normal nor evenly spaced."""
    normal = np.array([-1.5, -0.7, 0.1, 0.8, 1.6])
    return Forecast(np.array([-0.4, 0.3, 2.5]), np.array([0.2, 1.5, 0.7]), np.exp(normal), normal)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("n_kinds", "late"), [(1, None), (2, None), (2, late_features())])
def test_forecast_is_that_of_the_likeliest_kernel_by_the_dense_formula(seed, n_kinds, late):
    kinds, scores = features(seed, n_kinds), smooth_scores(seed)
    found = Forecaster(kinds)(CANDIDATES, EPOCHS, scores, LAST, late)
    weights = WEIGHTS if n_kinds == 2 else (None,)
    kernels = list(product(LENGTHS, weights, SHARES, MEMORIES))
    fits = [dense(kinds, late, scores, kernel) for kernel in kernels]
    agree = [
        np.allclose(found.mean, mean, atol=1e-9) and np.allclose(found.std, std, atol=1e-9)
        for _, mean, std in fits
    ]
    assert np.flatnonzero(agree) == [np.argmax([likelihood for likelihood, _, _ in fits])]


def test_chance_and_improvement_are_integrals(forecast):
    z_bar = forecast.normal[3]
    for i, (mean, std) in enumerate(zip(forecast.mean, forecast.std, strict=True)):
        density = norm(mean, std).pdf
        end = mean + 12 * std
        chance = quad(density, z_bar, end)[0]
        improvement = quad(lambda z, p=density: (z - z_bar) * p(z), z_bar, end)[0]
        assert forecast.chance(forecast.seen[3])[i] == pytest.approx(chance, rel=1e-6)
        assert forecast.improvement(forecast.seen[3])[i] == pytest.approx(improvement, rel=1e-6)


def test_improvement_orders_even_the_hopeless(forecast):
    means = np.linspace(-60, -2, 200)
    hopeless = Forecast(means, np.full(200, 0.7), forecast.seen, forecast.normal)
    improvement = hopeless.improvement(forecast.seen[-1])
    assert (improvement >= 0).all()
    assert (np.diff(improvement[improvement > 0]) > 0).all()


def test_scores_are_medians_that_stay_among_those_seen(forecast):
    seen, normal = forecast.seen, forecast.normal
    at_seen = Forecast(np.array([-9, *normal, 9]), np.ones(7), seen, normal)
    np.testing.assert_allclose(at_seen.scores(), [seen[0], *seen, seen[-1]])
    between = Forecast((normal[1:] + normal[:-1]) / 2, np.ones(4), seen, normal).scores()
    assert ((seen[:-1] < between) & (between < seen[1:])).all()


@pytest.mark.parametrize("increasing", [np.exp, np.cbrt, lambda s: 1e6 * s - 3])
def test_any_increasing_function_of_the_scores_leads_to_the_same_forecast(increasing):
    forecaster, scores = Forecaster(features()), smooth_scores()
    one = forecaster(CANDIDATES, EPOCHS, scores, LAST)
    other = forecaster(CANDIDATES, EPOCHS, increasing(scores), LAST)
    assert_same(one, other)
    for bar in scores:
        np.testing.assert_allclose(one.chance(bar), other.chance(increasing(bar)), rtol=1e-9)


def test_the_order_of_scores_does_not_matter_whatever_the_ties():
    scores = smooth_scores()
    assert len(set(scores)) < len(scores)
    forecaster = Forecaster(features())
    one = forecaster(CANDIDATES, EPOCHS, scores, LAST)
    turned = forecaster(CANDIDATES[::-1], EPOCHS[::-1], scores[::-1], LAST)
    assert_same(one, turned)
    np.testing.assert_allclose(one.improvement(scores[0]), turned.improvement(scores[0]))


@pytest.mark.filterwarnings("error")
def test_equal_scores_promise_the_same_again():
    found = Forecaster(features())(CANDIDATES, EPOCHS, np.full(len(SEEN), 7.5), LAST)
    np.testing.assert_array_equal(found.scores(), 7.5)
    np.testing.assert_allclose(found.chance(7.5), 0.5)
    improvement = found.improvement(7.5)
    assert (improvement > 0).all()
    assert np.argmax(improvement) in (4, 6, 7), "nothing is known of these"


@pytest.mark.filterwarnings("error")
def test_one_score_leaves_the_others_open():
    kinds = features()
    found = Forecaster(kinds)([2], [1], [0.25], LAST)
    np.testing.assert_array_equal(found.scores(), 0.25)
    assert np.argmin(found.std) == 2
    near = np.argsort(distances(kinds[0])[2] + 4 * distances(kinds[1])[2])
    assert (np.diff(found.std[near[[0, 1, -1]]]) > 0).all()


def test_late_features_that_nobody_has_are_none():
    forecaster, scores = Forecaster(features()), smooth_scores()
    without = forecaster(CANDIDATES, EPOCHS, scores, LAST)
    nobody = forecaster(CANDIDATES, EPOCHS, scores, LAST, np.full((N, 3), np.nan))
    assert_same(without, nobody)


def test_late_features_tell_those_apart_that_early_ones_do_not():
    early = np.zeros((6, 1))
    late = np.array([[1.0], [1.0], [-1.0], [-1.0], [1.0], [np.nan]])
    epochs = [1, 1, 1, 1, 1, LAST, LAST]
    found = Forecaster([early])([0, 1, 2, 3, 4, 0, 2], epochs, [5, 5, 5, 5, 5, 9, 1], LAST, late)
    assert found.mean[1] > found.mean[5] > found.mean[3]
    assert found.mean[4] == pytest.approx(found.mean[1])


def test_distances_are_in_units_of_their_median_and_missing_for_missing_rows():
    X = np.random.default_rng(0).normal(size=(7, 3))
    found = distances(np.vstack([X, np.full(3, np.nan)]))
    assert np.isnan(found[7]).all()
    assert np.isnan(found[:, 7]).all()
    np.testing.assert_allclose(found[np.triu_indices(7, 1)], pdist(X) / np.median(pdist(X)))
    np.testing.assert_array_equal(distances(np.full((3, 2), 0.1)), 0)


@pytest.mark.parametrize("seed", range(5, 8))
def test_equal_rows_are_exactly_no_distance_apart_however_many(seed):
    rng = np.random.default_rng(seed)
    X = np.tile(rng.normal(size=(1, 80)), (100, 1))
    X[80:] += rng.normal(size=(20, 80))
    X = (X - X.mean(0)) / X.std(0)
    found = distances(X)
    np.testing.assert_array_equal(found[:80, :80], 0)
    assert 0.5 < found[80:, 80:].max() < 3


@st.composite
def problems(draw):
    """Features of any kind, rows that repeat, late ones that lack, and candidates with scores."""
    n = draw(st.integers(2, 7))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    rows = [rng.normal(size=(n, 2)), rng.integers(0, 2, (n, 3)).astype(float)]
    late = rng.normal(size=(n, 2))
    late[rng.random(n) < draw(st.sampled_from([0, 0.5]))] = np.nan
    pairs = st.tuples(st.integers(0, n - 1), st.sampled_from([1, 2, 4, 12]))
    seen = draw(st.lists(pairs, min_size=1, max_size=10, unique=True))
    return rows[: draw(st.integers(1, 2))], draw(st.sampled_from([late, None])), seen


@settings(max_examples=25, deadline=None, derandomize=True)
@given(problems())
def test_kernels_are_positive_definite_and_of_one_variance(problem):
    kinds, late, seen = problem
    candidates, epochs = np.transpose(seen)
    gaps = np.abs(np.subtract.outer(np.log(epochs), np.log(epochs)))
    for alike, memory in Forecaster(kinds)._kernels(candidates, late):
        K = _over_epochs(alike[candidates], gaps, memory)
        np.testing.assert_allclose(K, K.T, atol=1e-12)
        np.testing.assert_allclose(np.diag(K), 1 + 2 * SHARED)
        assert np.linalg.eigvalsh(K)[0] > -1e-9
