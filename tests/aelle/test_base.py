"""What holds for both estimators."""

import io
import pickle
import random
from contextlib import redirect_stderr

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.estimator_checks import parametrize_with_checks

from lyapsk import AeLLEClassifier, AeLLERegressor
from lyapsk.aelle._training import Best
from lyapsk.exceptions import InvalidInputError, NumericalError

ESTIMATORS = [AeLLERegressor, AeLLEClassifier]
both = pytest.mark.parametrize("Estimator", ESTIMATORS)


@pytest.fixture(scope="module")
def rows(curved_spectra):
    """Rows and targets that are numbers as well as classes."""
    X, y = curved_spectra(60, n_features=12)
    return X, (y > 0).astype(int)


def quick(Estimator, **parameters):
    return Estimator(**({"max_epochs": 5, "random_state": 0} | parameters))


def outputs(estimator, X):
    codes = estimator.transform(X)
    return codes, estimator.predict(X), estimator.inverse_transform(codes)


def assert_same_outputs(first, second, X):
    for one, other in zip(outputs(first, X), outputs(second, X), strict=True):
        np.testing.assert_array_equal(one, other)


@parametrize_with_checks([Estimator(max_epochs=10) for Estimator in ESTIMATORS])
def test_scikit_learn_conventions(estimator, check):
    check(estimator)


@both
def test_low_rank_rows_are_reconstructed(Estimator):
    rng = np.random.default_rng(0)
    X = 5 + rng.normal(size=(100, 4)) @ rng.normal(size=(4, 25))
    aelle = Estimator(latent_dim=4, random_state=0).fit(X, rng.integers(2, size=100))
    error = X - aelle.inverse_transform(aelle.transform(X))
    assert np.mean(error**2) < 0.01 * np.mean((X - X.mean(axis=0)) ** 2)


@both
def test_reconstruction_error_is_that_of_the_decoded_code(Estimator, rows):
    X, y = rows
    aelle = quick(Estimator).fit(X, y)
    error = X - aelle.inverse_transform(aelle.transform(X))
    # No value of these columns is far out, so that their units are the plain deviations.
    expected = np.mean((error / X.std(axis=0)) ** 2, axis=1)
    np.testing.assert_allclose(aelle.reconstruction_error(X), expected, rtol=1e-9)


@both
def test_rows_unlike_those_seen_have_a_large_reconstruction_error(Estimator, rows):
    X, y = rows
    aelle = Estimator(latent_dim=3, random_state=0).fit(X, y)
    shuffled = np.random.default_rng(0).permuted(X, axis=1)
    usual = aelle.reconstruction_error(X)
    assert np.median(aelle.reconstruction_error(shuffled)) > 10 * np.median(usual)
    assert aelle.reconstruction_error(X[:1] + 1e6) > 1e6


@both
@pytest.mark.parametrize("n_rows", [2, 3, 11, 12, 13])
@pytest.mark.parametrize("n_features", [1, 2048])
def test_any_shape(Estimator, n_rows, n_features):
    X = np.random.default_rng(0).normal(size=(n_rows, n_features))
    aelle = quick(Estimator).fit(X, np.arange(n_rows) % 2)
    codes, predicted, decoded = outputs(aelle, X)
    assert codes.shape == (n_rows, 16)
    assert decoded.shape == X.shape
    assert set(predicted) <= {0, 1} or np.isfinite(predicted).all()


@both
def test_constant_features_are_ignored(Estimator, rows):
    X, y = rows
    padded, changed = np.c_[X, np.full(60, -7)], np.c_[X, np.full(60, 100)]
    aelle = quick(Estimator).fit(padded, y)
    codes = aelle.transform(padded)
    np.testing.assert_array_equal(aelle.transform(changed), codes)
    np.testing.assert_array_equal(aelle.inverse_transform(codes)[:, 12], -7)
    np.testing.assert_array_equal(
        aelle.reconstruction_error(changed), aelle.reconstruction_error(padded)
    )


