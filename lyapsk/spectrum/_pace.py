"""How many steps a frame may take between factorisations, as its pivots tell."""

import math

import torch

from ._frames import RESOLUTION

LONGEST_INTERVAL = 64
MOST_AT_ONCE = 8
FEW_ENTRIES = 2**20
SAFETY = 0.9
FASTEST_RISE = 4


class Pace:
    """Lengths of intervals between factorisations, several at a time.

    Between two factorisations the leading directions outgrow the others, and the rounding errors
    of the others grow by that ratio. The pivots measure it: where it passes ``eps ** -0.4`` times
    the number of steps, these are to be taken again in shorter intervals, so that each step adds
    an error of about ``eps ** 0.6`` (4e-10 in float64) to the growth of a direction. What later
    steps make of it is the network's own condition.

    Parameters
    ----------
    dtype : torch.dtype
        Of the frame.
    n_entries : int
        Of the frame: the larger, the more is lost where steps must be taken again.

    Attributes
    ----------
    careful : bool
        Whether directions may be dead, see ``LU.factor``; once they may, until ``forget_dead``.
    """

    def __init__(self, dtype, n_entries):
        self._interval = self._at_once = 1
        self._most_at_once = max(1, min(MOST_AT_ONCE, FEW_ENTRIES // n_entries))
        self._room = -0.4 * math.log(torch.finfo(dtype).eps)
        self._largest = 0.4 * math.log(torch.finfo(dtype).max)
        self._visible = -math.log(RESOLUTION[dtype])
        self.forget_dead()

    def forget_dead(self):
        """Directions that are dead so far may live again."""
        self.careful, self._dead = False, None

    def intervals(self, n_steps):
        """Lengths of the next intervals, of at most ``n_steps`` together."""
        whole, rest = divmod(n_steps, self._interval)
        found = [self._interval] * whole + [rest] * (rest > 0)
        return found[: self._at_once]

    def accepts(self, growth, intervals):
        """Whether the growth between factorisations is exact; sets the pace for what follows.

        Parameters
        ----------
        growth : Tensor of shape (n_intervals, n_networks, n_sequences, k)
        intervals : list of int
            Their lengths.
        """
        ratios, size = self._measures(growth)
        calm = size <= self._largest and all(ratio < self._visible for ratio in ratios)
        if not (calm or self.careful):
            self.careful = True
            return False
        loads = [r / (self._room + math.log(n)) for r, n in zip(ratios, intervals, strict=True)]
        load = max([size / self._largest, *loads])  # a first that is not a number stays so
        accepted = load <= 1 or intervals[0] == 1
        if accepted and self.careful:
            dead = growth.isneginf().any(0)
            self._dead = dead if self._dead is None else self._dead | dead
        before, self._interval = self._interval, self._next_interval(intervals[0], load)
        settled = accepted and self._interval <= before
        more = min(FASTEST_RISE * self._at_once, self._most_at_once)
        self._at_once = more if settled else 1
        return accepted

    def _measures(self, growth):
        """Of each interval the ratio of the largest growth to the smallest, and the size of any.

        In logarithms. A direction that seems to die within several steps may only have collapsed
        into rounding error: its growth of minus infinity makes the size infinite. Where growth is
        not a number, neither is the size.
        """
        least, most = growth.aminmax(dim=-1)
        if self._dead is not None:
            least = growth.masked_fill(self._dead, math.inf).amin(-1)
            most = growth.masked_fill(self._dead, -math.inf).amax(-1)
        size = torch.maximum(most, -least).max().item()
        return (most - least).amax((1, 2)).tolist(), size

    def _next_interval(self, n_steps, load):
        """Steps that would use most of the room, were the frame to go on as it did.

        A load that is not a number asks for shorter intervals too.
        """
        if not load <= 1:
            return max(1, n_steps // 2)
        fitting = int(SAFETY * n_steps / max(load, 0.01))
        return max(1, min(fitting, FASTEST_RISE * n_steps, LONGEST_INTERVAL))
