from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from lyapsk import AeLLERegressor
from lyapsk.aelle._kernels import Linear
from lyapsk.aelle._regressor import _squared_errors
from lyapsk.aelle._rows import Rows
from lyapsk.exceptions import InvalidInputError


@pytest.fixture(scope="module")
def split(curved_spectra):
    X, y = curved_spectra(350)
    return X[:150], y[:150], X[150:], y[150:]


@pytest.fixture(scope="module")
def fitted(split):
    return AeLLERegressor(random_state=0).fit(*split[:2])


def test_predicts_curved_performance_better_than_others(fitted, split):
    X, y, X_new, y_new = split
    line = RidgeCV(np.logspace(-3, 3, 13)).fit(X, y)
    forest = RandomForestRegressor(200, random_state=0).fit(X, y)
    vectors = make_pipeline(StandardScaler(), SVR(C=10)).fit(X, y)
    assert fitted.score(X_new, y_new) > line.score(X_new, y_new) + 0.2
    assert fitted.score(X_new, y_new) > forest.score(X_new, y_new) + 0.02
    assert fitted.score(X_new, y_new) > vectors.score(X_new, y_new) + 0.02


def test_predicts_linear_performance_nearly_as_well_as_a_line():
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(300, 4))
    X = hidden @ rng.normal(size=(4, 30)) + 0.1 * rng.normal(size=(300, 30))
    y = hidden @ [1, -2, 3, 1] + 0.3 * rng.normal(size=300)
    assert AeLLERegressor(random_state=0).fit(X[:150], y[:150]).score(X[150:], y[150:]) > 0.95


def test_a_line_through_the_inputs_helps_where_performance_is_one(curved_spectra):
    rng = np.random.default_rng(0)
    X = curved_spectra(280, n_features=60)[0] + 0.2 * rng.normal(size=(280, 60))
    y = X @ rng.normal(size=60)
    y += 0.4 * y.std() * rng.normal(size=280)
    aelle = AeLLERegressor(random_state=0).fit(X[:80], y[:80])
    heads = aelle.blends_[0].heads
    assert isinstance(heads[-1].kernel, Linear)
    of_others = np.mean(
        [h.predict(v) for h, v in zip(heads[:3], aelle._views(X[80:]), strict=False)], 0
    )
    of_others = aelle.target_scaler_.restore(of_others)[:, 0]
    assert aelle.score(X[80:], y[80:]) > r2_score(y[80:], of_others) + 0.005


