"""Steps with elimination: the frame is factored by LU, as rarely as its condition allows."""

import torch

from ._frames import log_diagonal
from ._lu import LU
from ._pace import Pace
from ._steppers import Framed


class Elimination(Framed):
    """``Z = (P L) U`` after as many steps as the frame's condition allows.

    Several factorisations are made before their pivots are looked at: where these tell that steps
    were too many, the frame goes back to where it was; see ``Pace``. On a GPU, where reading the
    pivots would make the host wait, every step is factored.
    """

    def __init__(self, dynamics, drive, frame):
        super().__init__(dynamics, drive, frame)
        self._debt = self._none
        self._pushed, self._spare = torch.empty_like(self.frame), torch.empty_like(self.frame)
        self._other = torch.empty_like(self.frame) if self._reads_pivots else self.frame
        self._lu = LU(self._pushed, self._spare)
        self._pivots = self.frame.new_empty(self._chunk, *self._debt.shape)
        self._pace = Pace(self.frame.dtype, self.frame.numel())

    def advance(self, stop):
        """Go on to step ``stop`` and return the growth on the way, (n_networks, n_sequences, k)."""
        if stop == self.step:
            return torch.zeros_like(self._debt)
        self._pace.forget_dead()
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
            careful = self._pace.careful or not self._reads_pivots
            growth = self._eliminate(push, step, intervals, careful=careful)
            if self._reads_pivots and not self._pace.accepts(growth, intervals):
                continue
            self.frame, self._other = self._other, self.frame
            total += growth.sum(0)
            if careful:
                self._note_failed(growth.isnan().any(-1), self.step + step)
            step += sum(intervals)

    def _eliminate(self, push, step, intervals, *, careful):
        """Growth over intervals (len(intervals), n_networks, n_sequences, k).

        The frame after them is in ``_other``.
        """
        frame, pivots = self.frame, self._pivots[: len(intervals)]
        for interval, own in zip(intervals, pivots.unbind(), strict=True):
            self._push(push, step, interval, frame)
            self._lu.factor(own, careful=careful)
            self._lu.write_frame(self._other)
            frame = self._other
            step += interval
        return pivots.log()

    def _push(self, push, first, n_steps, frame):
        """Write the frame after some steps to ``_pushed``."""
        for left in range(n_steps, 0, -1):
            pushed = self._pushed if left % 2 else self._spare
            push(first + n_steps - left, frame, pushed)
            frame = pushed
