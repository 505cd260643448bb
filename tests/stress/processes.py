"""Kills, threads and processes: the same numbers, and nothing lost but what was in flight."""

import os
import signal
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from multiprocessing import get_context
from unittest.mock import patch

import joblib
import numpy as np
import torch
from helpers import Reader, tokens
from torch import nn

from lyapsk import LyapunovSpectrumTransformer
from lyapsk.nets import _many
from lyapsk.tasks import _population, digits_by_rows, make_population

from .outcome import Outcome, attempted, wrong

FROM_SERVER = get_context("forkserver")
"""Processes of a server that has the slow imports done, and no threads."""
FROM_SERVER.set_forkserver_preload(["lyapsk.transformers", "lyapsk.tasks"])
PATIENCE = 120
"""Seconds after which a process is taken to hang."""
CHUNK = 2


def network(seed):
    torch.manual_seed(seed)
    return Reader((nn.GRU, nn.LSTM)[seed % 2], n_units=4 + seed % 3)


def spectra(directory=None, done=None):
    """Rows of networks whose spectra are kept; ``done`` counts those that are taken."""

    def solve(problems, *args):
        return counted(done, len(problems), original(problems, *args))

    nets, original = [network(seed) for seed in range(40)], _many.solve
    counted(done, 1, None)
    with patch.multiple(_many, solve=solve, LARGEST_KEPT_CHUNK=CHUNK):
        return list(LyapunovSpectrumTransformer(tokens(), memory=directory).fit_transform(nets))


def population(directory=None, done=None):
    """Losses and weights of a population that is kept; ``done`` counts what is trained."""

    def train(*args):
        return counted(done, 1, original(*args))

    task, original = digits_by_rows(valid_size=0.9), _population.train_network
    counted(done, 1, None)
    with patch.object(_population, "train_network", train):
        made = make_population(
            task, 6, hidden_sizes=(4, 6), max_epochs=1, directory=directory, verbose=0
        )
    weights = [net.module_.state_dict().values() for net in made.nets(0)]
    parts = [[loss, *own] for loss, own in zip(made.losses, weights, strict=True)]
    return [np.concatenate([np.ravel(part) for part in own]) for own in parts]


def counted(done, n, result):
    """A result, after it was counted; a shared counter without a lock, which a kill would keep."""
    if done is not None:
        done.value += n
    return result


def started(work, directory):
    """A process that does some work, once it has begun, and its counter, at 0 by then."""
    done = FROM_SERVER.RawValue("i", -1)
    run = FROM_SERVER.Process(target=work, args=(directory, done))
    run.start()
    while done.value < 0 and run.is_alive():
        time.sleep(0.001)
    return run, done


@cache
def uninterrupted(work):
    return work()


def kill_late(run, done, n_done, rng):
    """Kill a process at a random moment after it has done so many."""
    while done.value < n_done and run.is_alive():
        time.sleep(0.001)
    time.sleep(rng.uniform(0, 0.05))
    run.kill()
    run.join()


def resumed(work, directory, done, in_flight):
    """What is wrong where work goes on after a kill, and how many results were lost."""
    expected = uninterrupted(work)
    kept, again = len(list(directory.rglob("*.safetensors"))), FROM_SERVER.RawValue("i", -1)
    found = attempted(work, directory, again)
    told = wrong(found, expected, must_work=True)
    if not told and kept + again.value != len(expected):
        told = f"{kept} were kept, but {again.value} of {len(expected)} done again"
    return told, max(0, done - in_flight - kept)


def killed(work, in_flight):
    """The fault of a kill at a random moment; work must go on where it was."""

    def fault(n_cases, directory, seed):
        rng, failures, lost = np.random.default_rng(seed), [], 0
        for case in range(n_cases):
            run, done = started(work, directory / str(case))
            kill_late(run, done, rng.integers(len(uninterrupted(work))), rng)
            told, missing = resumed(work, directory / str(case), done.value, in_flight)
            failures, lost = failures + [f"case {case}: {told}"] * bool(told), lost + missing
        return Outcome(n_cases, failures, lost)

    return fault


def shared(n_cases, directory, seed):
    """Two processes with one directory, one of which may be killed."""
    rng, failures, lost = np.random.default_rng(seed), [], 0
    for case in range(n_cases):
        work, own = (spectra, population)[case % 2], directory / str(case)
        n = len(uninterrupted(work))
        (victim, done), (other, _) = started(work, own), started(work, own)
        if rng.random() < 0.5:
            kill_late(victim, done, rng.integers(n), rng)
        for run in (victim, other):
            run.join(PATIENCE)
        told, missing = resumed(work, own, n, 0)
        if other.exitcode != 0 or victim.exitcode not in (0, -signal.SIGKILL):
            told = f"exit status {victim.exitcode} and {other.exitcode}"
        failures, lost = failures + [f"case {case}: {told}"] * bool(told), lost + missing
    return Outcome(n_cases, failures, lost)


def rows(nets, **options):
    return list(LyapunovSpectrumTransformer(tokens(), **options).fit_transform(nets))


@cache
def alone(n):
    """The row of each of the first networks, taken by itself."""
    return [rows([network(seed)])[0] for seed in range(n)]


def each(kind):
    """The fault of a way to work at once.

    ``kind(nets, case, directory)`` gives rows of the networks, perhaps several times over.
    """

    def fault(n_cases, directory, seed):
        rng, failures, lost = np.random.default_rng(seed), [], 0
        for case in range(n_cases):
            order = rng.permutation(N_NETWORKS).tolist()
            found = attempted(kind, [network(i) for i in order], case, directory / str(case))
            found = [found] if isinstance(found, Exception) else found
            for own in found:
                told = wrong(own, [alone(N_NETWORKS)[i] for i in order], must_work=True)
                failures += [f"case {case}: {told}"] * bool(told)
                lost += N_NETWORKS * bool(told)
        return Outcome(n_cases, failures, lost)

    return fault


N_NETWORKS = 12


def two_threads(nets, case, directory):
    """The same networks at once, in turn with one directory for both and without."""
    memory = directory if case % 2 else None
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda _: rows(nets, memory=memory), range(2)))


def in_processes(nets, case, directory):
    kind = ("loky", "fork", "spawn")[case % 3]
    if kind == "loky":
        with joblib.parallel_config("loky"):
            return [rows(nets, n_jobs=2)]
    warnings.filterwarnings("ignore", ".*multi-threaded, use of fork")
    with get_context(kind).Pool(2) as pool:
        parts = pool.map_async(rows, [nets[:6], nets[6:]]).get(PATIENCE)
    return [[row for part in parts for row in part]]


def dask_worker_killed(nets, case, directory):
    """Another worker takes up what one of them had in hand."""
    from dask.distributed import Client, LocalCluster

    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        _, victim = client.run(os.getpid).popitem()
        killing = threading.Timer(0.05 * (1 + case % 10), os.kill, (victim, signal.SIGKILL))
        killing.start()
        with joblib.parallel_config("dask"):
            found = rows(nets * 20, n_jobs=-1)
        killing.join()
    return [found[i : i + len(nets)] for i in range(0, len(found), len(nets))]


PROCESSES = {
    "killed while keeping spectra": killed(spectra, CHUNK),
    "killed while training a population": killed(population, 1),
    "two processes, one directory": shared,
    "two threads": each(two_threads),
    "loky, fork and spawn": each(in_processes),
}
if find_spec("distributed"):
    PROCESSES["Dask worker killed"] = each(dask_worker_killed)