@pytest.fixture(scope="module")
def line():
    """Rows, a linear target with noise 1, and what is fitted to them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 20))
    y = X @ rng.normal(size=20) + rng.normal(size=200)
    aelle = AeLLERegressor(random_state=0).fit(X, y)
    assert isinstance(aelle.blends_[0].heads[-1].kernel, Linear)
    return X, y, aelle


def test_a_line_does_not_run_away_from_wild_rows(line):
    X, y, aelle = line
    at_the_ends = aelle.predict(np.sign(X) * 1e3, return_std=True)
    np.testing.assert_allclose(aelle.predict(np.sign(X) * 1e9, return_std=True), at_the_ends)
    assert np.abs(at_the_ends).max() < 2 * np.ptp(y)


def test_the_spread_widens_along_a_line(line):
    X, _, aelle = line
    deviations = np.array([[0], [1], [2], [3]])
    spread = aelle.predict(X.mean(axis=0) + deviations * X.std(axis=0), return_std=True)[1]
    assert (np.diff(spread) > 0).all()
    assert spread[3] > 1.3 * spread[0]


def test_predicts_the_mean_of_noise():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(400, 10)), rng.normal(5, 2, size=400)
    aelle = AeLLERegressor(random_state=0).fit(X[:200], y[:200])
    predicted, std = aelle.predict(X[200:], return_std=True)
    assert r2_score(y[200:], predicted) > -0.15
    assert std.mean() == pytest.approx(2, rel=0.15)


def test_a_single_column_is_enough():
    rng = np.random.default_rng(0)
    X = rng.uniform(-3, 3, size=(300, 1))
    y = np.sin(2 * X[:, 0])
    assert AeLLERegressor(random_state=0).fit(X[:150], y[:150]).score(X[150:], y[150:]) > 0.95


def coverage(make_problem, n_rows):
    """Share of new targets within the central 90 % interval, over a few draws of the problem."""
    within = []
    for seed in range(4):
        X, y = make_problem(n_rows + 200, seed=seed)
        aelle = AeLLERegressor(random_state=seed).fit(X[:n_rows], y[:n_rows])
        predicted, std = aelle.predict(X[n_rows:], return_std=True)
        within.append(np.abs(y[n_rows:] - predicted) < 1.645 * std)
    return np.mean(within)


@pytest.mark.parametrize("n_rows", [20, 60, 150])
def test_intervals_cover(curved_spectra, n_rows):
    assert 0.85 <= coverage(curved_spectra, n_rows) <= 0.95


def test_intervals_cover_where_the_code_overfits():
    """Twenty unrelated features: on the rows trained on, residuals are far too small."""

    def unrelated_features(n_networks, seed):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(n_networks, 20))
        return X, X[:, 0] + np.abs(X[:, 1]) + 0.3 * rng.normal(size=n_networks)

    assert 0.8 <= coverage(unrelated_features, 120) <= 0.95


def test_spread_widens_away_from_the_rows_seen(fitted, split):
    X_new = split[2]
    unlike = np.random.default_rng(0).permuted(X_new, axis=1)
    _, usual = fitted.predict(X_new, return_std=True)
    _, unusual = fitted.predict(unlike, return_std=True)
    assert np.median(unusual) > 1.3 * np.median(usual)


def sized_spectra(seed, n_networks=300):
    """Spectra whose shape and performance change with the log of the network's size."""
    rng = np.random.default_rng(seed)
    level, decay = rng.uniform(-1, 1, size=(2, n_networks))
    size = rng.uniform(3, 6, size=n_networks)
    column, rank = size[:, None], np.linspace(0, 1, 30)
    X = level[:, None] - np.exp(decay + 0.3 * size - 1.35)[:, None] * rank
    X -= np.where(rank > 0.375 + 0.05 * column, column - 2.5, 0)
    X += 0.05 * rng.normal(size=X.shape)
    y = np.exp(level) * (0.4 * size - 0.8) + 0.15 * rng.normal(size=n_networks)
    return X, y, size


def test_spread_widens_for_networks_of_unseen_size():
    covered = []
    for seed in range(3):
        X, y, size = sized_spectra(seed)
        small, large = size < 4.5, size > 5.25
        aelle = AeLLERegressor(random_state=0).fit(X[small], y[small])
        predicted, std = aelle.predict(X[large], return_std=True)
        aelle.usual_disagreement_ = np.inf
        kernels_alone = aelle.predict(X[large], return_std=True)[1]
        errors = np.abs(y[large] - predicted)
        covered.append([np.mean(errors < 1.645 * spread) for spread in (kernels_alone, std)])
    before, after = np.mean(covered, axis=0)
    assert before < 0.65
    assert after > 0.8


@pytest.mark.parametrize("settings", [{"n_members": 1}, {"target_weight": 0}], ids=str)
def test_spread_where_no_members_disagree(split, settings):
    aelle = AeLLERegressor(max_epochs=5, random_state=0, **settings).fit(*split[:2])
    _, std = aelle.predict(split[2], return_std=True)
    assert aelle.usual_disagreement_ == np.inf
    assert np.isfinite(std).all()
    assert (std > 0).all()


def test_spread_keeps_the_prediction(fitted, split):
    predicted, std = fitted.predict(split[2], return_std=True)
    np.testing.assert_array_equal(predicted, fitted.predict(split[2]))
    assert (std > 0).all()


