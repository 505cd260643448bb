"""Frames: how they start, and how they are kept from collapsing.

A frame ``Q`` (n, k) is held by its columns, as (..., k, n).
"""

from functools import lru_cache

import torch

from ._dead import Dead


@lru_cache(maxsize=4)
def initial_frame(state_size, n_exponents, *, seed, dtype, device):
    """Random orthonormal frame, by its columns.

    The first columns are the same whatever ``n_exponents``, so that the leading exponents are
    those of the full spectrum.

    Returns
    -------
    Tensor of shape (n_exponents, state_size)
    """
    generator = torch.Generator().manual_seed(seed)
    like = {"generator": generator, "dtype": torch.float64, "device": "cpu"}
    columns = torch.randn(state_size, state_size, **like)
    frame, _ = torch.linalg.qr(columns[:n_exponents].mT)
    return frame.mT.to(dtype=dtype, device=device)


def orthonormalize(tangents, dead=None):
    """Factor pushed frames by QR: ``J_t Q_{t-1} = Q_t R_t``.

    Parameters
    ----------
    tangents : Tensor of shape (..., k, n)
        Columns of ``J_t Q_{t-1}``.
    dead : Dead, optional
        Which directions were dead before; none by default.

    Returns
    -------
    frame : Tensor of shape (..., k, n)
        Columns of ``Q_t``.
    growth : Tensor of shape (..., k)
        ``log abs diag R_t``, in nats; minus infinity where a direction is dead.
    factor : Tensor of shape (..., k, k)
        ``R_t``.
    dead : Dead
    """
    Q, R = torch.linalg.qr(tangents.mT)
    diagonal = R.diagonal(dim1=-2, dim2=-1).abs()
    # The square of a factor may overflow where the factor does not.
    largest = R.abs().amax(-2).clamp_min(torch.finfo(R.dtype).tiny)
    norm = torch.linalg.vector_norm(R / largest.unsqueeze(-2), dim=-2) * largest
    dead = (Dead.none(norm) if dead is None else dead).after(R, norm)
    return Q.mT, diagonal.log().masked_fill(dead.mask, -torch.inf), R, dead


def log_diagonal(frame):
    """``log abs diag R`` of the QR factorisation of frames (..., k, n): (..., k)."""
    _, R = torch.linalg.qr(frame.mT, mode="r")
    return R.diagonal(dim1=-2, dim2=-1).abs().log()
