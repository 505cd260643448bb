"""Work over networks in other processes, on this machine and on others."""

import os
import pickle
import signal
import threading

import joblib
import numpy as np
import pytest
import torch
from helpers import make_net, tokens
from torch import nn

from lyapsk import LyapunovSpectrumTransformer
from lyapsk.nets import Options, Sequences, _many, _options, _solve, pose
from lyapsk.tangent import tensors_of

X = tokens()


def population(n=12):
    return [make_net((nn.GRU, nn.LSTM)[i % 2], n_units=4 + i % 3, seed=i) for i in range(n)]


@pytest.fixture(scope="module")
def expected():
    return LyapunovSpectrumTransformer(X).fit_transform(population())


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_rows_are_those_of_one_process(backend, expected):
    with joblib.parallel_config(backend):
        rows = LyapunovSpectrumTransformer(X, n_jobs=2).fit_transform(population())
    np.testing.assert_allclose(rows, expected, atol=1e-9)


@pytest.fixture
def cluster():
    distributed = pytest.importorskip("dask.distributed", reason="needs the extra dask")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(**options) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_dask_gives_the_same_rows_also_when_a_worker_is_killed(cluster, expected):
    with joblib.parallel_config("dask"):
        rows = LyapunovSpectrumTransformer(X, n_jobs=-1).fit_transform(population())
        np.testing.assert_allclose(rows, expected, atol=1e-9)
        (victim, *_) = cluster.run(os.getpid).values()
        nets = population(240)
        killing = threading.Timer(0.2, os.kill, (victim, signal.SIGKILL))
        killing.start()
        rows = LyapunovSpectrumTransformer(X, n_jobs=-1).fit_transform(nets)
        killing.join()
    np.testing.assert_allclose(rows, LyapunovSpectrumTransformer(X).fit_transform(nets), atol=1e-9)


def test_two_threads_may_transform_at_once(expected):
    nets, rows = population(), {}

    def transform(name):
        rows[name] = LyapunovSpectrumTransformer(X).fit_transform(nets)

    threads = [threading.Thread(target=transform, args=(name,)) for name in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for own in rows.values():
        np.testing.assert_allclose(own, expected, atol=1e-9)


def test_workers_get_weights_and_drive_alone():
    net = make_net()
    net.module_.ballast = nn.Parameter(torch.zeros(10**6))
    problem = pose(net, Sequences(X), Options.checked(device="cpu"))
    assert len(pickle.dumps(problem)) < 20_000


@pytest.mark.parametrize(("asked", "used"), [(None, "meta"), ("cpu", "cpu")])
def test_workers_keep_to_one_thread_and_the_device_that_they_see(
    monkeypatch, two_threads, asked, used
):
    problem, options = (
        pose(make_net(), Sequences(X), Options.checked()),
        Options.checked(device=asked),
    )
    monkeypatch.setattr(_options, "_usable_device", lambda _: torch.device("meta"))
    seen = []

    def solve(problems, options):
        devices = {t.device.type for problem in problems for t in tensors_of(problem)}
        seen.append((torch.get_num_threads(), options.device.type, devices))

    monkeypatch.setattr(_solve, "solve", solve)
    _solve.solve_elsewhere([problem], options)
    assert seen == [(1, used, {used})]
    assert torch.get_num_threads() == 2


def test_a_process_that_was_forked_from_one_with_a_gpu_takes_the_cpu(monkeypatch):
    def refuses():
        raise RuntimeError("Cannot re-initialize CUDA in forked subprocess.")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", refuses)
    assert Options.checked().device == torch.device("cpu")


def test_chunks_put_networks_of_one_shape_together():
    problems = [pose(net, Sequences(X), Options.checked(device="cpu")) for net in population()]
    chunks = _many._chunks(problems, range(12), n_jobs=2, kept=False)
    assert sorted(index for chunk in chunks for index in chunk) == list(range(12))
    shapes = [[problems[i].state_size for i in chunk] for chunk in chunks]
    assert sum(len(set(own)) for own in shapes) <= len(shapes) + 5
