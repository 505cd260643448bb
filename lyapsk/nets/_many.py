"""Spectra of many networks: in batches, in parallel, kept, none lost to another's failure."""

from functools import partial
from itertools import islice

import torch
from joblib import delayed, effective_n_jobs

from .._message import message_of
from .._parallel import as_they_come
from ..exceptions import InvalidInputError, LyapskError
from ..tangent import map_tensors
from ._kept import KeptSpectra
from ._locate import state_size
from ._problem import pose
from ._progress import progress_bar, telling
from ._saved import opened
from ._sequences import Sequences
from ._solve import solve, solve_elsewhere

AT_A_TIME = 1024
"""Networks that are held at once."""
LARGEST_CHUNK = 256
LARGEST_KEPT_CHUNK = 32
"""Networks that a killed run loses at most for each process."""
CHUNKS_PER_JOB = 4


@torch.inference_mode(mode=False)
def many_spectra(
    networks,
    sequences,
    options,
    *,
    names,
    layer=None,
    module=None,
    trusted=False,
    n_jobs=None,
    memory=None,
    strict=True,
    verbose=0,
):
    """Spectra of a collection of networks.

    Parameters
    ----------
    networks : sequence
        Networks, or paths of saved ones; read one by one, and not kept.
    sequences : whatever the networks' own forward takes
    options : Options
    names : list of str
        What errors call each network.
    layer : str, optional
    module : callable, optional
        See ``opened``.
    trusted : bool, default=False
        See ``opened``.
    n_jobs : int, optional
        Processes, as in joblib.
    memory : str, Path or joblib.Memory, optional
        Where each network's spectrum is kept.
    strict : bool, default=True
        Whether to raise the first error, before any long computation where that can be.
    verbose : int, default=0
        Above 0, progress is shown of what takes longer than two seconds.

    Returns
    -------
    list of LyapunovSpectrum or LyapskError
        In the order of ``networks``; each error begins with its network's name.
    """
    kept = None if memory is None else KeptSpectra(memory, options)
    shared = Sequences(sequences)

    def posed(read):
        return pose(_read(read, module, trusted), shared, options, layer=layer)

    results, entries = [], zip(names, _openers(networks), strict=True)
    with progress_bar(len(networks), verbose) as bar:
        while some := list(islice(entries, AT_A_TIME)):
            problems = []
            for name, network in some:
                problems.append(_named(name, _attempt(posed, network), strict))
                bar.update(0)
            solved = _solve_all(problems, options, n_jobs, kept, bar)
            for (name, _), problem, result in zip(some, problems, solved, strict=True):
                results.append(problem if failed(problem) else _named(name, result, strict))
    return results


def state_sizes(networks, *, layer, module, trusted, strict):
    """State sizes of the networks that can be read; with ``strict`` all must be."""

    def size(read):
        return state_size(_read(read, module, trusted), layer)

    sizes = [
        _named(f"network {index}", _attempt(size, network), strict)
        for index, network in enumerate(_openers(networks))
    ]
    return [size for size in sizes if not failed(size)]


def failed(result):
    """Whether a result is an error instead of a spectrum."""
    return isinstance(result, LyapskError)


def _openers(networks):
    """For each network a function that reads it."""
    return (partial(networks.__getitem__, index) for index in range(len(networks)))


def _read(read, module, trusted):
    """A network of a collection, whose own reading may fail too."""
    try:
        network = read()
    except Exception as error:
        raise InvalidInputError(
            f"X: reading it failed with {type(error).__name__}: {message_of(error)}. "
            "Look at the collection that X is."
        ) from error
    return opened(network, module, trusted)


def _solve_all(problems, options, n_jobs, kept, bar):
    """Solve problems batch by batch; errors among them, and spectra that are kept, stay."""
    results = list(problems)
    missing = [index for index, problem in enumerate(problems) if not failed(problem)]
    if kept is not None:
        for index in missing:
            results[index] = kept.read(problems[index])
        missing = [index for index in missing if results[index] is None]
    bar.update(len(problems) - len(missing))
    n_done = bar.n
    n_jobs_at_once = effective_n_jobs(n_jobs)
    members = _chunks(problems, missing, n_jobs_at_once, kept is not None)
    if n_jobs_at_once == 1:
        tell = telling(bar)
        calls = (delayed(solve)([problems[i] for i in batch], options, tell) for batch in members)
    else:
        calls = (
            delayed(solve_elsewhere)(
                map_tensors(torch.Tensor.cpu, [problems[i] for i in batch]), options
            )
            for batch in members
        )
    done = as_they_come(n_jobs=n_jobs)(calls)
    for batch, spectra in zip(members, done, strict=True):
        for index, spectrum in zip(batch, spectra, strict=True):
            results[index] = spectrum
            if kept is not None and not failed(spectrum):
                kept.write(problems[index], spectrum)
        n_done += len(batch)
        bar.update(n_done - bar.n)
    return results


def _chunks(problems, members, n_jobs, kept):
    """Positions of problems to solve in one go: networks of one shape side by side."""

    def place(index):
        (part, *_) = problems[index].parts
        return repr((part.dynamics.shape, part.drive.shape)), index

    order = sorted(members, key=place)
    size = LARGEST_CHUNK if n_jobs == 1 else -(-len(order) // (CHUNKS_PER_JOB * n_jobs))
    size = min(size, LARGEST_KEPT_CHUNK if kept else LARGEST_CHUNK)
    return [order[i : i + size] for i in range(0, len(order), max(1, size))]


def _attempt(function, *args):
    try:
        return function(*args)
    except LyapskError as error:
        return error
    except Exception as error:
        failure = InvalidInputError(
            f"X: it cannot be read as a network: {type(error).__name__}: {message_of(error)}. "
            "Its weights and its own forward must be in order: mend it, or leave it out."
        )
        failure.__cause__ = error
        return failure


def _named(name, result, strict):
    """Put a network's name in front of its error, and raise it where that is asked for."""
    if not failed(result):
        return result
    named = type(result)(f"{name}: {result}")
    named.__cause__ = result.__cause__
    if strict:
        raise named
    return named
