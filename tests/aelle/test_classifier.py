import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import log_loss

from lyapsk import AeLLEClassifier, AeLLERegressor
from lyapsk.aelle._classifier import _relative_cross_entropies
from lyapsk.exceptions import InvalidInputError


def in_classes(y, names):
    return np.asarray(names)[np.digitize(y, np.quantile(y, np.arange(1, len(names)) / len(names)))]


@pytest.fixture(scope="module", params=[["no", "yes"], [3, 7, 9], list("abcde")], ids=len)
def rows(curved_spectra, request):
    X, y = curved_spectra(350)
    return X, in_classes(y, request.param)


@pytest.fixture(scope="module")
def problem(rows):
    X, y = rows
    return AeLLEClassifier(random_state=0).fit(X[:150], y[:150]), X[150:], y[150:]


def test_predicts_better_than_chance_and_a_forest(rows, problem):
    aelle, X_new, y_new = problem
    forest = RandomForestClassifier(200, random_state=0).fit(*(values[:150] for values in rows))
    loss, forest_loss = (
        log_loss(y_new, estimator.predict_proba(X_new)) for estimator in (aelle, forest)
    )
    assert aelle.score(X_new, y_new) > forest.score(X_new, y_new) - 0.04
    assert loss < forest_loss
    assert loss < 0.7 * np.log(len(aelle.classes_))


def test_probabilities_are_those_of_the_classes(problem):
    aelle, X_new, y_new = problem
    probabilities = aelle.predict_proba(X_new)
    np.testing.assert_array_equal(aelle.classes_, np.unique(y_new))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert probabilities.min() > 0
    np.testing.assert_array_equal(
        aelle.predict(X_new), aelle.classes_[probabilities.argmax(axis=1)]
    )


def test_probabilities_are_calibrated(problem):
    """Predictions come true as often as they say."""
    aelle, X_new, y_new = problem
    confidence = aelle.predict_proba(X_new).max(axis=1)
    assert aelle.score(X_new, y_new) == pytest.approx(confidence.mean(), abs=0.1)


def test_a_rare_class_is_learned_with_the_others(curved_spectra):
    X, y = curved_spectra(80)
    y = np.where(np.arange(80) == 40, "odd", in_classes(y, ["bad", "good"]))
    aelle = AeLLEClassifier(max_epochs=20, random_state=0).fit(X, y)
    assert list(aelle.classes_) == ["bad", "good", "odd"]
    assert aelle.predict_proba(X)[40, 2] > 0.1


def test_pure_noise_gives_the_shares_of_the_classes():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(400, 10)), rng.choice(2, size=400, p=[0.8, 0.2])
    probabilities = AeLLEClassifier(random_state=0).fit(X[:200], y[:200]).predict_proba(X[200:])
    assert probabilities[:, 1].mean() == pytest.approx(0.2, abs=0.06)
    assert log_loss(y[200:], probabilities) < 0.62


@pytest.mark.parametrize("n_classes", [2, 5])
def test_the_loss_of_a_uniform_guess_is_1(n_classes):
    memberships = torch.eye(n_classes)[[0, 1] * 3]
    losses = _relative_cross_entropies(torch.zeros(4, 6, n_classes), memberships)
    torch.testing.assert_close(losses, torch.ones(4, 6))


def test_the_loss_is_the_cross_entropy():
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    classes = torch.tensor([0, 1, 2, 0, 1, 2])
    expected = torch.nn.functional.cross_entropy(logits, classes, reduction="none") / np.log(3)
    found = _relative_cross_entropies(logits, torch.eye(3)[classes])
    torch.testing.assert_close(found, expected)


def test_a_single_class_is_refused():
    with pytest.raises(InvalidInputError, match=r"only the class good; .* two or more classes"):
        AeLLEClassifier().fit(np.eye(3), ["good"] * 3)


def test_numbers_that_are_no_classes_are_refused():
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        AeLLEClassifier().fit(np.eye(3), [0.1, 0.2, 0.7])


@pytest.mark.parametrize("kind", [AeLLEClassifier, AeLLERegressor])
def test_weights_must_leave_two_rows(kind):
    X = np.random.default_rng(0).normal(size=(5, 3))
    with pytest.raises(InvalidInputError, match="sample_weight: leaves 1 of 5 rows"):
        kind().fit(X, [0, 1, 0, 1, 0], sample_weight=[1, 0, 0, 0, 0])
