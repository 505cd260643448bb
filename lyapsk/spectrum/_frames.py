"""Frames: how they start, and how they are kept from collapsing.

A frame ``Q`` (n, k) is held by its columns, as (..., k, n).
"""

from functools import lru_cache

import torch

RESOLUTION = {dtype: torch.finfo(dtype).eps ** 0.85 for dtype in (torch.float32, torch.float64)}
"""Relative size below which what is left of a column is taken for rounding error: about
``exp(-13)`` and ``exp(-30)``."""


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


def orthonormalize(tangents):
    """Factor pushed frames by QR: ``J_t Q_{t-1} = Q_t R_t``.

    A direction that is not above rounding error beside its own column is dead: its growth is
    minus infinity. Where a frame is not finite, its growth is not a number.

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
    factor : Tensor of shape (..., k, k)
        ``R_t``.
    """
    lost = are_lost(tangents)
    Q, R = torch.linalg.qr(tangents.masked_fill(lost.unsqueeze(-1), 0).mT)
    diagonal = R.diagonal(dim1=-2, dim2=-1).abs()
    # The square of a factor may overflow where the factor does not.
    largest = R.abs().amax(-2).clamp_min(torch.finfo(R.dtype).tiny)
    norm = torch.linalg.vector_norm(R / largest.unsqueeze(-2), dim=-2) * largest
    noise = norm * RESOLUTION[R.dtype]
    growth = diagonal.log().masked_fill(diagonal <= noise, -torch.inf)
    return Q.mT, growth.masked_fill(lost, torch.nan), R


def are_lost(tangents):
    """Which of frames (..., k, n) are not finite throughout: (..., 1).

    On a GPU, factorisations of such may wait forever, or give finite numbers (pytorch issues
    134334, 173638): they are to be replaced by 0.
    """
    return ~tangents.isfinite().flatten(-2).all(-1, keepdim=True)


def log_diagonal(frame):
    """``log abs diag R`` of the QR factorisation of frames (..., k, n): (..., k)."""
    _, R = torch.linalg.qr(frame.mT, mode="r")
    return R.diagonal(dim1=-2, dim2=-1).abs().log()
