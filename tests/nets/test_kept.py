"""Spectra on disk: taken once, never lost, never wrong."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import fields

import joblib
import numpy as np
import pytest
import torch
from helpers import make_layer, make_net, tokens
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch import nn

from lyapsk import AeLLERegressor, LyapunovSpectrumTransformer, lyapunov_spectrum
from lyapsk.exceptions import InvalidTypeError, LyapskWarning
from lyapsk.nets import Options, Sequences, _kept, _many, pose
from lyapsk.nets._kept import KeptSpectra, fingerprint

X = tokens()


@pytest.fixture
def n_solved(monkeypatch):
    """Count the problems that are solved."""
    counts = []

    def solve(problems, *args):
        counts.append(len(problems))
        return original(problems, *args)

    original = _many.solve
    monkeypatch.setattr(_many, "solve", solve)
    return lambda: sum(counts)


def population(n=6):
    return [make_net(kind, seed=i) for i, kind in enumerate([nn.GRU, nn.LSTM, nn.RNN] * (n // 3))]


def test_each_spectrum_is_taken_once(n_solved, tmp_path):
    nets = population()
    transformer = LyapunovSpectrumTransformer(X, memory=tmp_path)
    rows = transformer.fit_transform(nets)
    np.testing.assert_array_equal(transformer.fit_transform(nets[::-1]), rows[::-1])
    assert n_solved() == 6
    copies = [make_net(nn.GRU, seed=0), make_net(nn.GRU, seed=9)]
    transformer.transform(copies)
    assert n_solved() == 7


@pytest.mark.parametrize(
    "change",
    [{"sequences": X[:, :5]}, {"warmup": 1}, {"method": "qr"}, {"random_state": 1}],
    ids=str,
)
def test_what_the_numbers_depend_on_is_told_apart(n_solved, tmp_path, change):
    nets, arguments = population(3), {"sequences": X, "memory": tmp_path}
    LyapunovSpectrumTransformer(**arguments).fit_transform(nets)
    LyapunovSpectrumTransformer(**{**arguments, "batch_size": 1}).fit_transform(nets)
    assert n_solved() == 3
    LyapunovSpectrumTransformer(**{**arguments, **change}).fit_transform(nets)
    assert n_solved() == 6


def test_another_version_takes_them_again(n_solved, tmp_path, monkeypatch):
    transformer = LyapunovSpectrumTransformer(X, memory=tmp_path)
    transformer.fit_transform(population(3))
    monkeypatch.setattr(_kept, "__version__", "0.0.0")
    transformer.fit_transform(population(3))
    assert n_solved() == 6


def test_grid_search_over_aelle_takes_each_spectrum_once(n_solved, tmp_path):
    nets = population(12)
    pipeline = make_pipeline(
        LyapunovSpectrumTransformer(X, memory=tmp_path, n_points=4),
        AeLLERegressor(max_epochs=2, random_state=0),
    )
    grid = {"aelleregressor__latent_dim": [1, 2]}
    GridSearchCV(pipeline, grid, cv=2).fit(nets, np.arange(12.0))
    assert n_solved() == 12


def test_joblibs_memory_says_where(n_solved, tmp_path):
    memory = joblib.Memory(tmp_path, verbose=0)
    for _ in range(2):
        LyapunovSpectrumTransformer(X, memory=memory).fit_transform(population(3))
    assert n_solved() == 3
    assert all(path.is_relative_to(memory.location) for path in tmp_path.rglob("*.safetensors"))
    for memory in (joblib.Memory(None), ""):
        with pytest.raises(InvalidTypeError, match=r"memory: got (Memory|'').*a directory"):
            LyapunovSpectrumTransformer(X, memory=memory).fit_transform(population(3))


def test_what_is_kept_comes_back_whole(tmp_path):
    layer = make_layer("lstm-stacked")
    options = Options.checked(coupling="layers", tol=0.1, device="cpu")
    problem = pose(layer, Sequences(torch.randn(3, 30, 3)), options)
    spectrum = lyapunov_spectrum(layer, torch.randn(3, 30, 3), coupling="layers", tol=0.1)
    kept = KeptSpectra(tmp_path, options)
    assert kept.read(problem) is None
    kept.write(problem, spectrum)
    again = kept.read(problem)
    for field in fields(spectrum):
        one, other = getattr(spectrum, field.name), getattr(again, field.name)
        assert type(one) is type(other), field.name
        np.testing.assert_array_equal(one, other)


def test_damage_is_found_told_and_mended(n_solved, tmp_path):
    net = make_net()
    transformer = LyapunovSpectrumTransformer(X, memory=tmp_path)
    rows = transformer.fit_transform([net])
    (path,) = tmp_path.rglob("*.safetensors")
    intact = path.read_bytes()
    rng = np.random.default_rng(0)
    damages = [b"", intact[:-1], intact[: len(intact) // 2], intact + b"x", b"\x80\x04K\x01."]
    for position in rng.integers(len(intact), size=40):
        flipped = bytearray(intact)
        flipped[position] ^= 1 << rng.integers(8)
        damages.append(bytes(flipped))
    for count, damage in enumerate(damages, 1):
        path.write_bytes(damage)
        with pytest.warns(LyapskWarning, match="is damaged: its spectrum is taken again"):
            np.testing.assert_array_equal(transformer.transform([net]), rows)
        assert n_solved() == 1 + count
        np.testing.assert_array_equal(transformer.transform([net]), rows)
        assert n_solved() == 1 + count


SLOW_RUN = """
import sys, time
from helpers import make_net, tokens
from lyapsk import LyapunovSpectrumTransformer
from lyapsk.nets import _many
solve, _many.LARGEST_KEPT_CHUNK = _many.solve, 2
def slowly(*args):
    time.sleep(0.05)
    return solve(*args)
