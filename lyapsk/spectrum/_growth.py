"""What the frame iteration starts from, and what it gathers."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Position:
    """Where an iteration stands.

    Attributes
    ----------
    state : Tensor of shape (n_networks, n_sequences, n)
    frame : Tensor of shape (n_networks, n_sequences, k, n), or None
        By its columns; orthonormal or not.
    debt : Tensor of shape (n_networks, n_sequences, k)
        ``log abs diag R`` of the frame: what its growth so far lacks beside QR's.
    """

    state: Tensor
    frame: Tensor | None
    debt: Tensor

    @classmethod
    def without_frame(cls, state):
        """At initial states, where the growth of every entry is known by itself."""
        return cls(state, None, torch.zeros_like(state))

    @classmethod
    def start(cls, state, frame):
        """At initial states, with one orthonormal frame (k, n) for all."""
        frame = frame.expand(*state.shape[:2], *frame.shape)
        return cls(state, frame, state.new_zeros(frame.shape[:3]))


@dataclass(frozen=True)
class Growth:
    """What an iteration gathers after the warm-up.

    Attributes
    ----------
    by_block : Tensor of shape (n_networks, n_sequences, n_blocks, k)
        Mean growth over each block of consecutive steps, in nats per step.
    block_lengths : tuple of int
        Steps in each block.
    failed_step : Tensor of shape (n_networks, n_sequences)
        First step, counted from the start, after which the state was not finite; -1 where all
        went well.
    history : Tensor of shape (n_networks, n_sequences, n_steps, k), or None
        Growth of every step, in nats.
    frames : Tensor of shape (n_networks, n_sequences, n_steps, n, k), or None
        ``Q_t`` of every step.
    factors : Tensor of shape (n_networks, n_sequences, n_steps, k, k), or None
        ``R_t`` of every step.
    """

    by_block: Tensor
    block_lengths: tuple
    failed_step: Tensor
    history: Tensor | None
    frames: Tensor | None
    factors: Tensor | None
