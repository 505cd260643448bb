"""From dynamics and drive to spectra, networks of one shape together."""

import torch

from ..exceptions import NumericalError
from ..spectrum import Drive, LyapunovSpectrum, follow_frame, initial_frame

_BATCH_ENTRIES = 2**22
_BATCH_MEANS = 16


def solve(problems, options):
    """Spectra of many networks.

    Parameters
    ----------
    problems : list of Problem
    options : Options

    Returns
    -------
    list of LyapunovSpectrum or NumericalError
        In the order of ``problems``. Where a network explodes, the error that says so.
    """
    results = [None] * len(problems)
    for members in batches(problems, options):
        solved = _solve_batch([problems[i] for i in members], options)
        for index, result in zip(members, solved, strict=True):
            results[index] = result
    return results


def batches(problems, options):
    """Positions of the problems that run together: of one shape, and within memory."""
    groups = {}
    for index, problem in enumerate(problems):
        groups.setdefault((problem.dynamics.shape, problem.drive.shape), []).append(index)
    for members in groups.values():
        size = options.batch_size or _batch_size(problems[members[0]], options)
        yield from (members[i : i + size] for i in range(0, len(members), size))


def _batch_size(problem, options):
    n = problem.dynamics.state_size
    frame_entries = problem.drive.state.shape[1] * n * (options.n_exponents or n)
    return max(1, _BATCH_ENTRIES // frame_entries)


def _solve_batch(problems, options):
    dynamics = type(problems[0].dynamics).concatenate([p.dynamics for p in problems])
    drive = Drive.concatenate([p.drive for p in problems])
    n = dynamics.state_size
    frame = initial_frame(
        n,
        options.n_exponents or n,
        seed=options.seed,
        dtype=options.dtype,
        device=options.device,
    )
    growth = follow_frame(
        dynamics,
        drive,
        frame,
        warmup=options.warmup,
        n_blocks=_n_blocks(drive, options),
        keep=options.keep,
    )
    return [_result(growth, network, n) for network in range(len(problems))]


def _n_blocks(drive, options):
    """Blocks in each sequence, so that all sequences together give enough batch means."""
    wanted = -(-_BATCH_MEANS // drive.state.shape[1])
    return max(1, min(wanted, drive.n_steps - options.warmup))


def _result(growth, network, state_size):
    failed = growth.failed_step[network].cpu()
    if (failed < 0).all():
        return LyapunovSpectrum.from_growth(growth, network, state_size)
    sequence = int(torch.nonzero(failed >= 0)[0])
    return NumericalError(
        f"model: the state of sequence {sequence} is not finite from step {failed[sequence]} on: "
        "the network explodes. Use fewer steps (n_steps), smaller inputs or smaller weights."
    )
