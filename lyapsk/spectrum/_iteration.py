"""The frame iteration: the textbook's loop, for many networks and sequences at once."""

from itertools import pairwise

import torch

from ._growth import Growth
from ._steppers import Elimination, Orthonormalization


def follow_frame(
    dynamics, drive, position, *, method="qr", warmup=0, n_blocks=1, keep=(), enough=None
):
    """Push a frame along a drive and gather its growth.

    Parameters
    ----------
    dynamics : Dynamics
    drive : Drive
    position : Position
        Where to start.
    method : {"qr", "lu"}, default="qr"
        Orthonormalise at every step, or eliminate as often as the frame's condition asks for.
    warmup : int
        Steps that align state and frame and are left out of what is gathered.
    n_blocks : int
        Number of nearly equal blocks of steps over which growth is averaged.
    keep : collection of {"growth", "frames", "factors"}
        What to keep of every step; needs ``method="qr"``.
    enough : callable, optional
        Told the list of block means so far, each (n_networks, n_sequences, k), after every block;
        where it returns True, the rest is left out.

    Returns
    -------
    Growth
    """
    stepper = (Elimination if method == "lu" else Orthonormalization)(dynamics, drive, position)
    stepper.advance(warmup)
    stepper.keep = keep
    n_steps = drive.n_steps - warmup
    edges = [warmup + n_steps * block // n_blocks for block in range(n_blocks + 1)]
    means, lengths = [], []
    for start, stop in pairwise(edges):
        means.append(stepper.advance(stop) / (stop - start))
        lengths.append(stop - start)
        if enough is not None and enough(means):
            break
    return Growth(
        by_block=torch.stack(means, 2),
        block_lengths=tuple(lengths),
        failed_step=stepper.failed_step,
        history=torch.stack(stepper.history, 2) if "growth" in keep else None,
        frames=torch.stack(stepper.frames, 2) if "frames" in keep else None,
        factors=torch.stack(stepper.factors, 2) if "factors" in keep else None,
    )