@pytest.mark.parametrize(("shift", "scale"), [(0, 100), (-40, 1e-6), (3, -2)])
def test_units_of_the_target_carry_over(fitted, split, shift, scale):
    X, y, X_new, _ = split
    rescaled = AeLLERegressor(random_state=0).fit(X, shift + scale * y)
    predicted, std = fitted.predict(X_new, return_std=True)
    again, again_std = rescaled.predict(X_new, return_std=True)
    np.testing.assert_allclose((again - shift) / scale, predicted, atol=1e-4)
    np.testing.assert_allclose(again_std / abs(scale), std, rtol=1e-3)


def test_a_constant_target_is_predicted_with_certainty(split):
    X = split[0]
    aelle = AeLLERegressor(max_epochs=5, random_state=0).fit(X, np.full(150, 0.3))
    predicted, std = aelle.predict(X, return_std=True)
    np.testing.assert_array_equal(predicted, 0.3)
    np.testing.assert_array_equal(std, 0)


@pytest.mark.parametrize("wild", [1e3, -1e12])
def test_outlying_rows_and_diverged_runs_do_little_harm(fitted, split, wild):
    X, y, X_new, y_new = split
    X_wild, y_wild = X.copy(), y.copy()
    X_wild[:3] *= wild
    y_wild[3:6] = abs(wild)
    aelle = AeLLERegressor(random_state=0).fit(X_wild, y_wild)
    assert aelle.score(X_new, y_new) > fitted.score(X_new, y_new) - 0.2


def test_the_target_shapes_the_code(split):
    """A direction of little variance that carries the target is kept in a code of one."""
    rng = np.random.default_rng(0)
    loud, quiet = rng.normal(size=(2, 400))
    X = np.c_[np.outer(loud, np.ones(6)), np.outer(quiet, np.ones(2))]
    X += 0.1 * rng.normal(size=X.shape)
    by_code = []
    for weight in (0, 10):
        aelle = AeLLERegressor(latent_dim=1, target_weight=weight, random_state=0)
        aelle.fit(X[:200], quiet[:200])
        by_code.append(aelle.blends_[0].heads[0].predict(aelle.transform(X[200:]))[:, 0])
    scores = [r2_score(quiet[200:], predicted) for predicted in by_code]
    assert scores[0] < 0.5
    assert scores[1] > 0.9


def test_more_rows_than_the_kernel_regression_takes(curved_spectra, monkeypatch):
    monkeypatch.setattr("lyapsk.aelle._base.MAX_KERNEL_ROWS", 300)
    X, y = curved_spectra(600, n_features=8)
    aelle = AeLLERegressor(max_epochs=20, random_state=0).fit(X[:400], y[:400])
    assert [len(head.rows) for head in aelle.blends_[0].heads] == [300] * 4
    assert aelle.score(X[400:], y[400:]) > 0.85


def test_the_spread_is_measured_on_rows_that_did_not_shape_the_code(split, monkeypatch):
    X, y, _, _ = split
    seen = []
    monkeypatch.setattr(
        AeLLERegressor,
        "_surprises",
        lambda self, rows, held_out, views: (
            seen.append(held_out) or np.full((held_out.sum(), 1), 9.0)
        ),
    )
    aelle = AeLLERegressor(max_epochs=5, random_state=0).fit(X, y)
    assert aelle.noise_scale_ == pytest.approx(3)
    assert (np.sum(seen, axis=0) == 2).all()


def test_the_prediction_is_the_mean_of_the_regressions_by_their_errors(fitted, split):
    X_new = split[2]
    (blend,) = fitted.blends_
    code = blend.heads[0].predict(fitted.transform(X_new))
    views = fitted._views(X_new)
    every = [head.predict(view) for head, view in zip(blend.heads, views, strict=True)]
    np.testing.assert_allclose(every[0], code)
    weights = [1 / np.mean(head.residuals**2) for head in blend.heads]
    np.testing.assert_allclose(blend.weights, weights)
    mean = np.average(every, axis=0, weights=weights)
    np.testing.assert_allclose(fitted.predict(X_new), fitted.target_scaler_.restore(mean)[:, 0])


