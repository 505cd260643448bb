"""Which cores of a CPU do the work."""

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

from ._process_setting import ProcessSetting

SOON = 1e-4
"""Seconds until a thread that waits for Python insists on its turn. Another has Python back from a
short operation before it wakes up: by default it would miss its turn for 5 ms."""

_TURNS = ProcessSetting(
    sys.getswitchinterval, sys.setswitchinterval, lambda seconds: min(seconds, SOON)
)


@contextmanager
def on_one_core():
    """Let torch work on one thread within the block.

    What it shares out among threads, however small, leaves these waiting in a loop for some
    milliseconds, on the cores that the next work needs.
    """
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def on_all_cores(function, pieces):
    """Map ``function`` over pieces of work, each on a core of its own.

    Every piece runs on one thread: its factorisations are too small to share among cores, and
    batched LU on several threads is broken in torch (pytorch issues 141358, 142815, 181570).

    Parameters
    ----------
    function : callable
    pieces : list

    Returns
    -------
    list
        The results in the order of ``pieces``.
    """
    n_threads = torch.get_num_threads()
    with on_one_core():
        if len(pieces) == 1 or n_threads == 1:
            return list(map(function, pieces))
        with (
            _TURNS.changed(),
            ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,)) as pool,
        ):
            return list(pool.map(function, pieces))
