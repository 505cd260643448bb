"""Directions in state space: those of the gradient, those of the frame, and their overlaps."""

import torch
from torch.nn.functional import pad

from ..spectrum import Drive, Position, follow_frame


def leading_right_vectors(gradients, dynamics, n_singular):
    """Leading right singular vectors of the recurrent weights' gradient, in the full state.

    The gradients of stacked layers are the blocks of one block-diagonal matrix, so that each
    vector lives in the ``h`` of one layer, and all layers' are ordered by singular value.

    Parameters
    ----------
    gradients : sequence of Tensor of shape (n_gates * n_units, n_outputs)
        Of each layer's ``weight_hh``.
    dynamics : Stack
        Its state places the layers' ``h`` in the full state.
    n_singular : int

    Returns
    -------
    Tensor of shape (n_singular, n)
        Rows of NaN where the gradient's rank is smaller.
    """
    like = dynamics.cells[0].recurrent.weight
    values, vectors, offset = [], [], 0
    for cell, gradient in zip(dynamics.cells, gradients, strict=True):
        _, S, Vh = torch.linalg.svd(gradient.to(like), full_matrices=False)
        values.append(S)
        vectors.append(pad(Vh, (offset, dynamics.state_size - offset - cell.output_size)))
        offset += cell.state_size
    values, order = torch.cat(values).sort(descending=True, stable=True)
    vectors = torch.cat(vectors)[order[:n_singular]]
    noise = values[0] * max(gradients[0].shape) * torch.finfo(gradients[0].dtype).eps
    return vectors.masked_fill(values[:n_singular, None] <= noise, torch.nan)


def frame_overlaps(dynamics, state, inputs, frame, vectors):
    """Squared cosines between the frame before each step and given directions.

    Step ``s`` reads ``h_{s-1}``, so its frame is ``Q_{s-1}``, from ``J_t Q_{t-1} = Q_t R_t``; that
    of the first step is the initial one.

    Parameters
    ----------
    dynamics : Stack
        Of one network.
    state : Tensor of shape (n_sequences, n)
        Initial states.
    inputs : Tensor of shape (n_sequences, n_steps, n_inputs)
    frame : Tensor of shape (q, n)
        Initial frame, by its columns.
    vectors : Tensor of shape (n_sequences, m, n)
        Unit vectors, the same for all steps.

    Returns
    -------
    Tensor of shape (n_sequences, n_steps, q, m)
    """
    drive = Drive(state.unsqueeze(0), inputs.transpose(0, 1).unsqueeze(1), inputs.shape[1])
    start = Position.start(drive.state, frame)
    followed = follow_frame(dynamics, drive, start, keep=("growth", "frames"))
    frames = _shifted(followed.frames[0], frame.mT)
    alive = ~_shifted(followed.history[0], frame.new_zeros(len(frame))).isneginf().unsqueeze(-1)
    overlaps = (frames.mT @ vectors.mT.unsqueeze(1)).square()
    # Where a direction has died (J is singular), QR puts an arbitrary one in its place: the mean
    # over all that are orthogonal to the living ones stands for it.
    remaining = 1 - (overlaps * alive).sum(2, keepdim=True)
    n_remaining = dynamics.state_size - alive.sum(2, keepdim=True)
    return torch.where(alive, overlaps, remaining / n_remaining)


def _shifted(after, first):
    """What is there before each step, from what is there after it (n_sequences, n_steps, ...)."""
    return torch.cat([first.expand_as(after[:, :1]), after[:, :-1]], 1)
