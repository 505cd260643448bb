"""Directions in state space: those of the gradient, those of frames, and their overlaps."""

import torch
from torch.nn.functional import pad

from ..spectrum import follow_adjoint, follow_frame


def state_side(dynamics, reading, frame, n_singular):
    """Overlaps of the frame before each step with the gradient's right singular vectors.

    Step ``s`` reads ``h_{s-1}``, so its frame is ``Q_{s-1}``, from ``J_t Q_{t-1} = Q_t R_t``; that
    of the first step is the initial one. The right singular vectors of the recurrent weights'
    gradient ``sum_s (ds_s / dW)^T delta_s`` live where ``h_{s-1}`` lives.

    Parameters
    ----------
    dynamics : Stack
        Of one network.
    reading : Reading
    frame : Tensor of shape (q, n)
        Initial frame, by its columns.
    n_singular : int

    Returns
    -------
    Tensor of shape (n_sequences, n_steps, q, n_singular)
        Squared cosines, the same steps after the initial frame standing first.
    """
    none = frame[:0]
    back = follow_adjoint(dynamics, reading.drive, reading.state_gradients, none, reading.lengths)
    whole = dynamics.with_recurrent_terms()
    gradients = whole.weight_gradient(back.before, reading.inputs, back.adjoint).recurrent
    vectors = _leading(gradients, whole.read_back, n_singular, dynamics.state_size, right=True)
    ahead = follow_frame(dynamics, reading.drive, frame, keep=("growth", "frames"))
    frames = _shifted(ahead.frames[0], frame.mT)
    growth = _shifted(ahead.history[0], frame.new_zeros(len(frame)))
    return _overlaps(frames, growth, vectors)


def adjoint_side(dynamics, reading, frame, n_singular):
    """Overlaps of the backward frame at each step with the adjoint's singular vectors.

    The backward frame is ``P_s`` from ``J_{s+1}^T P_{s+1} = P_s R``; that at a sequence's end is
    the initial one. Beside it, where ``delta_s`` lives, stand the left singular vectors of
    ``sum_s delta_s h_{s-1}^T``: the gradient of a recurrent term added to the state, which is the
    recurrent weights' gradient but for the slopes of the gates.

    Parameters and returns are those of ``state_side``; the initial frame stands last.
    """
    back = follow_adjoint(dynamics, reading.drive, reading.state_gradients, frame, reading.lengths)
    whole = dynamics.with_recurrent_terms()
    gradients = [
        back.adjoint[..., own].mT @ back.before[..., read]
        for own, read in zip(whole.blocks, whole.read_back, strict=True)
    ]
    vectors = _leading(gradients, whole.blocks, n_singular, dynamics.state_size, right=False)
    return _overlaps(back.frames, back.growth, vectors)


def _leading(gradients, places, n_singular, n, *, right):
    """Leading singular vectors of layers' gradients as the blocks of one block-diagonal matrix.

    Each vector lives in the part of the full state that is its layer's, and all layers' are
    ordered by singular value.

    Parameters
    ----------
    gradients : list of Tensor of shape (n_sequences, n_rows, n_columns)
        Of each layer.
    places : list of slice
        Where in the full state each layer's vectors belong.
    n_singular, n : int
    right : bool
        Right singular vectors, or left.

    Returns
    -------
    Tensor of shape (n_sequences, n_singular, n)
        Rows of NaN where a sequence's gradient has a smaller rank.
    """
    values, vectors = [], []
    for gradient, place in zip(gradients, places, strict=True):
        U, S, Vh = torch.linalg.svd(gradient, full_matrices=False)
        values.append(S)
        vectors.append(pad(Vh if right else U.mT, (place.start, n - place.stop)))
    values, order = torch.cat(values, 1).sort(descending=True, stable=True)
    order, values = order[:, :n_singular], values[:, :n_singular]
    vectors = torch.cat(vectors, 1).gather(1, order.unsqueeze(-1).expand(-1, -1, n))
    size = max(max(gradient.shape[1:]) for gradient in gradients)
    noise = values[:, :1] * size * torch.finfo(values.dtype).eps
    return vectors.masked_fill((values <= noise).unsqueeze(-1), torch.nan)


def _overlaps(frames, growth, vectors):
    """Squared cosines of frames (N, n_steps, n, q) with vectors (N, m, n), (N, n_steps, q, m)."""
    overlaps = (frames.mT @ vectors.mT.unsqueeze(1)).square()
    # Where a direction has died (J is singular), QR puts an arbitrary one in its place: the mean
    # over all that are orthogonal to the living ones stands for it.
    alive = ~growth.isneginf().unsqueeze(-1)
    remaining = 1 - (overlaps * alive).sum(2, keepdim=True)
    n_remaining = frames.shape[2] - alive.sum(2, keepdim=True)
    return torch.where(alive, overlaps, remaining / n_remaining)


def _shifted(after, first):
    """What is there before each step, from what is there after it (n_sequences, n_steps, ...)."""
    return torch.cat([first.expand_as(after[:, :1]), after[:, :-1]], 1)
