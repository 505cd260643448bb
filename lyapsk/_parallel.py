"""Work shared out to processes, with the same results however many there are."""

from contextlib import contextmanager

from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from ._cores import on_one_core


def in_parallel(function, argument_lists, n_jobs, description, verbose=1):
    """``[function(*arguments), ...]`` in `n_jobs` processes, with a progress bar on stderr."""
    calls = [delayed(function)(*arguments) for arguments in argument_lists]
    # torch wants writable arrays: processes get copies on write, not joblib's read-only ones.
    run = as_they_come(n_jobs=n_jobs, batch_size=1, mmap_mode="c")
    silent = not (calls and verbose)
    return list(tqdm(run(calls), total=len(calls), desc=description, disable=silent))


def as_they_come(**options):
    """joblib's ``Parallel`` that gives results as they are done, where its backend can."""
    try:
        return Parallel(return_as="generator", **options)
    except ValueError:
        return Parallel(**options)


@contextmanager
def one_thread():
    """Let torch and BLAS use one thread, so that processes share the cores in peace."""
    with on_one_core(), threadpool_limits(1):
        yield