@both
def test_units_of_the_features_do_not_matter(Estimator, rows):
    X, y = rows
    rescaled = X * np.geomspace(1e-3, 1e3, 12) - np.arange(12)
    aelle, other = (Estimator(random_state=0).fit(rows, y) for rows in (X, rescaled))
    np.testing.assert_allclose(other.predict(rescaled), aelle.predict(X), atol=1e-5)
    np.testing.assert_allclose(other.transform(rescaled), aelle.transform(X), atol=1e-5)


@both
def test_same_random_state_same_numbers(Estimator, rows):
    X, y = rows
    first = quick(Estimator).fit(X, y)
    assert_same_outputs(first, quick(Estimator).fit(X, y), X)
    other = quick(Estimator, random_state=1).fit(X, y)
    assert not np.array_equal(first.transform(X), other.transform(X))


@both
def test_global_generators_are_left_alone(Estimator, rows):
    X, y = rows
    numpy_generator = check_random_state(None)
    of_torch, of_python = torch.get_rng_state(), random.getstate()
    of_numpy = numpy_generator.get_state()[1].copy()
    outputs(quick(Estimator).fit(X, y), X)
    assert torch.equal(torch.get_rng_state(), of_torch)
    np.testing.assert_array_equal(numpy_generator.get_state()[1], of_numpy)
    assert random.getstate() == of_python


@both
def test_global_torch_seed_does_not_matter(Estimator, rows):
    X, y = rows
    first = quick(Estimator).fit(X, y)
    torch.manual_seed(123)
    assert_same_outputs(first, quick(Estimator).fit(X, y), X)


@both
@pytest.mark.parametrize("architecture", ["residual", "paper"])
def test_default_dtype_of_torch_does_not_matter(Estimator, architecture, rows):
    X, y = rows
    first = quick(Estimator, architecture=architecture).fit(X, y)
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64 if default == torch.float32 else torch.float32)
    try:
        assert_same_outputs(first, quick(Estimator, architecture=architecture).fit(X, y), X)
    finally:
        torch.set_default_dtype(default)


@both
def test_survives_pickle_and_joblib(Estimator, rows, tmp_path):
    X, y = rows
    aelle = quick(Estimator).fit(X, y)
    assert_same_outputs(aelle, pickle.loads(pickle.dumps(aelle)), X)
    joblib.dump(aelle, tmp_path / "aelle")
    assert_same_outputs(aelle, joblib.load(tmp_path / "aelle"), X)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@both
def test_fitted_on_a_gpu_it_lives_on_the_cpu(Estimator, rows):
    X, y = rows
    aelle = quick(Estimator, device="cuda").fit(X, y)
    np.testing.assert_allclose(aelle.transform(X), quick(Estimator).fit(X, y).transform(X))
    assert b"cuda" not in pickle.dumps(aelle.members_)


@both
def test_works_in_pipelines_searches_and_scores(Estimator, rows):
    X, y = rows
    pipe = make_pipeline(StandardScaler(), quick(Estimator))
    assert cross_val_score(clone(pipe), X, y, cv=2).mean() > 0.1
    grid = {f"{Estimator.__name__.lower()}__latent_dim": [1, 3]}
    search = GridSearchCV(pipe, grid, cv=2).fit(X, y)
    assert search.best_estimator_[-1].transform(X).shape[1] in (1, 3)


@both
def test_data_frames_in_data_frames_out(Estimator, rows):
    X, y = rows
    frame = pd.DataFrame(X, columns=[f"q{i}" for i in range(12)], index=np.arange(60) + 100)
    aelle = quick(Estimator, latent_dim=2).set_output(transform="pandas").fit(frame, y)
    codes = aelle.transform(frame)
    prefix = Estimator.__name__.lower()
    assert list(codes.columns) == [f"{prefix}0", f"{prefix}1"]
    assert codes.index.equals(frame.index)
    np.testing.assert_allclose(codes, quick(Estimator, latent_dim=2).fit(X, y).transform(X))
    assert aelle.inverse_transform(codes).shape == X.shape
    assert aelle.predict(frame).shape == (60,)