def test_a_line_that_says_nothing_counts_next_to_nothing():
    decay, rank = np.linspace(0.1, 2, 120)[:, None], np.linspace(0, 1, 32)
    X = -decay * rank + 0.02 * np.random.default_rng(0).normal(size=(120, 32))
    y = np.exp(-((decay[:, 0] - 1) ** 2))
    aelle = AeLLERegressor(random_state=0).fit(X[::2], y[::2])
    line = aelle.blends_[0].heads[-1].predict(aelle._views(X[1::2])[-1])
    assert r2_score(y[1::2], aelle.target_scaler_.restore(line)[:, 0]) < 0.2
    assert aelle.score(X[1::2], y[1::2]) > 0.99


def test_the_published_network_gives_one_spread_for_all(split):
    X, y, X_new, y_new = split
    aelle = AeLLERegressor(32, architecture="paper", max_epochs=1000, random_state=0).fit(X, y)
    predicted, std = aelle.predict(X_new, return_std=True)
    assert len(set(std)) == 1
    assert 0.5 < np.sqrt(np.mean((predicted - y_new) ** 2)) / std[0] < 2


@pytest.mark.parametrize(("value", "kind"), [(np.inf, "infinity"), (np.nan, "NaN")])
@pytest.mark.parametrize("as_kind", [np.asarray, list, pd.Series])
def test_targets_that_are_not_finite_are_named(split, value, kind, as_kind):
    X, y = split[0], split[1].copy()
    y[7] = value
    message = f"Input y contains {kind}: row 7 holds {value}. Leave out .*finite value"
    with pytest.raises(InvalidInputError, match=message):
        AeLLERegressor().fit(X, as_kind(y))


def test_text_targets_are_refused(split):
    with pytest.raises(ValueError, match="could not convert string to float"):
        AeLLERegressor().fit(split[0], np.full(150, "high"))


def several(y):
    """Targets of different kinds and units."""
    return np.c_[y, 100 - 3 * y**2, np.random.default_rng(5).normal(size=len(y))]


def test_several_targets_are_each_predicted_with_their_own_spread(split):
    X, y, X_new, y_new = split
    aelle = AeLLERegressor(random_state=0).fit(X, several(y))
    predicted, spread = aelle.predict(X_new, return_std=True)
    assert predicted.shape == spread.shape == (200, 3)
    truth = several(y_new)
    *found, noise = r2_score(truth, predicted, multioutput="raw_values")
    for column, score in enumerate(found):
        alone = AeLLERegressor(random_state=0).fit(X, several(y)[:, column])
        assert score > alone.score(X_new, truth[:, column]) - 0.05
    assert noise < 0.1
    assert spread[:, 2].mean() == pytest.approx(1, abs=0.15)
    error = np.sqrt(np.mean((predicted - truth) ** 2, axis=0))
    ratio = error / np.sqrt(np.mean(spread**2, axis=0))
    assert ((ratio > 0.5) & (ratio < 1.3)).all()


def test_one_target_or_a_column_of_one_give_the_same_numbers(split):
    X, y, X_new, _ = split
    flat, column = (
        AeLLERegressor(max_epochs=5, random_state=0).fit(X, target).predict(X_new, return_std=True)
        for target in (y, y[:, None])
    )
    np.testing.assert_array_equal(np.stack(flat)[:, :, None], np.stack(column))


def test_the_published_network_predicts_several_targets(split):
    X, y, X_new, _ = split
    aelle = AeLLERegressor(architecture="paper", max_epochs=20, random_state=0).fit(X, several(y))
    predicted, spread = aelle.predict(X_new, return_std=True)
    assert predicted.shape == spread.shape == (200, 3)
    assert (spread == spread[0]).all()


