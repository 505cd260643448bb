import numpy as np
import pytest
from scipy.stats import rankdata
from sklearn.dummy import DummyRegressor
from sklearn.metrics import r2_score

from lyapsk.report import _evaluation
from lyapsk.report._evaluation import Score, cross_validate


@pytest.fixture(scope="module")
def features():
    return np.random.default_rng(0).normal(size=(60, 5))


@pytest.fixture(scope="module")
def target(features):
    return features[:, 0] + 0.1 * np.random.default_rng(1).normal(size=60)


@pytest.fixture(scope="module")
def scores(features, target):
    """Features tell the target but for noise; the loss before training tells nothing."""
    rng = np.random.default_rng(2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_evaluation, "AeLLERegressor", lambda **_: DummyRegressor())
        early = np.log(rng.uniform(2, 3, size=60))
        return cross_validate(
            features, early, target, seed=0, early_name="loss before training", verbose=0
        )


def test_rows_of_the_table(scores):
    assert [score.predictor for score in scores] == [
        "always the mean",
        "loss before training",
        "spectrum with ridge",
        "spectrum with AeLLE",
    ]


def test_scores_tell_who_knows(scores):
    mean, loss, ridge, _ = scores
    assert -0.1 < mean.r2 < 0
    assert np.isnan(mean.spearman)
    assert loss.r2 < 0.1
    assert ridge.r2 > 0.95
    assert ridge.spearman > 0.95


def test_every_network_is_held_out_once_in_each_repeat(scores):
    mean = scores[0].out_of_fold
    assert mean.shape == (3, 60)
    for repeat in mean:
        values, counts = np.unique(repeat, return_counts=True)
        assert len(values) == 5
        np.testing.assert_array_equal(counts, 12)


def test_predictors_share_their_folds(scores):
    """A dummy in place of the autoencoder predicts what the dummy of the first row does."""
    np.testing.assert_array_equal(scores[0].out_of_fold, scores[3].out_of_fold)


def test_spread_stands_beside_the_predictions_of_those_that_tell_it(scores):
    assert scores[1].std is None
    assert scores[1].mean_std is None
    assert scores[3].std.shape == (3, 60)
    np.testing.assert_array_equal(scores[3].mean, scores[3].out_of_fold.mean(axis=0))


def test_scores_are_means_over_the_repeats(scores, target):
    for score in scores[1:3]:
        own = [r2_score(target, predicted) for predicted in score.out_of_fold]
        assert np.std(own) > 0
        assert score.r2 == pytest.approx(np.mean(own), abs=1e-12)
        ranks = [
            np.corrcoef(rankdata(target), rankdata(predicted))[0, 1]
            for predicted in score.out_of_fold
        ]
        assert score.spearman == pytest.approx(np.mean(ranks), abs=1e-12)


def test_variances_of_the_repeats_are_what_is_averaged():
    score = Score("x", 0.0, 0.0, np.zeros((2, 3)), np.array([[1.0, 0.0, 2.0], [7.0, 0.0, 2.0]]))
    np.testing.assert_allclose(score.mean_std, [5, 0, 2])


def test_equal_targets_have_no_order():
    rng = np.random.default_rng(0)
    scores = cross_validate(
        rng.normal(size=(12, 2)), rng.normal(size=12), np.zeros(12), 0, early_name="x", verbose=0
    )
    assert np.isnan([score.spearman for score in scores]).all()


def test_where_all_targets_are_equal_nothing_can_be_predicted(features):
    equal = np.full(60, 1.5)
    for score in cross_validate(features, equal, equal, 0, early_name="loss", verbose=0):
        assert np.isnan(score.r2)
        assert np.isnan(score.spearman)
