"""Frames: how they start, and how they are kept from collapsing.

A frame ``Q`` (n, k) is held by its columns, as (..., k, n).
"""

import math
from functools import lru_cache

import torch


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
    """
    Q, R = torch.linalg.qr(tangents.mT)
    diagonal = R.diagonal(dim1=-2, dim2=-1).abs()
    noise = torch.linalg.vector_norm(R, dim=-2) * _resolution(R.dtype)
    return Q.mT, diagonal.log().masked_fill(diagonal <= noise, -torch.inf)


def eliminate(tangents):
    """Factor pushed frames by row-pivoted LU: ``Z = (P L) U``.

    ``P L`` has the nested column spans of ``Z`` as QR's ``Q`` has, at a quarter of the cost. Over
    several steps the sums of ``log abs diag U`` and of ``log abs diag R`` differ only by
    ``log_diagonal`` of the first and of the last frame.

    Parameters
    ----------
    tangents : Tensor of shape (..., k, n)
        Columns of ``Z``.

    Returns
    -------
    frame : Tensor of shape (..., k, n)
        Columns of ``P L``.
    growth : Tensor of shape (..., k)
        ``log abs diag U``, in nats; minus infinity for pivots that are not above rounding error.
    """
    packed, swaps, growth = _factor(tangents)
    P, _, _ = torch.lu_unpack(packed, swaps, unpack_data=False)
    row_of = (P @ torch.arange(P.shape[-1], dtype=P.dtype, device=P.device)).long()
    L = packed.mT.triu_(1)
    L.diagonal(dim1=-2, dim2=-1).fill_(1)
    return L.gather(-1, row_of.unsqueeze(-2).expand_as(L)), growth


def log_diagonal(frame):
    """``log abs diag R`` of the QR factorisation of frames (..., k, n): (..., k)."""
    _, R = torch.linalg.qr(frame.mT, mode="r")
    return R.diagonal(dim1=-2, dim2=-1).abs().log()


def _factor(tangents):
    """Packed LU factors (..., n, k), row swaps, and the log of the pivots.

    Minus infinity for dead pivots. The reciprocal of a subnormal one overflows, so that entries
    that may leave such are set to zero.
    """
    packed, swaps, growth = _factor_as_is(tangents)
    if _suspicious(growth):
        smallest = torch.finfo(growth.dtype).tiny / torch.finfo(growth.dtype).eps
        if (growth.isfinite() & (growth < math.log(smallest))).any():
            flushed = tangents.where(tangents.abs() >= smallest, 0)
            packed, swaps, growth = _factor_as_is(flushed)
        growth.masked_fill_(growth <= _noise(packed).log(), -torch.inf)
    return packed, swaps, growth


def _factor_as_is(tangents):
    packed, swaps, _ = torch.linalg.lu_factor_ex(tangents.mT)
    return packed, swaps, packed.diagonal(dim1=-2, dim2=-1).abs().log()


def _suspicious(growth):
    """Whether some pivot is below the resolution beside another, or not a number."""
    spread = (growth.amax(-1) - growth.amin(-1)).amax()
    return not spread < -math.log(_resolution(growth.dtype))


def _noise(packed):
    """Rounding error to expect in each pivot: of the sum ``(L U)_jj`` of independent terms."""
    square = packed[..., : packed.shape[-1], :]
    terms = (square * square.mT).tril(-1)
    summed = terms.square().sum(-1) + square.diagonal(dim1=-2, dim2=-1).square()
    return summed.sqrt() * _resolution(packed.dtype)


def _resolution(dtype):
    """Relative size below which what is left of a column is taken for rounding error.

    About ``exp(-30)`` in float64 and ``exp(-13)`` in float32.
    """
    return torch.finfo(dtype).eps ** 0.85