def test_of_several_targets_the_one_that_is_not_finite_is_named(split):
    X, y, _, _ = split
    targets = several(y)
    targets[7, 1] = np.inf
    with pytest.raises(InvalidInputError, match="y contains infinity: row 7 holds inf"):
        AeLLERegressor().fit(X, targets)


def test_no_path_leads_uphill_in_several_targets(split):
    X, y, _, _ = split
    aelle = AeLLERegressor(max_epochs=2, random_state=0).fit(X, several(y))
    with pytest.raises(InvalidInputError, match="y had 3 columns in fit"):
        aelle.improve(X[:1], larger_is_better=True)


def test_targets_that_are_noise_do_not_spoil_the_others(split, fitted):
    X, y, X_new, y_new = split
    noise = np.random.default_rng(0).normal(size=(150, 9))
    aelle = AeLLERegressor(random_state=0).fit(X, np.c_[noise, y])
    assert r2_score(y_new, aelle.predict(X_new)[:, -1]) > fitted.score(X_new, y_new) - 0.05


def light(rows, aelle):
    """A few wild rows more that count next to nothing, and who holds them out."""
    rng = np.random.default_rng(7)
    X = rows.X[:5] + 3 * aelle.input_scaler_.scale * rng.normal(size=rows.X[:5].shape)
    wild = rng.normal(size=(5, rows.targets.shape[1])) * 5
    return Rows(
        np.vstack([rows.X, X]),
        np.vstack([rows.targets, wild]),
        np.concatenate([rows.shares, np.full(5, 1e-9)]),
        np.vstack([rows.scatter, np.full_like(wild, 9.0)]),
    )


@pytest.mark.parametrize("architecture", ["residual", "paper"])
def test_rows_that_count_next_to_nothing_change_no_unit(split, architecture):
    X, y, X_new, _ = split
    settings = {"architecture": architecture, "max_epochs": 20, "random_state": 0}
    aelle = AeLLERegressor(**settings).fit(X, several(y))
    standardized = aelle.target_scaler_.standardize(several(y))
    rows = Rows(X, standardized, np.linspace(0.5, 1.5, 150), np.zeros((150, 3)))
    members = 10 if architecture == "residual" else 1
    held_out = np.arange(150) % 5 == np.arange(members)[:, None] % 5
    found = []
    for seen in (rows, light(rows, aelle)):
        masks = np.hstack([held_out, held_out[:, : len(seen.X) - 150]])
        aelle._fit_heads(seen, masks)
        found.append(np.stack([*aelle.predict(X_new, return_std=True)]))
        found.append(aelle.noise_scale_)
        found.append(getattr(aelle, "usual_disagreement_", np.ones(3)))
    for before, after in zip(found[:3], found[3:], strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-3)
    assert np.ptp(found[1]) > 0.01
    assert architecture == "paper" or np.ptp(found[2]) > 1e-4


def test_runs_that_hardly_count_change_no_unit_of_the_target(split):
    X, y, *_ = split
    wild = np.vstack([X, X[:60] + 1e-3]), np.append(y, np.full(60, 1e3))
    weights = np.append(np.ones(len(y)), np.full(60, 1e-7))
    aelle = AeLLERegressor(max_epochs=1, random_state=0)
    clean = aelle.fit(X, y).target_scaler_
    spoiled = aelle.fit(*wild, sample_weight=weights).target_scaler_
    np.testing.assert_allclose(spoiled.scale, clean.scale, rtol=1e-3)
    np.testing.assert_allclose(spoiled.center, clean.center, rtol=1e-3)


def test_scatter_of_outcomes_widens_the_spread_in_proportion(split):
    X, y, *_ = split
    aelle = AeLLERegressor(max_epochs=20, random_state=0).fit(X, y)
    standardized = aelle.target_scaler_.standardize(y[:, None])
    held_out = np.arange(150) % 5 == np.arange(10)[:, None] % 5
    for surprise in (
        aelle._left_out_surprise,
        partial(aelle._held_out_surprise, held_out=held_out),
    ):
        none, some, twice = (
            surprise(Rows(X, standardized, np.ones(150), np.full((150, 1), scatter)))
            for scatter in (0.0, 1.0, 2.0)
        )
        assert some > none + 0.1
        np.testing.assert_allclose(twice - some, some - none)


