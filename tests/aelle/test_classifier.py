import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from lyapsk import AeLLEClassifier
from lyapsk.aelle._classifier import _relative_cross_entropy
from lyapsk.exceptions import InvalidInputError


def in_classes(y, names):
    return np.asarray(names)[np.digitize(y, np.quantile(y, np.arange(1, len(names)) / len(names)))]


@pytest.fixture(scope="module", params=[["no", "yes"], [3, 7, 9], list("abcde")], ids=len)
def problem(curved_spectra, request):
    X, y = curved_spectra(350)
    y = in_classes(y, request.param)
    return AeLLEClassifier(random_state=0).fit(X[:150], y[:150]), X[150:], y[150:]


def test_predicts_better_than_chance_by_far(problem):
    aelle, X_new, y_new = problem
    n_classes = len(aelle.classes_)
    assert aelle.score(X_new, y_new) > 1 - 0.5 * (1 - 1 / n_classes)
    assert log_loss(y_new, aelle.predict_proba(X_new)) < 0.7 * np.log(n_classes)


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
    loss = _relative_cross_entropy(torch.zeros(6, n_classes), torch.eye(n_classes)[[0, 1] * 3])
    assert loss.item() == pytest.approx(1)


def test_a_single_class_is_refused():
    with pytest.raises(InvalidInputError, match=r"only the class good; .* two or more classes"):
        AeLLEClassifier().fit(np.eye(3), ["good"] * 3)


def test_numbers_that_are_no_classes_are_refused():
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        AeLLEClassifier().fit(np.eye(3), [0.1, 0.2, 0.7])
