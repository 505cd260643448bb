"""Damaged files: a clear error, the right answer or a mended file, never a wrong answer."""

import zipfile
from pathlib import Path

import numpy as np
import torch
from helpers import make_net, tokens
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import lyapsk
from lyapsk import AeLLERegressor, LyapunovSpectrumTransformer
from lyapsk.tasks import SequenceNetwork, digits_by_rows, make_population

from .outcome import Outcome, attempted, wrong


def flipped(content, other, rng):
    content = bytearray(content)
    for place in rng.integers(len(content), size=rng.integers(1, 4)):
        content[place] ^= 1 << rng.integers(8)
    return content


def flipped_early(content, other, rng):
    return flipped(content[:600], other, rng) + content[600:]


def swapped(content, other, rng):
    """Two stretches of bytes in each other's place."""
    a, b, c, d = np.sort(rng.integers(len(content), size=4))
    return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]


def cut(content, other, rng):
    return content[: rng.integers(len(content))]


def appended(content, other, rng):
    return content + rng.bytes(rng.integers(1, 99))


def zeroed(content, other, rng):
    kept = cut(content, other, rng)
    return kept + bytes(len(content) - len(kept))


def of_another(content, other, rng):
    return other


def grafted(content, other, rng):
    kept = cut(content, other, rng)
    return kept + other[len(kept) :]


DAMAGES = (flipped, flipped_early, swapped, cut, appended, zeroed, of_another, grafted)


def damaged(make, *, mended=False):
    """The fault of damaged files.

    Parameters
    ----------
    make : callable
        ``make(directory)`` writes files. It gives their paths; a function that reads them all
        through lyapsk, to arrays or an error for each; and a function that reads one path without
        lyapsk.
    mended : bool
        Whether files are made anew, so that every answer must be the right one.
    """

    def fault(n_cases, directory, seed):
        rng, failures, lost = np.random.default_rng(seed), [], 0
        paths, read, held = make(directory)
        whole, expected = [path.read_bytes() for path in paths], read()
        for _ in range(n_cases):
            index, damage = rng.integers(len(paths)), rng.choice(DAMAGES)
            paths[index].write_bytes(damage(whole[index], whole[index - 1], rng))
            right = expected[index] if mended else attempted(held, paths[index])
            found = attempted(read)
            if isinstance(found, Exception):
                found = [found] * len(paths)
            for i, (one, other) in enumerate(zip(found, expected, strict=True)):
                told = wrong(one, right if i == index else other, must_work=mended or i != index)
                failures += [f"{paths[index].name} {damage.__name__}, {i}: {told}"] * bool(told)
                lost += bool(told) and i != index
            paths[index].write_bytes(whole[index])
        return Outcome(n_cases, failures, lost)

    return fault


# Files that lyapsk keeps, and makes anew

N = 3


def in_order(directory, write):
    """The files of N networks; ``write(n)`` sees to those of the first n."""
    paths = []
    for n in range(1, N + 1):
        write(n)
        paths += [path for path in directory.rglob("*.safetensors") if path not in paths]
    return paths


def population_files(directory):
    task = digits_by_rows(valid_size=0.9)

    def read(n=N):
        options = {"hidden_sizes": (4, 6), "max_epochs": 1, "checkpoints": (0, 1), "verbose": 0}
        made = make_population(task, n, directory=directory, **options)
        weights = [[w.numpy() for w in net.module_.state_dict().values()] for net in made.nets(1)]
        return [[loss, *own] for loss, own in zip(made.losses, weights, strict=True)]

    return in_order(directory, read), read, None


def spectra_files(directory):
    nets = [make_net(seed=seed) for seed in range(N)]

    def read(n=N):
        transformer = LyapunovSpectrumTransformer(tokens(), memory=directory)
        return [[row] for row in transformer.fit_transform(nets[:n])]

    return in_order(directory, read), read, None


# Files that users keep

X = torch.randn(2, 15, 1, generator=torch.Generator().manual_seed(0))
SIZES = (3, 5, 4)


def made(metadata):
    size = metadata.get("hidden_size", Path(metadata["path"]).stem)
    return SequenceNetwork("GRU", hidden_size=int(size))


def saved_networks(suffix, save, held):
    """Weights of networks in files of a kind; the right answer is that of the weights in it."""

    def make(directory):
        torch.manual_seed(0)
        paths = [directory / f"{size}{suffix}" for size in SIZES]
        for path, size in zip(paths, SIZES, strict=True):
            save(SequenceNetwork("GRU", hidden_size=size).state_dict(), path)

        def read():
            transformer = LyapunovSpectrumTransformer(X, module=made, error_score=np.nan)
            rows = [[row] for row in transformer.fit_transform(paths)]
            for position, error in transformer.failures_:
                rows[position] = error
            return rows

        def held_in(path):
            metadata, weights = held(path)
            network = made(metadata | {"path": path})
            network.load_state_dict(weights)
            return [LyapunovSpectrumTransformer(X).fit_transform([network])[0]]

        return paths, read, held_in

    return make


def save_with_size(weights, path):
    save_file(weights, path, metadata={"hidden_size": path.stem})


def held_in_safetensors(path):
    """Of this format nothing tells one weight from another that was meant."""
    with safe_open(path, "pt") as file:
        return dict(file.metadata() or {}), load_file(path)


def held_in_archive(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    return {}, torch.load(path)


def saved_estimators(directory):
    """Files of ``lyapsk.save``: any change to one is an error."""
    rows = np.random.default_rng(0).normal(size=(12, 4))
    paths = [directory / f"{seed}.skops" for seed in range(N)]
    aelle = {"n_members": 2, "hidden_dim": 4, "max_epochs": 2}
    for seed, path in enumerate(paths):
        estimator = AeLLERegressor(**aelle, random_state=seed).fit(rows, rows[:, 0])
        lyapsk.save(estimator, path)
    originals = {path.read_bytes(): predicted(path, rows) for path in paths}

    def read():
        return [attempted(predicted, path, rows) for path in paths]

    return paths, read, lambda path: originals[path.read_bytes()]


def predicted(path, rows):
    return [lyapsk.load(path).predict(rows)]


FILES = {
    "files of a population": damaged(population_files, mended=True),
    "files of kept spectra": damaged(spectra_files, mended=True),
    "networks in safetensors": damaged(
        saved_networks(".safetensors", save_with_size, held_in_safetensors)
    ),
    "networks in torch's files": damaged(saved_networks(".pt", torch.save, held_in_archive)),
}
if hasattr(lyapsk, "save"):
    FILES["files of lyapsk.save"] = damaged(saved_estimators)
