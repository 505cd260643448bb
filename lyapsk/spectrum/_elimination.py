"""Steps with elimination: the frame is factored by LU, as rarely as its condition allows."""

import torch

from ._frames import log_diagonal
from ._lu import LU
from ._pace import Pace
from ._steppers import Framed

MOST_AT_ONCE = 8
FEW_ENTRIES = 2**20


class Elimination(Framed):
    """``Z = (P L) U`` after as many steps as the frame's condition allows.

    Several factorisations are made before their pivots are looked at: where these tell that steps
    were too many, the frame goes back to where it was; see ``Pace``. On a GPU, where reading the
    pivots would make the host wait, every step is factored.
    """

    def __init__(self, dynamics, drive, position):
        super().__init__(dynamics, drive, position)
        self._debt = position.debt
        self._pushed, self._spare = torch.empty_like(self.frame), torch.empty_like(self.frame)
        self._other = torch.empty_like(self.frame) if self._reads_pivots else self.frame
        self._lu = LU(self._pushed, self._spare)
        self._pivots = self.frame.new_empty(self._chunk, *self._debt.shape)
        # The larger the frame, the more is lost where steps must be taken again.
        most_at_once = max(1, min(MOST_AT_ONCE, FEW_ENTRIES // self.frame.numel()))
        self._pace = Pace(self.frame.dtype, most_at_once)

    def advance(self, stop):
        """Go on to step ``stop`` and return the growth on the way, (n_networks, n_sequences, k)."""
        if stop == self.step:
            return torch.zeros_like(self._debt)
        self._pace.careful = self.dead.tilt is not None or not self._reads_pivots
        total = super().advance(stop) - self._debt
        self._debt = log_diagonal(self.frame)
        return total + self._debt

    @property
    def _reads_pivots(self):
        return self.frame.device.type == "cpu"

    def _follow(self, push, n_steps, total):
        step = 0
        while step < n_steps:
            if self._reads_pivots:
                intervals = self._pace.intervals(n_steps - step)
            else:
                intervals = [1] * n_steps
            growth, dead = self._eliminate(push, step, intervals)
            if self._reads_pivots and not self._pace.accepts(growth, intervals, self.dead.mask):
                continue
            self.frame, self._other, self.dead = self._other, self.frame, dead
            total += growth.sum(0)
            if self._pace.careful:
                self._note_failed(growth.isnan().any(-1), self.step + step)
            step += sum(intervals)

    def _eliminate(self, push, step, intervals):
        """Growth over intervals (len(intervals), n_networks, n_sequences, k), and what is dead.

        The frame after them is in ``_other``.
        """
        frame, dead, pivots = self.frame, self.dead, self._pivots[: len(intervals)]
        for interval, own in zip(intervals, pivots.unbind(), strict=True):
            self._push(push, step, interval, frame)
            self._lu.factor(own, careful=self._pace.careful)
            if self._pace.careful:
                dead = dead.after(self._lu.upper(), self._lu.scale(own))
                own.masked_fill_(dead.mask, 0)
            self._lu.write_frame(self._other)
            frame = self._other
            step += interval
        return pivots.log(), dead

    def _push(self, push, first, n_steps, frame):
        """Write the frame after some steps to ``_pushed``."""
        for left in range(n_steps, 0, -1):
            pushed = self._pushed if left % 2 else self._spare
            push(first + n_steps - left, frame, pushed)
            frame = pushed
