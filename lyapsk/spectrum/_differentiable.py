"""Lyapunov exponents that autograd can go through, with bounded memory."""

import math

import torch
from torch.autograd import forward_ad
from torch.utils.checkpoint import checkpoint

from ._frames import are_lost


def differentiable_exponents(dynamics, drive, frame):
    """Leading exponents of one network, with a gradient to its weights.

    Parameters
    ----------
    dynamics : Stack
        Weights that require a gradient get one.
    drive : Drive
    frame : Tensor of shape (k, n)
        Initial frame, by its columns.

    Returns
    -------
    Tensor of shape (k,)
        Mean growth over steps and sequences, in the order of the frame's columns.

    Notes
    -----
    Backward takes the steps again, segment by segment of about the square root of their number,
    so that memory grows with that root.

    References
    ----------
    Engelken (2023), "Gradient flossing: improving gradient descent through dynamic control of
    Jacobians", NeurIPS, arXiv 2312.17306.
    """
    n_segment = math.isqrt(drive.n_steps - 1) + 1
    state = drive.state
    frames = frame.expand(state.shape[1], *frame.shape)
    total = frame.new_zeros(len(frame))
    for start in range(0, drive.n_steps, n_segment):
        inputs = drive.inputs[start : start + n_segment]
        state, frames, growth = checkpoint(
            _segment, dynamics, inputs, state, frames, use_reentrant=False
        )
        total = total + growth
    return total / drive.n_steps


def _segment(dynamics, inputs, state, frames):
    """State and frames after some steps, and their growth on the way, mean over sequences."""
    total = frames.new_zeros(frames.shape[1])
    for x in inputs:
        state, pushed = _pushed(dynamics, x, state, frames)
        # Of a frame that is not finite the growth is minus infinity.
        Q, R = torch.linalg.qr(pushed.masked_fill(are_lost(pushed).unsqueeze(-1), 0).mT)
        frames = Q.mT
        total = total + R.diagonal(dim1=-2, dim2=-1).abs().log().mean(0)
    return state, frames, total


def _pushed(dynamics, x, state, frames):
    """The state after a step and ``J Q``, for frames (n_sequences, k, n)."""
    n_sequences, k, n = frames.shape
    with forward_ad.dual_level():
        states = forward_ad.make_dual(
            state.repeat_interleave(k, 1), frames.reshape(1, n_sequences * k, n)
        )
        after = dynamics.step(states, x.repeat_interleave(k, 1))
        states, pushed = forward_ad.unpack_dual(after)
    return states[:, ::k], pushed.view(n_sequences, k, n)
