"""Spectra of many networks: in batches, in parallel, cached, none lost to another's failure."""

from dataclasses import fields, is_dataclass

import torch
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.utils.validation import check_memory
from tqdm.auto import tqdm

from .._version import __version__
from ..exceptions import LyapskError
from ._locate import state_size
from ._problem import pose
from ._solve import solve

LARGEST_CHUNK = 256
CHUNKS_PER_JOB = 4


def many_spectra(
    networks,
    sequences,
    options,
    *,
    names,
    layer=None,
    n_jobs=None,
    memory=None,
    strict=True,
    verbose=0,
):
    """Spectra of a list of networks.

    Parameters
    ----------
    networks : list
    sequences : whatever the networks' own forward takes
    options : Options
    names : list of str
        What errors call each network.
    layer : str, optional
    n_jobs : int, optional
        Processes, as in joblib.
    memory : str or joblib.Memory, optional
        Where each network's spectrum is cached; networks then run one by one.
    strict : bool, default=True
        Whether to raise the first error, before any long computation where that can be.
    verbose : int, default=0
        Above 0, progress is shown of what takes longer than two seconds.

    Returns
    -------
    list of LyapunovSpectrum or LyapskError
        In the order of ``networks``; each error begins with its network's name.
    """
    results = []
    recorded = _progress(networks, "recording networks", verbose)
    for name, network in zip(names, recorded, strict=True):
        problem = _attempt(pose, network, sequences, options, layer=layer)
        results.append(_named(name, problem, strict))
    posed = [index for index, result in enumerate(results) if not failed(result)]
    solved = _solve_all([results[i] for i in posed], options, n_jobs, memory, verbose)
    for index, result in zip(posed, solved, strict=True):
        results[index] = _named(names[index], result, strict)
    return results


def state_sizes(networks, *, layer=None, strict=True):
    """State sizes of the networks that can be read; with ``strict`` all must be."""
    sizes = [
        _named(f"network {index}", _attempt(state_size, network, layer), strict)
        for index, network in enumerate(networks)
    ]
    return [size for size in sizes if not failed(size)]


def failed(result):
    """Whether a result is an error instead of a spectrum."""
    return isinstance(result, LyapskError)


def _solve_all(problems, options, n_jobs, memory, verbose):
    """Solve batch by batch; a cached problem is a batch of its own."""
    if memory is None:
        run, members = solve, _chunks(problems, effective_n_jobs(n_jobs))
    else:
        run, members = _cached(memory), [[index] for index in range(len(problems))]
    calls = (delayed(run)([problems[i] for i in batch], options) for batch in members)
    done = Parallel(n_jobs=n_jobs, return_as="generator")(calls)
    results = [None] * len(problems)
    with _progress(None, "taking spectra", verbose, total=len(problems)) as bar:
        for batch, spectra in zip(members, done, strict=True):
            for index, spectrum in zip(batch, spectra, strict=True):
                results[index] = spectrum
            bar.update(len(batch))
    return results


def _chunks(problems, n_jobs):
    """Positions of problems to solve in one go: networks of one shape side by side."""
    first = [(p.parts[0].dynamics.shape, p.parts[0].drive.shape) for p in problems]
    order = sorted(range(len(problems)), key=lambda index: (repr(first[index]), index))
    size = LARGEST_CHUNK if n_jobs == 1 else -(-len(problems) // (CHUNKS_PER_JOB * n_jobs))
    return [order[i : i + size] for i in range(0, len(order), max(1, size))]


def _cached(memory):
    """``solve``, with results kept under weights, drive, options and version."""
    kept = check_memory(memory).cache(_solve_known, ignore=["problems"])
    return lambda problems, options: kept(_arrays(problems), __version__, options, problems)


def _solve_known(key, version, options, problems):
    return solve(problems, options)


def _arrays(part):
    """Nested tuples and arrays that say the same wherever the tensors lie in memory."""
    if torch.is_tensor(part):
        return part.cpu().numpy()
    if is_dataclass(part):
        return type(part).__name__, *(_arrays(getattr(part, f.name)) for f in fields(part))
    if isinstance(part, list | tuple):
        return tuple(_arrays(entry) for entry in part)
    return part


def _attempt(function, *args, **kwargs):
    try:
        return function(*args, **kwargs)
    except LyapskError as error:
        return error


def _named(name, result, strict):
    """Put a network's name in front of its error, and raise it where that is asked for."""
    if not failed(result):
        return result
    named = type(result)(f"{name}: {result}")
    named.__cause__ = result.__cause__
    if strict:
        raise named
    return named


def _progress(iterable, what, verbose, **kwargs):
    return tqdm(iterable, desc=what, unit="network", delay=2, disable=not verbose, **kwargs)