@both
@pytest.mark.parametrize(("verbose", "prints"), [(0, False), (1, True)])
def test_quiet_unless_asked(Estimator, rows, verbose, prints):
    with redirect_stderr(io.StringIO()) as printed:
        quick(Estimator, verbose=verbose).fit(*rows)
    assert ("training AeLLE" in printed.getvalue()) == prints
    assert bool(printed.getvalue()) == prints


@both
@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("latent_dim", 0),
        ("latent_dim", 2.5),
        ("hidden_dim", 0),
        ("noise", -0.1),
        ("target_weight", -1),
        ("learning_rate", 0),
        ("max_epochs", 0),
        ("n_members", 0),
        ("architecture", "deep"),
        ("device", 3),
        ("random_state", "seed"),
        ("verbose", -1),
    ],
)
def test_bad_parameters_are_named(Estimator, rows, parameter, value):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of .* Got {value!r} instead"):
        Estimator(**{parameter: value}).fit(*rows)


@both
def test_a_device_that_does_not_exist_is_named(Estimator, rows):
    with pytest.raises(InvalidInputError, match=r"device='tpu'.*device=None"):
        Estimator(device="tpu").fit(*rows)


@both
@pytest.mark.parametrize(("value", "kind"), [(-np.inf, "infinity"), (np.nan, "NaN")])
def test_rows_that_are_not_finite_are_named(Estimator, rows, value, kind):
    X, y = rows
    bad = X.copy()
    bad[3, 5] = value
    message = f"X contains {kind}: row 3, column 5 .*finite floor"
    with pytest.raises(InvalidInputError, match=message):
        quick(Estimator).fit(bad, y)
    with pytest.raises(InvalidInputError, match=message):
        quick(Estimator).fit(X, y).predict(bad)


@both
def test_codes_of_the_wrong_width_are_refused(Estimator, rows):
    with pytest.raises(InvalidInputError, match=r"Z has 12 columns.*latent_dim=16"):
        quick(Estimator).fit(*rows).inverse_transform(rows[0])


@both
def test_diverged_training_is_an_error_not_a_nan(Estimator, rows):
    X, _ = rows
    with pytest.raises(NumericalError, match=r"learning_rate=1e\+200.*smaller"):
        quick(Estimator, learning_rate=1e200).fit(X[:8], np.arange(8) % 2)


@both
def test_with_rows_held_out_diverged_training_gives_way_to_the_best_weights(Estimator, rows):
    X, y = rows
    aelle = quick(Estimator, learning_rate=1e200).fit(X, y)
    assert all(np.isfinite(output).all() for output in outputs(aelle, X))


@both
def test_order_of_the_features_does_not_matter(Estimator, rows):
    X, y = rows
    order = np.random.default_rng(0).permutation(12)
    aelle, other = (Estimator(random_state=0).fit(rows, y) for rows in (X, X[:, order]))
    np.testing.assert_allclose(other.transform(X[:, order]), aelle.transform(X), atol=1e-6)
    np.testing.assert_allclose(other.predict(X[:, order]), aelle.predict(X), atol=1e-6)


@both
def test_the_published_network_fits_predicts_and_reconstructs(Estimator, rows):
    X, y = rows
    aelle = Estimator(32, architecture="paper", max_epochs=1000, random_state=0).fit(X, y)
    assert aelle.transform(X).shape == (60, 32)
    assert aelle.inverse_transform(aelle.transform(X)).shape == X.shape
    assert aelle.score(X, y) > 0.3
    assert_same_outputs(aelle, pickle.loads(pickle.dumps(aelle)), X)


