"""Row-pivoted LU of pushed frames, in room that is made once for all steps."""

import math

import torch

from ._frames import RESOLUTION, are_lost


class LU:
    """``Z = (P L) U``, whose ``P L`` has the nested column spans of ``Z`` as QR's ``Q`` has.

    It costs a quarter of QR. Over several steps the sums of ``log abs diag U`` and of
    ``log abs diag R`` differ only by ``log_diagonal`` of the first and of the last frame.

    Parameters
    ----------
    tangents : Tensor of shape (..., k, n)
        Where the columns of ``Z`` will be found.
    spare : Tensor of shape (..., k, n)
        Room that factorisations may use.
    """

    def __init__(self, tangents, spare):
        *batch, k, n = tangents.shape
        self._tangents, self._spare = tangents, spare
        self._Z = tangents.mT
        self._diagonal = self._Z.diagonal(dim1=-2, dim2=-1)
        self._below = tangents.new_ones(k, n).triu_()
        limits = torch.finfo(tangents.dtype)
        self._smallest, self._most = limits.tiny / limits.eps, int(math.log2(limits.max)) - 1
        whole = {"dtype": torch.int32, "device": tangents.device}
        self._swaps, self._info = (torch.empty(0, **whole) for _ in range(2))
        # In double precision, where whole numbers stay exact in every mode of multiplication.
        exact = {"dtype": torch.float64, "device": tangents.device}
        P = spare if (k, spare.dtype) == (n, torch.float64) else torch.empty(*batch, n, n, **exact)
        self._unread = P[..., :k]
        self._unpacked = P, torch.empty(0, **exact), torch.empty(0, **exact)
        self._rows_of_P, self._ranks = P.flatten(0, -2), torch.arange(n, **exact)
        self._ranked = torch.empty(len(self._rows_of_P), **exact)
        self._row_of = torch.empty_like(self._ranked, dtype=torch.int64)
        self._row_of_each = self._row_of.view(*batch, 1, n).expand(tangents.shape)

    def factor(self, pivots, *, careful=False):
        """Factor what is in ``tangents``, which is lost.

        Parameters
        ----------
        pivots : Tensor of shape (..., k)
            Where ``abs diag U`` goes.
        careful : bool
            Whether directions may be dead, and frames not finite: pivots that are not above
            rounding error become 0, entries beside their frame so small that a pivot's reciprocal
            might overflow are left out, and pivots of a frame that is not finite are no numbers.
        """
        if careful:
            lost = are_lost(self._tangents)
            self._tangents.masked_fill_(lost.unsqueeze(-1), 0)
            scale = self._scale(self._tangents)
            self._tangents.div_(scale)
            self._tangents.masked_fill_(self._tangents.abs() < self._smallest, 0)
        torch.linalg.lu_factor_ex(self._Z, out=(self._Z, self._swaps, self._info))
        torch.abs(self._diagonal, out=pivots)
        if careful:
            pivots.masked_fill_(pivots <= self._noise(pivots), 0)
            pivots.mul_(scale.squeeze(-1)).masked_fill_(lost, torch.nan)

    def write_frame(self, out):
        """Write the columns of ``P L`` of the last factorisation to ``out``, (..., k, n)."""
        torch.lu_unpack(self._unread, self._swaps, unpack_data=False, out=self._unpacked)
        torch.mv(self._rows_of_P, self._ranks, out=self._ranked)
        self._row_of.copy_(self._ranked)
        self._diagonal.fill_(1)
        torch.mul(self._tangents, self._below, out=self._spare)
        torch.gather(self._spare, -1, self._row_of_each, out=out)

    def _scale(self, tangents):
        """The power of two of the largest entry of each frame, (..., 1, 1)."""
        exponent = tangents.abs().amax((-2, -1), keepdim=True).frexp().exponent
        return exponent.to(tangents.dtype).clamp(-self._most, self._most).exp2()

    def _noise(self, pivots):
        """Rounding error to expect in each pivot: of the sum ``(L U)_jj`` of independent terms."""
        square = self._Z[..., : self._Z.shape[-1], :]
        scale = pivots.amax(-1, keepdim=True).clamp_min(self._smallest)  # no square overflows
        terms = (square * square.mT).tril(-1) / scale.unsqueeze(-1)
        summed = terms.square().sum(-1) + (pivots / scale).square()
        return summed.sqrt() * RESOLUTION[square.dtype] * scale
