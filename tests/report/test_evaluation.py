import numpy as np
import pytest
from sklearn.dummy import DummyRegressor

from lyapsk.report import _evaluation
from lyapsk.report._evaluation import cross_validate


@pytest.fixture(scope="module")
def scores():
    """Features tell the target but for noise; the loss before training tells nothing."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 5))
    target = features[:, 0] + 0.1 * rng.normal(size=60)
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


def test_equal_targets_have_no_order():
    rng = np.random.default_rng(0)
    scores = cross_validate(
        rng.normal(size=(12, 2)), rng.normal(size=12), np.zeros(12), 0, early_name="x", verbose=0
    )
    assert np.isnan([score.spearman for score in scores]).all()
