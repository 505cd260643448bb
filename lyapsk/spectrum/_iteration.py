"""The frame iteration: the textbook's loop, for many networks and sequences at once."""

from bisect import bisect_right
from dataclasses import replace
from itertools import pairwise

import torch

from ._elimination import Elimination
from ._growth import Growth
from ._steppers import Diagonal, Orthonormalization

MOST_PHASES, SHORTEST_PHASE = 16, 4
"""Parts of a period, and steps in each: their ends cost a factorisation more."""

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
        start over, growth is also averaged over parts of their period, of all periods together:
        what comes again tells nothing new of how growth varies.
    keep : collection of {"growth", "frames", "factors"}
        What to keep of every step: growth not with ``method="lu"``, frames and factors with
        ``method="qr"`` only.
    enough : callable, optional
        Told the lists of the means so far over blocks and over parts of a period, each
        (n_networks, n_sequences, k); where it returns True, the rest is left out.
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
    blocks, phases = Means(), Means()
    for start, stop, block, phase, ends in _parts(drive, warmup, n_blocks):
        total = stepper.advance(stop)
        blocks.add(block, total, stop - start)
        if phase is not None:
            phases.add(phase, total, stop - start)
        if ends and enough is not None and enough(blocks.values, phases.values):
            break
    gathered = Growth(
        by_block=torch.stack(blocks.values, 2),
        block_lengths=tuple(blocks.lengths),
        by_phase=torch.stack(phases.values, 2) if phases.lengths else None,
        failed_step=stepper.failed_step,
        history=torch.stack(stepper.history, 2) if "growth" in keep else None,
        frames=torch.stack(stepper.frames, 2) if "frames" in keep else None,
        factors=torch.stack(stepper.factors, 2) if "factors" in keep else None,
    )
    return _leading_first(gathered) if method == "diagonal" else gathered


class Means:
    """Means over parts of the steps, which come in pieces."""

    def __init__(self):
        self._totals, self.lengths = [], []

    def add(self, index, total, n_steps):
        """Add a piece to a part, of which new ones come in their order."""
        if index == len(self._totals):
            self._totals.append(total)
            self.lengths.append(n_steps)
        else:
            self._totals[index] = self._totals[index] + total
            self.lengths[index] += n_steps

    @property
    def values(self):
        return [t / length for t, length in zip(self._totals, self.lengths, strict=True)]


def _parts(drive, warmup, n_blocks):
    """List (start, stop, block, phase, ends) of consecutive steps.

    Without a period phases are None. ``ends`` tells whether a block does, after a whole period.
    """
    n_steps = drive.n_steps - warmup
    blocks, phases = _edges(n_steps, n_blocks), []
    if drive.period is not None and drive.period < n_steps:
        n_phases = min(MOST_PHASES, drive.period // SHORTEST_PHASE)
        phases = _edges(drive.period, n_phases) if n_phases > 1 else []
    starts = {p + edge for p in range(0, n_steps, drive.period or n_steps) for edge in phases}
    edges = sorted({*blocks, *(start for start in starts if start < n_steps)})
    return [
        (
            warmup + start,
            warmup + stop,
            bisect_right(blocks, start) - 1,
            bisect_right(phases, start % drive.period) - 1 if phases else None,
            stop in blocks and stop >= (drive.period or 0),
        )
        for start, stop in pairwise(edges)
    ]


def _edges(n_steps, n_parts):
    """Where nearly equal parts start, and the last one ends."""
    return [n_steps * part // n_parts for part in range(n_parts + 1)]


def _leading_first(growth):
    """Put each sequence's columns in the order of their growth, as those of a frame are."""
    lengths = growth.by_block.new_tensor(growth.block_lengths)
    total = (growth.by_block * lengths[:, None]).sum(2)
    order = total.argsort(dim=-1, descending=True, stable=True).unsqueeze(2)

    def ordered(columns):
        return None if columns is None else columns.gather(-1, order.expand_as(columns))

    return replace(
        growth,
        by_block=ordered(growth.by_block),
        by_phase=ordered(growth.by_phase),
        history=ordered(growth.history),
    )
