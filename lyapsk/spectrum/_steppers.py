"""Two ways of taking steps without the frame collapsing."""

import math

import torch

from ._frames import eliminate, log_diagonal, orthonormalize
from ._growth import Position

LONGEST_INTERVAL = 64
LARGEST_GROWTH = 300.0
SAFETY = 0.9


class Orthonormalization:
    """``J_t Q_{t-1} = Q_t R_t`` at every step.

    Attributes
    ----------
    position : Position
    step : int
        Steps taken.
    failed_step : Tensor of shape (n_networks, n_sequences)
        See ``Growth``.
    """

    def __init__(self, dynamics, drive, position):
        self.dynamics, self.position = dynamics, position
        self._inputs = [None] * drive.n_steps if drive.inputs is None else drive.inputs.unbind()
        self.step = 0
        self.failed_step = torch.full(position.state.shape[:2], -1, device=position.state.device)
        self.keep, self.history, self.frames = (), [], []

    def advance(self, stop):
        """Go on to step ``stop`` and return the growth on the way, (n_networks, n_sequences, k)."""
        total = -self.position.debt
        while self.step < stop:
            state, tangents = self._push(1)
            frame, growth = orthonormalize(tangents)
            self._accept(1, Position(state, frame, torch.zeros_like(growth)), growth)
            self._note(growth)
            total = total + growth
        return total

    def _push(self, n_steps):
        state, tangents = self.position.state, self.position.frame
        for step in range(self.step, self.step + n_steps):
            state, push = self.dynamics.linearize(state, self._inputs[step])
            tangents = push(tangents)
        return state, tangents

    def _accept(self, n_steps, position, growth):
        failed = ~position.state.isfinite().all(-1) | growth.isnan().any(-1)
        if failed.any():
            self.failed_step.masked_fill_(failed & (self.failed_step < 0), self.step)
        self.step += n_steps
        self.position = position

    def _note(self, growth):
        if "growth" in self.keep:
            self.history.append(growth)
        if "frames" in self.keep:
            self.frames.append(self.position.frame.mT)


class Elimination(Orthonormalization):
    """``Z = (P L) U`` after as many steps as the frame's condition allows.

    Between two factorisations the leading directions outgrow the others, and the rounding errors
    of the others grow by that ratio. The pivots measure it: where it passes ``eps ** -0.4``, the
    steps are taken again in shorter intervals, so that each factorisation adds an error of about
    ``eps ** 0.6`` (4e-10 in float64) to the growth of a direction.
    """

    def __init__(self, dynamics, drive, position):
        super().__init__(dynamics, drive, position)
        self._interval = 1
        self._dead = torch.zeros_like(position.debt, dtype=torch.bool)
        self._largest_log_ratio = -0.4 * math.log(torch.finfo(position.frame.dtype).eps)

    def advance(self, stop):
        """Go on to step ``stop`` and return the growth on the way, (n_networks, n_sequences, k)."""
        total = -self.position.debt
        while self.step < stop:
            n_steps = min(self._interval, stop - self.step)
            state, tangents = self._push(n_steps)
            frame, growth = eliminate(tangents)
            load = self._load(state, growth)
            self._interval = _next_interval(n_steps, load)
            if load <= 1 or n_steps == 1:
                self._accept(n_steps, Position(state, frame, None), growth)
                self._dead |= growth.isneginf()
                total = total + growth
        debt = log_diagonal(self.position.frame)
        self.position = Position(self.position.state, self.position.frame, debt)
        return total + debt

    def _load(self, state, growth):
        """Above 1 where the steps since the last factorisation were too many.

        A direction that seems to die within several steps may only have collapsed into rounding
        error: its growth of minus infinity makes the load infinite.
        """
        alive = ~self._dead
        most = growth.where(alive, -torch.inf).amax(-1)
        least = growth.where(alive, torch.inf).amin(-1)
        load = torch.maximum(
            (most - least) / self._largest_log_ratio,
            growth.where(alive, 0).abs().amax(-1) / LARGEST_GROWTH,
        ).amax()
        return load.item() if state.isfinite().all() else math.inf


def _next_interval(n_steps, load):
    """Steps that would use most of the room, were the frame to go on as it did.

    A load that is not a number asks for shorter intervals too.
    """
    if not load <= 1:
        return max(1, n_steps // 2)
    return max(1, min(int(SAFETY * n_steps / max(load, 0.01)), 2 * n_steps, LONGEST_INTERVAL))
