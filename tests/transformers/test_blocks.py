"""The blocks "spread" and "change", against numpy on the spectra themselves."""

import pickle
from copy import deepcopy

import numpy as np
import pytest
import torch
from helpers import make_net, tokens
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from torch import nn

from lyapsk import LyapunovSpectrum, LyapunovSpectrumTransformer, SpectrumStatistics
from lyapsk.exceptions import FailedNetworkWarning, InvalidInputError, InvalidTypeError
from lyapsk.transformers import _spectrum

X = tokens()
KINDS = [nn.RNN, nn.GRU, nn.LSTM]
BOTH = ["quantiles", "statistics"]


def trained_copy(net, seed):
    """As a net comes out of training: the same module with other weights."""
    copy = deepcopy(net)
    torch.manual_seed(seed)
    with torch.no_grad():
        for weight in copy.module_.parameters():
            weight += 0.3 * torch.randn_like(weight)
    return copy


def broken(net):
    copy = deepcopy(net)
    with torch.no_grad():
        copy.module_.recurrent.weight_hh_l0[0, 0] = float("nan")
    return copy


@pytest.fixture(scope="module")
def references():
    return [make_net(KINDS[i % 3], n_units=3 + i // 3, seed=i) for i in range(6)]


@pytest.fixture(scope="module")
def nets(references):
    return [trained_copy(net, seed) for seed, net in enumerate(references)]


@pytest.fixture(scope="module")
def pairs(nets, references):
    return list(zip(nets, references, strict=True))


def known(*per_sequence):
    """A spectrum with the exponents of each sequence as given."""
    per_sequence = np.array(per_sequence, dtype=float)
    exponents, zeros = per_sequence.mean(0), np.zeros(per_sequence.shape[1])
    n_steps = np.ones(len(per_sequence), dtype=int)
    return LyapunovSpectrum(exponents, zeros, per_sequence, zeros, 2, n_steps, len(exponents))


def named_features(spectrum, example, **arguments):
    """Features of a known spectrum or pair, by name."""
    transformer = LyapunovSpectrumTransformer(X, **arguments).fit([example])
    rows = transformer.from_spectra([spectrum])
    return dict(zip(transformer.get_feature_names_out(), rows[0], strict=True))


def test_spread_by_hand():
    spectrum = known([0.5, -1, -3], [0.1, -1, -np.inf])
    row = named_features(spectrum, make_net(), features=["spread"])
    assert row == pytest.approx(
        {
            "spread_largest": 0.2,
            "spread_smallest": 3.5,
            "spread_mean": (0.2 + 0 + 3.5) / 3,
            "spread_sum": (-3.5 - -10.9) / 2,
        }
    )


def test_spread_of_networks_is_that_of_their_sequences(nets):
    transformer = LyapunovSpectrumTransformer(X, features=["spread"])
    rows = transformer.fit_transform(nets)
    assert (rows > 0).all()
    for spectrum, row in zip(transformer.spectra(nets), rows, strict=True):
        exponents = np.maximum(spectrum.per_sequence, -10)
        centred = exponents - exponents.mean(0)
        deviation = np.sqrt((centred**2).mean(0))
        of_sum = np.sqrt((centred.sum(1) ** 2).mean())
        expected = [deviation[0], deviation[-1], deviation.mean(), of_sum]
        np.testing.assert_allclose(row, expected, rtol=1e-12)


def test_one_sequence_has_no_spread(nets):
    rows = LyapunovSpectrumTransformer(X[:1], features=["spread"]).fit_transform(nets)
    assert rows.shape == (6, 4)
    assert (rows == 0).all()


@pytest.mark.parametrize(
    ("requested", "compared"),
    [([], BOTH), (["quantiles"], ["quantiles"]), (["statistics", "spread"], ["statistics"])],
)
def test_change_is_the_difference_of_the_other_blocks(pairs, nets, references, requested, compared):
    alone = LyapunovSpectrumTransformer(X, features=compared, n_points=5).fit(nets)
    expected = alone.transform(nets) - alone.transform(references)
    names = alone.get_feature_names_out()
    transformer = LyapunovSpectrumTransformer(X, features=[*requested, "change"], n_points=5)
    rows = transformer.fit_transform(pairs)[:, -(names != "size").sum() :]
    np.testing.assert_allclose(rows, expected[:, names != "size"], atol=1e-9)
    found = transformer.get_feature_names_out()[-rows.shape[1] :]
    assert found.tolist() == [f"change_{name}" for name in names if name != "size"]


def test_change_by_hand_sets_dead_directions_to_the_floor():
    pair = (known([0.2, -1.0]), known([-0.3, -np.inf]))
    row = named_features(pair, (make_net(), make_net()), features=["change"], n_points=2)
    assert row["change_quantile_0"] == pytest.approx(0.5)
    assert row["change_quantile_1"] == pytest.approx(9)
    assert row["change_count_above_-0.1"] == 1
    assert row["change_share_above_-0.1"] == 0.5
    assert row["change_sum"] == pytest.approx(9.5)
    assert len(row) == 2 + len(SpectrumStatistics().get_feature_names_out()) - 1


def test_blocks_beside_change_are_those_of_the_networks(pairs, nets):
    blocks = ["spread", "quantiles"]
    rows = LyapunovSpectrumTransformer(X, features=[*blocks, "change"]).fit_transform(pairs)
    expected = LyapunovSpectrumTransformer(X, features=blocks).fit_transform(nets)
    np.testing.assert_allclose(rows[:, : expected.shape[1]], expected, atol=1e-9)


def test_padded_change_of_a_small_network_ends_in_zeros(pairs):
    transformer = LyapunovSpectrumTransformer(X, n_points=None, features=["quantiles", "change"])
    rows = transformer.fit_transform(pairs)
    assert rows.shape == (6, 16)
    assert (rows[0, 8 + 3 :] == 0).all()


def test_pairs_of_spectra_stand_for_pairs_of_networks(pairs):
    transformer = LyapunovSpectrumTransformer(X, features=[*BOTH, "change"]).fit(pairs)
    spectra = transformer.spectra(pairs)
    assert [[type(s) for s in pair] for pair in spectra] == [[LyapunovSpectrum] * 2] * 6
    np.testing.assert_array_equal(transformer.from_spectra(spectra), transformer.transform(pairs))


def test_all_networks_and_references_run_in_one_go(pairs, monkeypatch):
    calls = []

    def counted(networks, *args, **kwargs):
        calls.append(len(networks))
        return many_spectra(networks, *args, **kwargs)

    many_spectra = _spectrum.many_spectra
    monkeypatch.setattr(_spectrum, "many_spectra", counted)
    LyapunovSpectrumTransformer(X, features=["change"]).fit_transform(pairs)
    assert calls == [12]


def test_pairs_come_in_any_container(pairs):
    transformer = LyapunovSpectrumTransformer(X, features=["change"]).fit(pairs)
    expected = transformer.transform(pairs)
    two_columns = np.array(pairs, dtype=object)
    assert two_columns.shape == (6, 2)
    one_column = np.empty(6, dtype=object)
    one_column[:] = pairs
    for container in (two_columns, one_column, [list(p) for p in pairs], list(two_columns)):
        np.testing.assert_array_equal(transformer.transform(container), expected)


def test_pairs_in_pandas_pickle_and_cross_validation(pairs):
    transformer = LyapunovSpectrumTransformer(X, features=["spread", "change"], n_points=4)
    transformer.set_output(transform="pandas")
    frame = transformer.fit_transform(pairs)
    assert list(frame.columns) == list(transformer.get_feature_names_out())
    assert frame.equals(pickle.loads(pickle.dumps(transformer)).transform(pairs))
    for container in (pairs, np.array(pairs, dtype=object)):
        scores = cross_val_score(make_pipeline(transformer, Ridge()), container, range(6), cv=3)
        assert np.isfinite(scores).all()


def test_a_row_fails_with_either_of_its_pair(pairs):
    mixed = [pairs[0], (broken(pairs[1][0]), pairs[1][1]), (pairs[2][0], broken(pairs[2][1]))]
    transformer = LyapunovSpectrumTransformer(X, features=["change", "spread"], error_score=-1.0)
    message = r"2 of 3 networks.*; their rows.*\. network 1: .*reference of network 2: "
    with pytest.warns(FailedNetworkWarning, match=message):
        rows = transformer.fit_transform(mixed)
    alone = LyapunovSpectrumTransformer(X, features=["change", "spread"]).fit_transform(pairs[:1])
    np.testing.assert_allclose(rows[:1], alone, atol=1e-9)
    assert (rows[1:] == -1).all()
    assert [position for position, _ in transformer.failures_] == [1, 2]


def test_the_first_failure_is_raised_with_its_place_in_its_pair(pairs):
    transformer = LyapunovSpectrumTransformer(X, features=["change"])
    net, reference = pairs[1]
    with pytest.raises(InvalidInputError, match=r"^network 1: .*not finite"):
        transformer.fit_transform([pairs[0], (broken(net), reference)])
    with pytest.raises(InvalidInputError, match=r"^reference of network 1: .*not finite"):
        transformer.fit_transform([pairs[0], (net, broken(reference))])


NET = make_net()


@pytest.mark.parametrize(
    ("networks", "features", "error", "message"),
    [
        ([NET, (NET, NET)], BOTH, InvalidInputError, "entry 1 is a pair.*Add 'change'"),
        ([(NET, NET), NET], ["change"], InvalidInputError, r"X: .*entry 1 is no pair.*\(network, "),
        ([None, (NET, NET)], ["change"], InvalidInputError, "entry 0 is no pair: got NoneType"),
        ([(NET, NET, NET)], ["change"], InvalidInputError, "entry 0 is no pair: got tuple"),
        ((NET, NET), ["change"], InvalidInputError, "entry 0 is no pair"),
        (
            [(NET, make_net(n_units=4))],
            ["change"],
            InvalidInputError,
            "X: entry 0 pairs a network of state size 5 with a reference of state size 4",
        ),
        ([(NET, 3)], ["change"], InvalidTypeError, "^reference of network 0: model: got int"),
        ([(3, NET)], ["change"], InvalidTypeError, "^network 0: model: got int"),
        (np.empty((2, 2, 2), dtype=object), ["change"], InvalidTypeError, "X: got ndarray"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_what_is_no_list_of_pairs_is_refused_before_computing(
    networks, features, error, message, monkeypatch
):
    monkeypatch.setattr("lyapsk.nets._many._solve_all", None)
    with pytest.raises(error, match=message):
        LyapunovSpectrumTransformer(X, features=features).fit_transform(networks)


def test_spectra_that_make_no_pairs_are_refused(pairs):
    change = LyapunovSpectrumTransformer(X, features=["change"]).fit(pairs)
    small, large = known([0.1]), known([0.1, 0.0])
    with pytest.raises(InvalidInputError, match=r"spectra: .*entry 0 is no pair"):
        change.from_spectra([small])
    with pytest.raises(InvalidInputError, match=r"spectra: entry 1 pairs .* size 1 .* size 2"):
        change.from_spectra([None, (small, large)])
    assert np.isnan(change.from_spectra([None, (small, None)])).all()
