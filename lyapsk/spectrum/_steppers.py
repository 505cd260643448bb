"""Ways of taking steps without the frame collapsing."""

import math
from abc import ABC, abstractmethod

import numpy as np
import torch

from ._frames import (
    RESOLUTION,
    factor,
    has_subnormal,
    log_diagonal,
    lower_factor,
    mark_dead,
    orthonormalize,
    without_subnormal,
)

LONGEST_CHUNK = 64
CHUNK_ENTRIES = 2**17
LARGEST_GROWTH = 300.0
SAFETY = 0.9


class Stepper(ABC):
    """Takes a frame along a drive, a chunk of steps at a time.

    States come first: they need few operations a step, and what the frame needs of them is then
    made for the whole chunk at once.

    Attributes
    ----------
    step : int
        Steps taken.
    failed_step : Tensor of shape (n_networks, n_sequences)
        See ``Growth``.
    tell : callable or None
        Told the number of steps after every chunk.
    """

    tell = None

    def __init__(self, dynamics, drive, position):
        self.dynamics, self.drive = dynamics, drive
        self.state = position.state
        self.step = 0
        self.failed_step = torch.full(self.state.shape[:2], -1, device=self.state.device)
        self.keep, self.history, self.frames, self.factors = (), [], [], []
        self._none = torch.zeros_like(position.debt)
        self._chunk = max(4, min(LONGEST_CHUNK, CHUNK_ENTRIES // self.state.numel()))

    def advance(self, stop):
        """Go on to step ``stop`` and return the growth on the way, (n_networks, n_sequences, k)."""
        total = self._none.clone()
        while self.step < stop:
            n_steps = min(self._chunk, stop - self.step)
            states = self._take(self.drive.inputs_of(self.step, self.step + n_steps), total)
            self._note_failed(~states.isfinite().all(-1), self.step)
            self.state = states[-1]
            self.step += n_steps
            if self.tell is not None:
                self.tell(n_steps)
        return total

    @abstractmethod
    def _take(self, inputs, total):
        """Take a chunk of steps, add its growth to ``total``, and return the states."""

    def _note_failed(self, failed, first_step):
        """Keep the first of consecutive steps (n_steps, n_networks, n_sequences) that failed."""
        new = failed.any(0) & (self.failed_step < 0)
        self.failed_step = (first_step + failed.byte().argmax(0)).where(new, self.failed_step)


class Diagonal(Stepper):
    """No frame: every direction of growth is an entry of the state, or lies in a pair of them."""

    def _take(self, inputs, total):
        states, growth = self.dynamics.log_growth(self.state, inputs)
        total += growth.sum(0)
        if "growth" in self.keep:
            self.history += growth.unbind()
        return states


class Framed(Stepper):
    """Takes a frame along."""

    def __init__(self, dynamics, drive, position):
        super().__init__(dynamics, drive, position)
        self.frame = position.frame.clone(memory_format=torch.contiguous_format)

    def _take(self, inputs, total):
        states, push = self.dynamics.linearize(self.state, inputs)
        self._follow(push, len(states), total)
        return states

    @abstractmethod
    def _follow(self, push, n_steps, total):
        """Take the frame along a chunk of steps and add its growth to ``total``."""


class Orthonormalization(Framed):
    """``J_t Q_{t-1} = Q_t R_t`` at every step."""

    def __init__(self, dynamics, drive, position):
        super().__init__(dynamics, drive, position)
        self._pushed = torch.empty_like(self.frame)

    def _follow(self, push, n_steps, total):
        for step in range(n_steps):
            push(step, self.frame, self._pushed)
            self.frame, growth, R = orthonormalize(self._pushed)
            self._note_failed(growth.isnan().any(-1)[None], self.step + step)
            total += growth
            if "growth" in self.keep:
                self.history.append(growth)
            if "frames" in self.keep:
                self.frames.append(self.frame.mT)
            if "factors" in self.keep:
                self.factors.append(R)


class Elimination(Framed):
    """``Z = (P L) U`` after as many steps as the frame's condition allows.

    Between two factorisations the leading directions outgrow the others, and the rounding errors
    of the others grow by that ratio. The pivots measure it: where it passes ``eps ** -0.4``, the
    steps are taken again in shorter intervals, so that each factorisation adds an error of about
    ``eps ** 0.6`` (4e-10 in float64) to the growth of a direction.

    On a GPU, where reading the pivots would make the host wait, every step is factored.
    """

    def __init__(self, dynamics, drive, position):
        super().__init__(dynamics, drive, position)
        self._spare = torch.empty_like(self.frame), torch.empty_like(self.frame)
        self._debt = position.debt
        self._interval = 1
        self._room = -0.4 * math.log(torch.finfo(self.frame.dtype).eps)

    def advance(self, stop):
        """Go on to step ``stop`` and return the growth on the way, (n_networks, n_sequences, k)."""
        if stop == self.step:
            return torch.zeros_like(self._debt)
        self._dead = torch.zeros_like(self._debt, dtype=torch.bool)
        total = super().advance(stop) - self._debt
        self._debt = log_diagonal(self.frame)
        return total + self._debt

    def _follow(self, push, n_steps, total):
        step = 0
        while step < n_steps:
            taken = min(self._interval, n_steps - step)
            pushed, spare = self._push(push, step, taken)
            swaps, growth, load = self._factor(pushed, spare)
            self._interval = self._next_interval(taken, load)
            if load <= 1 or taken == 1:
                step += taken
                lower_factor(spare, swaps, out=pushed)
                self.frame, self._spare = pushed, (spare, self.frame)
                total += growth
                if not load < math.inf:
                    self._dead |= growth.isneginf()
                    self._note_failed(growth.isnan().any(-1)[None], self.step + step - 1)

    @property
    def _reads_pivots(self):
        return self.frame.device.type == "cpu"

    def _push(self, push, first, n_steps):
        """The frame after some steps, and a frame's room that is free."""
        pushed, spare = self._spare
        push(first, self.frame, pushed)
        for step in range(first + 1, first + n_steps):
            push(step, pushed, spare)
            pushed, spare = spare, pushed
        return pushed, spare

    def _factor(self, pushed, spare):
        """Swaps and growth of a factorisation into ``spare``, and its load.

        The load is above 1 where the steps since the last factorisation were too many. A
        direction that seems to die within several steps may only have collapsed into rounding
        error: its growth of minus infinity makes the load infinite.
        """
        if not self._reads_pivots:
            swaps, growth = factor(without_subnormal(pushed), spare)
            return swaps, mark_dead(growth, spare), math.inf
        swaps, growth = factor(pushed, spare)
        load = self._load(*growth.aminmax(dim=-1))
        if load * self._room < -math.log(RESOLUTION[growth.dtype]):
            return swaps, growth, load
        if has_subnormal(growth):
            swaps, growth = factor(without_subnormal(pushed), spare)
        mark_dead(growth, spare)
        least = growth.where(~self._dead, torch.inf).amin(-1)
        most = growth.where(~self._dead, -torch.inf).amax(-1)
        return swaps, growth, self._load(least, most)

    def _load(self, least, most):
        """The larger of two shares: of the room for the ratio, and of the range of numbers."""
        least, most = least.numpy(), most.numpy()  # of few numbers, faster than torch
        size = np.maximum(most, -least) / LARGEST_GROWTH
        with np.errstate(invalid="ignore"):  # where both are infinite
            return float(np.maximum((most - least) / self._room, size).max())

    def _next_interval(self, n_steps, load):
        """Steps that would use most of the room, were the frame to go on as it did.

        A load that is not a number asks for shorter intervals too.
        """
        if not load <= 1:
            return max(1, n_steps // 2)
        return max(1, min(int(SAFETY * n_steps / max(load, 0.01)), 2 * n_steps, LONGEST_CHUNK))
