"""What the frame iteration gathers."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Growth:
    """What an iteration gathers after the warm-up.

    Attributes
    ----------
    by_block : Tensor of shape (n_networks, n_sequences, n_blocks, k)
        Mean growth over each block of consecutive steps, in nats per step.
    block_lengths : tuple of int
        Steps in each block.
    by_phase : Tensor of shape (n_networks, n_sequences, n_phases, k), or None
        Where the inputs start over, mean growth in each part of their period.
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
    by_phase: Tensor | None
    failed_step: Tensor
    history: Tensor | None
    frames: Tensor | None
    factors: Tensor | None
