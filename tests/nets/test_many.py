"""Progress over many networks."""

import re

import numpy as np
import pytest
import torch
from helpers import make_net, tokens
from torch import nn
from tqdm import tqdm

from lyapsk import LyapunovSpectrumTransformer, lyapunov_spectrum
from lyapsk.exceptions import FailedNetworkWarning, InvalidInputError
from lyapsk.nets import Options, Sequences, _progress, pose, solve
from lyapsk.nets._progress import progress_bar, telling


@pytest.fixture
def at_once(monkeypatch):
    """Bars that do not wait before they are shown."""
    waiting = {"delay": 0, "mininterval": 0}
    monkeypatch.setattr(_progress, "tqdm", lambda **options: tqdm(**options | waiting))


def shown(verbose, capsys):
    nets = [make_net(nn.LSTM, seed=seed) for seed in range(3)]
    X = np.tile(tokens(), 40)
    rows = LyapunovSpectrumTransformer(X, verbose=verbose).fit_transform(nets)
    return rows, list(map(int, re.findall(r"(\d+)%", capsys.readouterr().err)))


def test_progress_moves_within_a_batch_and_changes_no_number(at_once, capsys):
    expected, percentages = shown(0, capsys)
    assert percentages == []
    rows, percentages = shown(1, capsys)
    np.testing.assert_array_equal(rows, expected)
    assert percentages == sorted(percentages)
    assert (percentages[0], percentages[-1]) == (0, 100)
    assert len(set(percentages)) > 5


@pytest.mark.parametrize("method", ["qr", "lu"])
@pytest.mark.parametrize("coupling", ["full", "layers"])
def test_what_is_told_amounts_to_all_networks(method, coupling):
    options = Options.checked(method=method, coupling=coupling, warmup=5, batch_size=2)
    torch.manual_seed(0)
    layers = [nn.GRU(2, 3, 2), nn.GRU(2, 3, 2), nn.LSTM(2, 3)]
    sequences = [torch.randn(n_steps, 2) for n_steps in (30, 30, 200)]
    told = []
    solve([pose(layer, Sequences(sequences), options) for layer in layers], options, told.append)
    assert sum(told) == pytest.approx(3)
    assert min(told) > 0


def test_progress_never_passes_the_end():
    with progress_bar(2, verbose=1) as bar:
        for n_networks in (1.5, 3):
            telling(bar)(n_networks)
        assert bar.n == 2


@pytest.mark.parametrize("options", [{}, {"tol": 10}])
@pytest.mark.parametrize("verbose", [0, 1])
@pytest.mark.usefixtures("at_once")
def test_progress_of_one_network_is_shown_where_it_is_asked_for(verbose, options, capsys):
    lyapunov_spectrum(nn.GRU(2, 3), torch.randn(4, 300, 2), verbose=verbose, **options)
    assert ("taking the spectrum: 100%" in capsys.readouterr().err) == bool(verbose)


def test_each_bare_layer_must_fit_its_own_weights():
    layers = [nn.GRU(2, 3) for _ in range(5)]
    for layer in layers[1:3]:
        layer.weight_hh_l0 = nn.Parameter(torch.zeros(9, 4))
    transformer = LyapunovSpectrumTransformer(torch.randn(2, 9, 2), error_score=np.nan)
    with pytest.warns(FailedNetworkWarning, match="^2 of 5 networks"):
        rows = transformer.fit_transform(layers)
    assert np.isnan(rows).all(1).tolist() == [False, True, True, False, False]
    alone = LyapunovSpectrumTransformer(transformer.sequences).fit_transform([layers[-1]])
    np.testing.assert_allclose(rows[-1:], alone, rtol=1e-9)


def test_hooks_of_each_bare_layer_are_tried():
    def refuse(layer, given):
        raise ValueError("not today")

    def double(layer, given):
        given[0].mul_(2)

    layers, sequences = [nn.GRU(2, 3) for _ in range(4)], Sequences(torch.randn(2, 9, 2))
    layers[1].register_forward_pre_hook(double)
    layers[2].register_forward_pre_hook(refuse)
    options = Options.checked(device="cpu")
    for layer in layers[:2]:
        pose(layer, sequences, options)
    assert torch.equal(sequences.bare(options, 2).first, sequences.given[0])
    with pytest.raises(InvalidInputError, match="not today"):
        pose(layers[2], sequences, options)


@pytest.mark.parametrize("kinds", [(np.uint16, np.int64), (np.int64, np.float32)])
def test_sequences_of_several_types_are_joined_as_numbers(kinds):
    whole = [np.full((9, 2), 2**15 + 1), np.arange(18).reshape(9, 2)]
    layer = nn.GRU(2, 3)
    mixed = [x.astype(kind) for x, kind in zip(whole, kinds, strict=True)]
    found = lyapunov_spectrum(layer, mixed, n_steps=18).exponents
    expected = lyapunov_spectrum(layer, np.concatenate(whole)[None].astype(float)).exponents
    np.testing.assert_array_equal(found, expected)


def test_inputs_beyond_the_type_of_the_computation_are_refused():
    X = np.zeros((2, 9, 2))
    X[1, 3] = 1e300
    with pytest.raises(InvalidInputError, match="holds inf in sequence 1 at step 3"):
        lyapunov_spectrum(nn.GRU(2, 3), X, dtype="float32")
