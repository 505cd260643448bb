"""The frame iteration: the textbook's loop, for many networks and sequences at once."""

from dataclasses import replace
from itertools import pairwise

import torch

from ._elimination import Elimination
from ._growth import Growth
from ._steppers import Diagonal, Orthonormalization

_STEPPERS = {"qr": Orthonormalization, "lu": Elimination, "diagonal": Diagonal}


def follow_frame(
    dynamics,
    drive,
    frame=None,
    *,
    method="qr",
    warmup=0,
    n_blocks=1,
    keep=(),
    enough=None,
    tell=None,
):
    """Push a frame along a drive and gather its growth.

    Parameters
    ----------
    dynamics : Dynamics
    drive : Drive
    frame : Tensor of shape (k, n), optional
        Initial frame of all networks and sequences, by its columns: orthonormal. Diagonal
        dynamics need none.
    method : {"qr", "lu", "diagonal"}, default="qr"
        Orthonormalise at every step, eliminate as often as the frame's condition asks for, or,
        where the dynamics are diagonal, read the growth off without a frame.
    warmup : int
        Steps that align state and frame and are left out of what is gathered.
    n_blocks : int
        Number of nearly equal blocks of steps over which growth is averaged. Where the inputs
        start over, those of one period, and each block holds the steps of all periods that read
        the same inputs: what comes again tells nothing new of how growth varies.
    keep : collection of {"growth", "frames", "factors"}
        What to keep of every step: growth not with ``method="lu"``, frames and factors with
        ``method="qr"`` only.
    enough : callable, optional
        Told the list of block means so far, each (n_networks, n_sequences, k), after every block;
        where it returns True, the rest is left out.
    tell : callable, optional
        Told a number of steps, after every few that were taken.

    Returns
    -------
    Growth
    """
    stepper = _STEPPERS[method](dynamics, drive, frame)
    stepper.tell = tell
    stepper.advance(warmup)
    stepper.keep = keep
    totals, lengths = [], []
    for index, (start, stop) in enumerate(pairwise(_edges(drive, warmup, n_blocks))):
        total, block = stepper.advance(stop), index % n_blocks
        if index < n_blocks:
            totals.append(total)
            lengths.append(stop - start)
        else:
            totals[block] = totals[block] + total
            lengths[block] += stop - start
        means = [total / length for total, length in zip(totals, lengths, strict=True)]
        if enough is not None and enough(means):
            break
    gathered = Growth(
        by_block=torch.stack(means, 2),
        block_lengths=tuple(lengths),
        failed_step=stepper.failed_step,
        history=torch.stack(stepper.history, 2) if "growth" in keep else None,
        frames=torch.stack(stepper.frames, 2) if "frames" in keep else None,
        factors=torch.stack(stepper.factors, 2) if "factors" in keep else None,
    )
    return _leading_first(gathered) if method == "diagonal" else gathered


def _edges(drive, warmup, n_blocks):
    """Steps at which blocks start, and the last one ends."""
    n_steps = drive.n_steps - warmup
    period = min(drive.period or n_steps, n_steps)
    starts = (
        first + period * block // n_blocks
        for first in range(0, n_steps, period)
        for block in range(n_blocks)
    )
    return [*(warmup + start for start in starts if start < n_steps), drive.n_steps]


def _leading_first(growth):
    """Put each sequence's columns in the order of their growth, as those of a frame are."""
    lengths = growth.by_block.new_tensor(growth.block_lengths)
    total = (growth.by_block * lengths[:, None]).sum(2)
    order = total.argsort(dim=-1, descending=True, stable=True).unsqueeze(2)

    def ordered(columns):
        return None if columns is None else columns.gather(-1, order.expand_as(columns))

    return replace(growth, by_block=ordered(growth.by_block), history=ordered(growth.history))
