import numpy as np
import pytest
from sklearn.dummy import DummyRegressor

from lyapsk.demo import _evaluation
from lyapsk.demo._evaluation import cross_validate
from lyapsk.demo._tables import as_text, scores_table


@pytest.fixture(scope="module")
def scores():
    """Features tell the target but for noise; the loss before training tells nothing."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 5))
    target = features[:, 0] + 0.1 * rng.normal(size=60)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_evaluation, "AeLLERegressor", lambda **_: DummyRegressor())
        return cross_validate(features, rng.uniform(2, 3, size=60), target, seed=0, n_jobs=1)


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


def test_table_as_text_and_as_columns(scores):
    lines = as_text(scores).splitlines()
    assert lines[0].split() == ["predictor", "R2", "Spearman"]
    assert lines[1].split()[-1] == "-"
    assert lines[3].split()[-2:] == [f"{scores[2].r2:.2f}", f"{scores[2].spearman:.2f}"]
    assert scores_table(scores)["r2"] == [score.r2 for score in scores]
