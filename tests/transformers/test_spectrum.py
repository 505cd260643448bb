"""``LyapunovSpectrumTransformer`` in scikit-learn's company."""

import pickle

import numpy as np
import pytest
import torch
from helpers import make_net, tokens
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from torch import nn

from lyapsk import LyapunovSpectrumTransformer, SpectrumStatistics, lyapunov_spectrum
from lyapsk.exceptions import FailedNetworkWarning, InvalidInputError, InvalidTypeError

X = tokens()
KINDS = [nn.RNN, nn.GRU, nn.LSTM]


def population(n_networks=6):
    return [make_net(KINDS[i % 3], n_units=3 + i // 3, seed=i) for i in range(n_networks)]


@pytest.fixture(scope="module")
def nets():
    return population()


def test_quantiles_pass_through_the_exponents(nets):
    transformer = LyapunovSpectrumTransformer(X, n_points=3, features=["quantiles"])
    rows = transformer.fit_transform(nets)
    for net, row in zip(nets, rows, strict=True):
        exponents = np.maximum(lyapunov_spectrum(net, X).exponents, -10)
        np.testing.assert_allclose(row[[0, 2]], exponents[[0, -1]], atol=1e-9)
        np.testing.assert_allclose(row[1], np.median(exponents), atol=1e-9)


def test_statistics_are_those_of_the_spectra(nets):
    rows = LyapunovSpectrumTransformer(X, features=["statistics"]).fit_transform(nets)
    for net, row in zip(nets, rows, strict=True):
        exponents = lyapunov_spectrum(net, X).exponents[None]
        np.testing.assert_allclose(row, SpectrumStatistics().fit_transform(exponents)[0], atol=1e-9)


def test_features_of_known_spectra_are_those_of_the_networks(nets):
    transformer = LyapunovSpectrumTransformer(X).fit(nets)
    known = transformer.from_spectra(transformer.spectra(nets))
    np.testing.assert_array_equal(known, transformer.transform(nets))


def test_blocks_stand_side_by_side_as_named(nets):
    both = LyapunovSpectrumTransformer(X, features=["statistics", "quantiles"], n_points=5)
    rows = both.fit_transform(nets)
    names = both.get_feature_names_out()
    assert rows.shape == (6, len(names)) == (6, 26 + 5)
    assert list(names[:1]) == ["count_above_-0.02"]
    assert list(names[-5:]) == [f"quantile_{i}" for i in range(5)]


def test_default_features_hold_quantiles_and_26_statistics(nets):
    assert LyapunovSpectrumTransformer(X).fit_transform(nets).shape == (6, 64 + 26)


def test_own_width_is_that_of_the_largest_state(nets):
    transformer = LyapunovSpectrumTransformer(X, n_points=None, features=["quantiles"])
    rows = transformer.fit_transform(nets)
    assert rows.shape == (6, 8)
    assert (rows[0, 3:] == -10).all()
    np.testing.assert_allclose(rows[5], np.maximum(lyapunov_spectrum(nets[5], X).exponents, -10))
    with pytest.raises(InvalidInputError, match="10 exponents, the widest seen in fit had 8"):
        transformer.transform([make_net(nn.GRU, n_units=10)])


@pytest.mark.parametrize(
    "arguments",
    [{"n_jobs": 2}, {"batch_size": 1}, {"batch_size": 2}, {"memory": "cache"}],
    ids=str,
)
def test_rows_do_not_depend_on_how_they_are_computed(nets, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    expected = LyapunovSpectrumTransformer(X).fit_transform(nets)
    transformer = LyapunovSpectrumTransformer(X, **arguments)
    for _ in range(2):
        np.testing.assert_allclose(transformer.fit_transform(nets), expected, atol=1e-9)


def test_memory_computes_each_network_once(nets, tmp_path):
    transformer = LyapunovSpectrumTransformer(X, memory=str(tmp_path))
    transformer.fit_transform(nets)
    kept = list(tmp_path.rglob("*.safetensors"))
    assert len(kept) == len(nets)
    written = [path.stat().st_mtime_ns for path in kept]
    transformer.fit_transform(nets[::-1])
    assert written == [path.stat().st_mtime_ns for path in kept]
    assert len(list(tmp_path.rglob("*.safetensors"))) == len(nets)


def test_in_pipeline_cross_validation_and_grid_search():
    nets = population(9)
    y = np.arange(9.0)
    pipeline = make_pipeline(LyapunovSpectrumTransformer(X), Ridge())
    for container in (nets, as_object_array(nets)):
        assert np.isfinite(cross_val_score(pipeline, container, y, cv=3)).all()
    grid = {"lyapunovspectrumtransformer__n_points": [4, 8]}
    search = GridSearchCV(pipeline, grid, cv=3).fit(nets, y)
    assert search.predict(nets[:2]).shape == (2,)


def as_object_array(nets):
    array = np.empty(len(nets), dtype=object)
    array[:] = nets
    return array


def test_clone_pickle_and_pandas(nets):
    transformer = LyapunovSpectrumTransformer(X, n_points=4).set_output(transform="pandas")
    frame = transformer.fit_transform(nets)
    again = pickle.loads(pickle.dumps(transformer)).transform(nets)
    assert frame.equals(again)
    assert list(frame.columns) == list(transformer.get_feature_names_out())
    assert clone(transformer).get_params()["n_points"] == 4


def test_one_bad_network_never_loses_the_others(nets):
    bad = make_net()
    with torch.no_grad():
        bad.module_.recurrent.weight_hh_l0[0, 0] = float("nan")
    exploding = make_net(nn.RNN)
    exploding.module_.recurrent.nonlinearity = "relu"
    with torch.no_grad():
        exploding.module_.recurrent.weight_hh_l0.fill_(1e30)
        exploding.module_.recurrent.bias_hh_l0.fill_(1.0)
    mixed = [nets[0], bad, nets[1], exploding, nets[2]]
    transformer = LyapunovSpectrumTransformer(X, error_score=-1.0)
    with pytest.warns(FailedNetworkWarning, match=r"2 of 5 networks.*network 1: .*network 3: "):
        rows = transformer.fit_transform(mixed)
    expected = LyapunovSpectrumTransformer(X).fit_transform(nets[:3])
    np.testing.assert_array_equal(rows[[0, 2, 4]], expected)
    assert (rows[[1, 3]] == -1).all()
    assert [position for position, _ in transformer.failures_] == [1, 3]


@pytest.mark.parametrize(
    ("networks", "arguments", "error", "message"),
    [
        ([], {}, InvalidInputError, "X: got no networks"),
        (make_net(), {}, InvalidTypeError, "X: got NeuralNetClassifier"),
        ([make_net(), 3], {}, InvalidTypeError, "network 1: model: got int"),
        ([make_net()], {"features": ["colours"]}, InvalidInputError, "features: got .*quantiles"),
        ([make_net()], {"features": []}, InvalidInputError, "features: got"),
        ([make_net()], {"features": {"quantiles"}}, InvalidInputError, "features: got.*order"),
        ([make_net()], {"n_points": 1}, ValueError, "n_points"),
        ([make_net()], {"floor": -np.inf}, ValueError, "floor"),
        ([make_net()], {"method": "svd"}, InvalidInputError, "method: got 'svd'"),
        ([make_net()], {"n_exponents": 6}, InvalidInputError, "network 0: n_exponents: got 6"),
        ([make_net()], {"sequences": []}, InvalidInputError, "sequences: got"),
    ],
    ids=lambda value: None if isinstance(value, type) else str(value)[:30],
)
def test_refused_before_computing(networks, arguments, error, message):
    transformer = LyapunovSpectrumTransformer(**{"sequences": X, **arguments})
    with pytest.raises(error, match=message):
        transformer.fit_transform(networks)


def test_what_is_no_spectrum_is_refused():
    transformer = LyapunovSpectrumTransformer(np.zeros((2, 5, 3))).fit([nn.GRU(3, 4)])
    with pytest.raises(InvalidTypeError, match=r"spectra: holds a ndarray.*SpectrumStatistics"):
        transformer.from_spectra([np.zeros(3)])
