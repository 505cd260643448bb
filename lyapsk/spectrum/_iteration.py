"""The frame iteration: the textbook's loop, for all networks and sequences at once."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ._frames import orthonormalize


@dataclass(frozen=True)
class Drive:
    """What drives networks of one shape.

    Attributes
    ----------
    state : Tensor of shape (n_networks, n_sequences, n)
        Initial states.
    inputs : Tensor of shape (n_steps, n_networks, n_sequences, n_inputs), or None
        None for maps without inputs.
    n_steps : int
    """

    state: Tensor
    inputs: Tensor | None
    n_steps: int

    @property
    def shape(self):
        """Drives of equal shape may be joined by ``concatenate``."""
        width = None if self.inputs is None else self.inputs.shape[-1]
        return (self.n_steps, *self.state.shape[1:], width)

    @classmethod
    def concatenate(cls, drives):
        """Join the networks of drives of one ``shape``."""
        first = drives[0]
        inputs = None if first.inputs is None else torch.cat([d.inputs for d in drives], 1)
        return cls(torch.cat([d.state for d in drives]), inputs, first.n_steps)

    def input_at(self, step):
        """Inputs of one step, (n_networks, n_sequences, n_inputs)."""
        return None if self.inputs is None else self.inputs[step]


@dataclass(frozen=True)
class Growth:
    """What the frame iteration gathers after the warm-up.

    Attributes
    ----------
    by_block : Tensor of shape (n_blocks, n_networks, n_sequences, k)
        Sum of the growth over each block of steps, in nats.
    block_lengths : Tensor of shape (n_blocks,)
        Steps in each block.
    failed_step : Tensor of shape (n_networks, n_sequences)
        First step, counted from the start of the drive, at which something was not a number;
        -1 where all went well.
    growth : Tensor of shape (n_networks, n_sequences, n_steps, k), or None
    frames : Tensor of shape (n_networks, n_sequences, n_steps, n, k), or None
    """

    by_block: Tensor
    block_lengths: Tensor
    failed_step: Tensor
    growth: Tensor | None
    frames: Tensor | None


def follow_frame(dynamics, drive, frame, *, warmup=0, n_blocks=1, keep=()):
    """Push a frame along a drive and gather its growth.

    Parameters
    ----------
    dynamics : Dynamics
    drive : Drive
    frame : Tensor of shape (k, n)
        Initial frame, by its columns, the same for all.
    warmup : int
        Steps that align state and frame and are left out of what is gathered.
    n_blocks : int
        Number of equal blocks of steps over which growth is summed.
    keep : collection of {"growth", "frames"}
        What to keep of every step.

    Returns
    -------
    Growth
    """
    state = drive.state
    frame = frame.expand(*state.shape[:2], *frame.shape)
    block_of = _blocks(drive.n_steps - warmup, n_blocks, device=state.device)
    by_block = state.new_zeros(n_blocks, *frame.shape[:3])
    failed_step = torch.full(state.shape[:2], -1, device=state.device)
    growths, frames = [], []
    for step in range(drive.n_steps):
        state, push = dynamics.linearize(state, drive.input_at(step))
        frame, growth = orthonormalize(push(frame))
        failed = ~state.isfinite().all(-1) | growth.isnan().any(-1)
        failed_step[failed & (failed_step < 0)] = step
        if step < warmup:
            continue
        by_block[block_of[step - warmup]] += growth
        if "growth" in keep:
            growths.append(growth)
        if "frames" in keep:
            frames.append(frame.mT)
    return Growth(
        by_block=by_block,
        block_lengths=block_of.bincount(minlength=n_blocks),
        failed_step=failed_step,
        growth=torch.stack(growths, 2) if growths else None,
        frames=torch.stack(frames, 2) if frames else None,
    )


def _blocks(n_steps, n_blocks, *, device):
    return torch.arange(n_steps, device=device) * n_blocks // n_steps
