"""Frames: how they start, and how they are kept from collapsing.

A frame ``Q`` (n, k) is held by its columns, as (..., k, n).
"""

import math
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
    factor : Tensor of shape (..., k, k)
        ``R_t``.
    """
    Q, R = torch.linalg.qr(tangents.mT)
    diagonal = R.diagonal(dim1=-2, dim2=-1).abs()
    noise = torch.linalg.vector_norm(R, dim=-2) * RESOLUTION[R.dtype]
    return Q.mT, diagonal.log().masked_fill(diagonal <= noise, -torch.inf), R


def factor(tangents, packed):
    """Row-pivoted LU of pushed frames: ``Z = (P L) U``.

    ``P L`` has the nested column spans of ``Z`` as QR's ``Q`` has, at a quarter of the cost. Over
    several steps the sums of ``log abs diag U`` and of ``log abs diag R`` differ only by
    ``log_diagonal`` of the first and of the last frame.

    Parameters
    ----------
    tangents : Tensor of shape (..., k, n)
        Columns of ``Z``.
    packed : Tensor of shape (..., k, n)
        Where the columns of both factors go, in LAPACK's packed form.

    Returns
    -------
    swaps : Tensor of shape (..., k)
        Row exchanges, in LAPACK's form.
    growth : Tensor of shape (..., k)
        ``log abs diag U``, in nats.
    """
    swaps, info = (torch.empty(0, dtype=torch.int32, device=packed.device) for _ in range(2))
    torch.linalg.lu_factor_ex(tangents.mT, out=(packed.mT, swaps, info))
    return swaps, packed.diagonal(dim1=-2, dim2=-1).abs().log()


def without_subnormal(tangents):
    """Set to zero, in place, entries that may leave pivots whose reciprocals overflow."""
    return tangents.masked_fill_(tangents.abs() < _smallest(tangents.dtype), 0)


def has_subnormal(growth):
    """Whether some pivot is so small that its reciprocal may overflow."""
    return bool((growth.isfinite() & (growth < math.log(_smallest(growth.dtype)))).any())


def mark_dead(growth, packed):
    """Set to minus infinity, in place, the growth of pivots that are not above rounding error."""
    return growth.masked_fill_(growth <= _noise(packed.mT).log(), -torch.inf)


def lower_factor(packed, swaps, out):
    """Write the columns of ``P L`` to ``out``, from what ``factor`` gave; ``packed`` is lost."""
    P, _, _ = torch.lu_unpack(packed.mT, swaps, unpack_data=False)
    ranks = torch.arange(P.shape[-1], dtype=P.dtype, device=P.device)
    row_of = (P @ ranks).long().unsqueeze(-2)
    L = packed.triu_(1)
    L.diagonal(dim1=-2, dim2=-1).fill_(1)
    torch.gather(L, -1, row_of.expand_as(L), out=out)


def log_diagonal(frame):
    """``log abs diag R`` of the QR factorisation of frames (..., k, n): (..., k)."""
    _, R = torch.linalg.qr(frame.mT, mode="r")
    return R.diagonal(dim1=-2, dim2=-1).abs().log()


def _noise(packed):
    """Rounding error to expect in each pivot: of the sum ``(L U)_jj`` of independent terms."""
    square = packed[..., : packed.shape[-1], :]
    terms = (square * square.mT).tril(-1)
    summed = terms.square().sum(-1) + square.diagonal(dim1=-2, dim2=-1).square()
    return summed.sqrt() * RESOLUTION[packed.dtype]


def _smallest(dtype):
    return torch.finfo(dtype).tiny / torch.finfo(dtype).eps