@both
@pytest.mark.parametrize("architectures", [("residual", "paper"), ("paper", "residual")])
def test_parameters_set_after_fit_wait_for_the_next(Estimator, architectures, rows):
    X, y = rows
    before, after = architectures
    aelle = quick(Estimator, architecture=before).fit(X, y)
    expected, names = outputs(aelle, X), aelle.get_feature_names_out()
    aelle.set_params(latent_dim=3, architecture=after, n_members=2)
    for one, other in zip(outputs(aelle, X), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert list(aelle.get_feature_names_out()) == list(names)
    aelle.fit(X, y)
    assert aelle.transform(X).shape == (60, 3)
    assert len(aelle.get_feature_names_out()) == 3
    assert vars(aelle).keys() == vars(clone(aelle).fit(X, y)).keys()


@both
def test_the_published_network_keeps_its_last_weights(Estimator, rows, monkeypatch):
    restored = []
    monkeypatch.setattr(Best, "restore", lambda best: restored.append(best))
    quick(Estimator, architecture="paper").fit(*rows)
    assert not restored
    quick(Estimator).fit(*rows)
    assert restored


@both
def test_rows_beyond_a_batch_and_a_block_are_taken(Estimator, curved_spectra, monkeypatch):
    X, y = curved_spectra(70, n_features=6)
    y = (y > 0).astype(int)
    aelle = quick(Estimator).fit(X, y)
    expected = outputs(aelle, X)
    monkeypatch.setattr("lyapsk.aelle._base.BLOCK", 16)
    for one, other in zip(outputs(aelle, X), expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
    monkeypatch.setattr("lyapsk.aelle._training.LARGEST_BATCH", 16)
    in_batches = Estimator(random_state=0).fit(X, y)
    assert in_batches.score(X, y) > 0.7


@both
def test_rows_that_are_all_equal_predict_and_do_not_break(Estimator):
    aelle = quick(Estimator).fit(np.ones((20, 5)), np.arange(20) % 2)
    assert all(np.isfinite(output).all() for output in outputs(aelle, np.ones((3, 5))))


@both
def test_fits_where_gradients_are_off_and_on_any_name_of_the_cpu(Estimator, rows):
    X, y = rows
    first = quick(Estimator).fit(X, y)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            assert_same_outputs(first, quick(Estimator, device="cpu:0").fit(X, y), X)


@both
@pytest.mark.parametrize("architecture", ["residual", "paper"])
def test_weights_repetitions_and_the_order_of_rows_are_all_one(Estimator, architecture, rows):
    X, y = rows
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 4, size=60)
    repeated = rng.permutation(np.repeat(np.arange(60), counts))
    settings = {"architecture": architecture}
    expected = quick(Estimator, **settings).fit(X[repeated], y[repeated])
    order = rng.permutation(60)
    weighted = quick(Estimator, **settings).fit(X[order], y[order], sample_weight=counts[order] / 7)
    for found, values in zip(outputs(weighted, X), outputs(expected, X), strict=True):
        np.testing.assert_allclose(found, values, rtol=1e-6, atol=1e-9)
    unweighted = quick(Estimator, **settings).fit(X, y)
    assert np.abs(unweighted.transform(X) - expected.transform(X)).max() > 1e-3


@both
def test_copies_of_a_row_are_held_out_together(Estimator, rows, monkeypatch):
    X, y = rows
    seen = []
    original = Estimator._fit_heads
    monkeypatch.setattr(
        Estimator,
        "_fit_heads",
        lambda self, rows, held_out: (
            seen.append((rows, held_out)) or original(self, rows, held_out)
        ),
    )
    quick(Estimator).fit(np.vstack([X, X[:30]]), np.concatenate([y, y[:30]]))
    (distinct, held_out), *_ = seen
    assert len(distinct.X) == 60
    assert (held_out.sum(axis=0) == 2).all()
    expected = np.where((distinct.X[:, None] == X[:30]).all(axis=2).any(axis=1), 4 / 3, 2 / 3)
    np.testing.assert_allclose(distinct.shares, expected)


def test_rounding_of_the_weights_reorders_no_rows():
    """On a symmetric design, where many rows are equally long."""
    X = np.array(list(np.ndindex(3, 3, 3, 3))) - 1.0
    y = X @ [1, -2, 0.5, 1] + X[:, 0] * X[:, 1]
    one, other = (
        quick(AeLLERegressor).fit(X, y, sample_weight=np.full(81, weight)).predict(X)
        for weight in (1.0, 0.1)
    )
    np.testing.assert_allclose(one, other, rtol=1e-6)


@both
@pytest.mark.parametrize("architecture", ["residual", "paper"])
def test_what_hardly_counts_is_hardly_learned(Estimator, architecture):
    """Half of the rows have the opposite target."""
    hidden, mixed = np.random.default_rng(0).normal(size=(2, 240, 32))
    X, y = hidden[:, :1] + 0.1 * mixed, (hidden[:, 0] > 0).astype(int)
    wrong = np.arange(120) % 2 == 1
    told = np.where(wrong, 1 - y[:120], y[:120])
    settings = {"random_state": 0, "architecture": architecture, "max_epochs": 300}
    right, opposite = (
        Estimator(**settings).fit(X[:120], told, sample_weight=weights).predict(X[120:])
        for weights in (np.where(wrong, 0.02, 1), np.where(wrong, 1, 0.02))
    )
    for predicted, target in ((right, y[120:]), (opposite, 1 - y[120:])):
        assert np.mean((predicted > 0.5) == target) > 0.75


@both
@pytest.mark.parametrize(
    ("weights", "told"),
    [
        (np.r_[-1.0, np.ones(59)], "sample_weight is -1.0 for row 0; it must hold one number"),
        (np.r_[np.ones(58), np.nan, 1], "sample_weight is nan for row 58"),
        (np.r_[np.ones(58), np.inf, 1], "sample_weight is inf for row 58"),
        ("balanced", "sample_weight: got str; it must hold one number of 0 or more"),
        (np.array(["2"] * 60), "sample_weight: got ndarray"),
        ([{"a": 1}] * 60, "sample_weight: got list"),
        (np.zeros(60, dtype="M8[s]"), "sample_weight: got ndarray"),
        (3.0, r"sample_weight has shape \(\); it must be \(60,\)"),
        (np.zeros(60), "sample_weight is zero for all rows"),
        (np.ones(59), r"sample_weight has shape \(59,\); it must be \(60,\)"),
        (np.ones((60, 1)), r"sample_weight has shape \(60, 1\); it must be \(60,\)"),
    ],
)
def test_weights_that_are_none_are_refused(Estimator, rows, weights, told):
    with pytest.raises(InvalidInputError, match=told):
        quick(Estimator).fit(*rows, sample_weight=weights)


@both
def test_weights_of_any_size_and_kind(Estimator, rows):
    X, y = rows
    counts = np.arange(60) % 3 + 1
    expected = quick(Estimator).fit(X, y, sample_weight=counts)
    for weights in (counts * 1e-300, counts * 1e300, counts.tolist(), pd.Series(counts, X[:, 0])):
        found = quick(Estimator).fit(X, y, sample_weight=weights)
        for one, other in zip(outputs(found, X), outputs(expected, X), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)
    wide = np.where(np.arange(60) < 20, 1e-320, 1e10)
    few = quick(Estimator).fit(X[20:], y[20:])
    assert_same_outputs(quick(Estimator).fit(X, y, sample_weight=wide), few, X)
    some = quick(Estimator).fit(X, y, sample_weight=np.arange(60) >= 20)
    assert_same_outputs(some, few, X)


def test_a_class_that_counts_nothing_is_none(rows):
    X, y = rows
    with pytest.raises(InvalidInputError, match="y holds only the class 1"):
        quick(AeLLEClassifier).fit(X, y, sample_weight=y)
    three = np.where(np.arange(60) < 20, 2, y)
    aelle = quick(AeLLEClassifier).fit(X, three, sample_weight=three != 2)
    np.testing.assert_array_equal(aelle.classes_, [0, 1])


@both
def test_one_distinct_row_is_enough(Estimator, rows):
    X, y = rows
    weights = np.zeros(60)
    one, other = np.argmax(y == 1), np.argmax(y == 0)
    weights[[one, other]] = 1
    if Estimator is AeLLERegressor:
        X, y = X.copy(), y.copy()
        X[other], y[other] = X[one], y[one]
    aelle = quick(Estimator).fit(X, y, sample_weight=weights)
    assert np.isfinite(aelle.transform(X)).all()
    if Estimator is AeLLERegressor:
        np.testing.assert_allclose(aelle.predict(X, return_std=True), [np.ones(60), np.zeros(60)])