_many.solve = slowly
nets = [make_net(seed=seed) for seed in range(40)]
LyapunovSpectrumTransformer(tokens(), memory=sys.argv[1]).fit_transform(nets)
"""


def slow_run(directory):
    environment = os.environ | {"PYTHONPATH": os.path.dirname(os.path.dirname(__file__))}
    return subprocess.Popen([sys.executable, "-c", SLOW_RUN, str(directory)], env=environment)


def files_in(directory):
    return list(directory.rglob("*.safetensors"))


def test_a_killed_run_loses_only_what_was_in_flight(n_solved, tmp_path):
    run = slow_run(tmp_path)
    while len(files_in(tmp_path)) < 6:
        assert run.poll() is None
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.wait()
    there = len(files_in(tmp_path))
    nets = [make_net(seed=seed) for seed in range(40)]
    rows = LyapunovSpectrumTransformer(X, memory=tmp_path).fit_transform(nets)
    assert n_solved() == 40 - there
    np.testing.assert_allclose(rows, LyapunovSpectrumTransformer(X).fit_transform(nets), atol=1e-9)


def test_two_processes_may_share_a_directory(n_solved, tmp_path):
    runs = [slow_run(tmp_path) for _ in range(2)]
    assert [run.wait(timeout=60) for run in runs] == [0, 0]
    assert len(files_in(tmp_path)) == 40
    assert not list(tmp_path.rglob("*.tmp"))
    LyapunovSpectrumTransformer(X, memory=tmp_path).fit_transform(
        [make_net(seed=seed) for seed in range(40)]
    )
    assert n_solved() == 0


def test_fingerprints_tell_values_and_not_places():
    a = torch.arange(6.0)
    assert fingerprint(a[::2]) == fingerprint(a[::2].clone())
    assert fingerprint(a) != fingerprint(a.view(2, 3))
    assert fingerprint(a) != fingerprint(a.double())
    assert fingerprint([a, a]) != fingerprint([[a], a])
    assert fingerprint("1") != fingerprint(1)
    turned = torch.conj(a * 1j).imag
    assert fingerprint(turned) == fingerprint(turned.clone())
