"""Independent pieces of work on all cores that torch may use."""

from concurrent.futures import ThreadPoolExecutor

import torch


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
    try:
        if len(pieces) == 1 or n_threads == 1:
            torch.set_num_threads(1)
            return list(map(function, pieces))
        with ThreadPoolExecutor(
            n_threads, initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            return list(pool.map(function, pieces))
    finally:
        torch.set_num_threads(n_threads)
