"""The scorer inside scikit-learn's model selection and skorch's training loop."""

import numpy as np
import pytest
import torch
from helpers import make_net, tokens
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from skorch.callbacks import EpochScoring
from skorch.dataset import Dataset
from skorch.helper import predefined_split

from lyapsk import GradientAlignmentScorer

X = tokens(n_sequences=24)
Y = X[:, 0] % 3
SCORER = GradientAlignmentScorer(n_directions=2)


def test_cross_val_score():
    net, folds = make_net(train_split=None), KFold(2)
    torch.manual_seed(0)
    scores = cross_val_score(net, X, Y, scoring=SCORER, cv=folds)
    torch.manual_seed(0)
    expected = [
        SCORER(clone(net).fit(X[train], Y[train]), X[test], Y[test])
        for train, test in folds.split(X)
    ]
    np.testing.assert_array_equal(scores, expected)


def test_beside_other_scores():
    net = make_net(train_split=None)
    results = cross_validate(
        net, X, Y, scoring={"alignment": SCORER, "accuracy": "accuracy"}, cv=2, error_score="raise"
    )
    assert np.isfinite(results["test_alignment"]).all()


def test_grid_search():
    search = GridSearchCV(
        make_net(train_split=None),
        {"module__n_units": [3, 6], "lr": [0.01]},
        scoring=SCORER,
        cv=2,
        error_score="raise",
    )
    search = clone(search).fit(X, Y)
    best = search.cv_results_["mean_test_score"].max()
    assert search.best_score_ == best
    assert np.isfinite(best)
    assert search.score(X, Y) == SCORER(search.best_estimator_, X, Y)


@pytest.mark.parametrize("use_caching", [False, True])
@pytest.mark.parametrize("on_train", [False, True])
def test_epoch_scoring(use_caching, on_train):
    """Also with cached predictions, where skorch passes a Subset and replaces forward_iter."""
    callback = EpochScoring(
        SCORER, lower_is_better=False, on_train=on_train, use_caching=use_caching
    )
    net = make_net(callbacks=[callback], classes=[0, 1, 2]).set_params(max_epochs=2)
    net.fit(X, Y)
    recorded = net.history[:, "gradient_alignment"]
    assert len(recorded) == 2
    split = net.get_split_datasets(X, Y)[0 if on_train else 1]
    assert recorded[-1] == SCORER(net, split)
    assert recorded[0] != recorded[1]


@pytest.mark.parametrize("use_caching", [False, True])
def test_epoch_scoring_does_not_change_the_training(use_caching):
    weights = []
    for callbacks in ([], [EpochScoring(SCORER, use_caching=use_caching)]):
        net = make_net(callbacks=callbacks)
        torch.manual_seed(0)
        net.fit(X, Y)
        weights.append(net.module_.recurrent.weight_hh_l0)
    assert torch.equal(*weights)


class Tokens(torch.utils.data.Dataset):
    """Inputs and targets that skorch knows nothing of."""

    def __len__(self):
        return len(X)

    def __getitem__(self, index):
        return X[index], Y[index]


def test_epoch_scoring_on_a_torch_dataset():
    callback = EpochScoring(SCORER, use_caching=False)
    net = make_net(callbacks=[callback], train_split=predefined_split(Tokens()), classes=[0, 1, 2])
    net.fit(Tokens(), None)
    assert net.history[-1, "gradient_alignment"] == SCORER(net, X, Y)
    assert SCORER(net, Dataset(X, Y)) == SCORER(net, X, Y)


def test_both_sides_have_a_column_each():
    scorers = [GradientAlignmentScorer(n_directions=2, side=side) for side in ("state", "adjoint")]
    callbacks = [(s.side, EpochScoring(s, lower_is_better=False)) for s in scorers]
    net = make_net(callbacks=callbacks).fit(tokens(30), np.tile([0, 1, 2], 10))
    assert {"gradient_alignment", "adjoint_alignment"} <= set(net.history[-1])
