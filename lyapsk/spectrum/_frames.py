"""Frames: how they start, and how they are kept orthonormal."""

import torch


def initial_frame(state_size, n_exponents, *, seed, dtype, device):
    """Random orthonormal frame, by its columns.

    The first columns are the same whatever ``n_exponents``, so that the leading exponents are
    those of the full spectrum.

    Returns
    -------
    Tensor of shape (n_exponents, state_size)
    """
    generator = torch.Generator().manual_seed(seed)
    columns = torch.randn(state_size, state_size, generator=generator, dtype=torch.float64)
    frame, _ = torch.linalg.qr(columns[:n_exponents].mT)
    return frame.mT.to(dtype=dtype, device=device)


def orthonormalize(tangents):
    """Factor pushed frames by QR: ``J_t Q_{t-1} = Q_t R_t``.

    A direction that is not above rounding error beside its own column is dead: its growth is
    minus infinity.

    Parameters
    ----------
    tangents : Tensor of shape (..., k, n)
        Columns of ``J_t Q_{t-1}``.

    Returns
    -------
    frame : Tensor of shape (..., k, n)
        Columns of ``Q_t``.
    growth : Tensor of shape (..., k)
        ``log abs diag R_t``, in nats.
    """
    Q, R = torch.linalg.qr(tangents.mT)
    diagonal = R.diagonal(dim1=-2, dim2=-1).abs()
    noise = torch.linalg.vector_norm(R, dim=-2) * tangents.shape[-1] * torch.finfo(R.dtype).eps
    growth = diagonal.log().masked_fill(diagonal <= noise, -torch.inf)
    return Q.mT, growth