@pytest.mark.parametrize("weighing", ["exponential", "lognormal", "two"])
def test_the_spread_is_right_where_weights_vary(weighing):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 8))
    y = np.sin(X[:, 0]) + X[:, 1] + rng.normal(size=500)
    weights = {
        "exponential": rng.exponential(size=200),
        "lognormal": rng.lognormal(0, 1.5, size=200),
        "two": np.where(rng.random(200) < 0.5, 0.05, 1.0),
    }[weighing]
    aelle = AeLLERegressor(random_state=0).fit(X[:200], y[:200], sample_weight=weights)
    predicted, spread = aelle.predict(X[200:], return_std=True)
    error = np.sqrt(np.mean((predicted - y[200:]) ** 2))
    assert 0.75 < error / np.sqrt(np.mean(spread**2)) < 1.15
    assert 0.82 < np.mean(np.abs(predicted - y[200:]) < 1.645 * spread) < 0.95


def test_several_outcomes_of_one_spectrum_are_held_out_together():
    """So that the spread is that for networks which have not been seen."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(160, 6))
    outcomes = (hidden[:, :1] + rng.normal(size=(160, 1))) + 0.3 * rng.normal(size=(160, 4))
    X, y = np.repeat(hidden[:40], 4, axis=0), outcomes[:40].ravel()
    aelle = AeLLERegressor(random_state=0).fit(X, y)
    predicted, spread = aelle.predict(hidden[40:], return_std=True)
    inside = np.abs(outcomes[40:] - predicted[:, None]) < 1.645 * spread[:, None]
    assert 0.85 < inside.mean() < 0.98


def test_of_many_rows_the_heavy_ones_are_kept(curved_spectra, monkeypatch):
    monkeypatch.setattr("lyapsk.aelle._base.MAX_KERNEL_ROWS", 300)
    X, y = curved_spectra(700, n_features=8)
    light = np.arange(500) >= 200
    told = np.where(light, -y[:500], y[:500])
    aelle = AeLLERegressor(max_epochs=60, random_state=0)
    aelle.fit(X[:500], told, sample_weight=np.where(light, 1e-4, 1))
    alone = AeLLERegressor(max_epochs=60, random_state=0).fit(X[:200], y[:200])
    assert aelle.score(X[500:], y[500:]) > alone.score(X[500:], y[500:]) - 0.1


def test_each_target_weighs_the_same_in_training():
    predictions, targets = torch.zeros(2, 5, 3), torch.arange(3.0).expand(5, 3)
    torch.testing.assert_close(_squared_errors(predictions, targets), torch.full((2, 5), 5 / 3))


def test_a_fit_that_is_refused_leaves_the_last_one(split):
    X, y, X_new, _ = split
    aelle = AeLLERegressor(max_epochs=3, random_state=0).fit(X, y)
    expected = aelle.predict(X_new)
    with pytest.raises(InvalidInputError, match="device='tpu'"):
        aelle.set_params(device="tpu").fit(X, np.c_[10 * y, y])
    np.testing.assert_array_equal(aelle.predict(X_new), expected)


def test_few_networks_that_learn_are_told_from_the_others():
    rng = np.random.default_rng(3)
    depth = rng.uniform(0, 1, 150)
    X = -depth[:, None] * np.linspace(0.1, 2, 32) + 0.02 * rng.normal(size=(150, 32))
    y = np.where(depth > 0.9, 0.95, 0.1) + 0.005 * rng.normal(size=150)
    aelle = AeLLERegressor(max_epochs=30, random_state=0).fit(X[::2], y[::2])
    predicted, std = aelle.predict(X[1::2], return_std=True)
    assert r2_score(y[1::2], predicted) > 0.7
    assert np.abs((y[1::2] - predicted) / std).max() < 10
