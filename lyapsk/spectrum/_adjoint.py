"""How a loss depends on the states: the adjoint, from last step to first, and in a frame."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ._frames import orthonormalize


@dataclass(frozen=True)
class Adjoint:
    """What runs from the last step to the first.

    Attributes
    ----------
    before : Tensor of shape (n_sequences, n_steps, n)
        State ``s_{t-1}`` before each step.
    adjoint : Tensor of shape (n_sequences, n_steps, n)
        ``delta_t = g_t + J_{t+1}^T delta_{t+1}``: gradient of the loss with respect to ``s_t``.
    frames : Tensor of shape (n_sequences, n_steps, n, q)
        ``P_t`` from ``J_{t+1}^T P_{t+1} = P_t R``: leading directions of the adjoint.
    growth : Tensor of shape (n_sequences, n_steps, q)
        ``log abs diag R`` of the pull that led to each; 0 where there was none.
    """

    before: Tensor
    adjoint: Tensor
    frames: Tensor
    growth: Tensor


def follow_adjoint(dynamics, drive, state_gradients, frame, lengths):
    """Pull adjoint and frame back along the sequences of one network.

    Parameters
    ----------
    dynamics : Stack
    drive : Drive
        Of sequences padded to one length.
    state_gradients : Tensor of shape (n_sequences, n_steps, n)
        ``g_t = dl_t / ds_t``, the loss's own, not by way of later states; 0 after a sequence's
        end.
    frame : Tensor of shape (q, n)
        ``P_T`` at every sequence's end, by its columns; q may be 0.
    lengths : Tensor of int of shape (n_sequences,)

    Returns
    -------
    Adjoint
    """
    states, _ = dynamics.linearize(drive.state, drive.inputs)
    before = torch.cat([drive.state.unsqueeze(0), states[:-1]])
    gradients = state_gradients.transpose(0, 1)
    delta = gradients[-1]
    P = last = frame.expand(len(lengths), *frame.shape)
    growth = still = frame.new_zeros(len(lengths), len(frame))
    deltas, frames, growths = [delta], [P], [growth]
    for step in range(drive.n_steps - 1, 0, -1):
        cotangents = torch.cat([delta.unsqueeze(1), P], 1).unsqueeze(0)
        pulled = dynamics.pull(before[step], drive.inputs[step], cotangents)[0]
        delta = gradients[step - 1] + pulled[:, 0]
        if len(frame):
            P, growth, _ = orthonormalize(pulled[:, 1:])
            ended = (step >= lengths)[:, None]
            P, growth = torch.where(ended[..., None], last, P), torch.where(ended, still, growth)
        deltas.append(delta)
        frames.append(P)
        growths.append(growth)
    deltas, frames, growths = (torch.stack(v[::-1], 1) for v in (deltas, frames, growths))
    return Adjoint(before[:, 0].transpose(0, 1), deltas, frames.mT, growths)


def frame_coordinates(frames, factors, state_gradients):
    """The adjoint in the coordinates of the forward frame, ``a_t = Q_t^T delta_t``.

    From ``J_{t+1} Q_t = Q_{t+1} R_{t+1}`` follows ``a_t = Q_t^T g_t + R_{t+1}^T a_{t+1}``, for
    the leading columns of a frame by themselves: R is triangular.

    Parameters
    ----------
    frames : Tensor of shape (n_sequences, n_steps, n, k)
        ``Q_t``.
    factors : Tensor of shape (n_sequences, n_steps, k, k)
        ``R_t``.
    state_gradients : Tensor of shape (n_sequences, n_steps, n)
        ``g_t``.

    Returns
    -------
    Tensor of shape (n_sequences, n_steps, k)
    """
    own = (frames.mT @ state_gradients.unsqueeze(-1)).squeeze(-1)
    coordinates = [own[:, -1]]
    for step in range(own.shape[1] - 2, -1, -1):
        pulled = factors[:, step + 1].mT @ coordinates[-1].unsqueeze(-1)
        coordinates.append(own[:, step] + pulled.squeeze(-1))
    return torch.stack(coordinates[::-1], 1)


def log_largest_singular_values(factors):
    """Of the Jacobian product ``J_T ... J_{t+1}`` after each step, 0 after the last.

    The product is ``Q_T R_T ... R_{t+1} Q_t^T``, whose singular values are those of the product
    of the factors; it is scaled at every step, so that nothing overflows.

    Parameters
    ----------
    factors : Tensor of shape (n_sequences, n_steps, n, n)
        ``R_t`` of full frames.

    Returns
    -------
    Tensor of shape (n_sequences, n_steps)
        Natural logarithms.
    """
    n_steps, n = factors.shape[1:3]
    identity = torch.eye(n, dtype=factors.dtype, device=factors.device)
    product = identity.expand_as(factors[:, 0])
    log_scale = factors.new_zeros(len(factors))
    logs = [log_scale]
    for step in range(n_steps - 1, 0, -1):
        product = product @ factors[:, step]
        norm = torch.linalg.matrix_norm(product, 2)
        log_scale = log_scale + norm.log()
        product = product / norm.where(norm > 0, 1.0)[:, None, None]
        logs.append(log_scale)
    return torch.stack(logs[::-1], 1)
