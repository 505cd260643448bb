"""Ways of taking steps without the frame collapsing."""

from abc import ABC, abstractmethod

import torch

from ._frames import orthonormalize

LONGEST_CHUNK = 64
CHUNK_ENTRIES = 2**17


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

    def __init__(self, dynamics, drive, frame):
        self.dynamics, self.drive = dynamics, drive
        self.state = drive.state
        self.step = 0
        self.failed_step = torch.full(self.state.shape[:2], -1, device=self.state.device)
        self.keep, self.history, self.frames, self.factors = (), [], [], []
        k = self.state.shape[-1] if frame is None else len(frame)
        self._none = self.state.new_zeros(*self.state.shape[:2], k)
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

    def __init__(self, dynamics, drive, frame):
        super().__init__(dynamics, drive, frame)
        self.frame = frame.repeat(*self.state.shape[:2], 1, 1)

    def _take(self, inputs, total):
        states, push = self.dynamics.linearize(self.state, inputs)
        self._follow(push, len(states), total)
        return states

    @abstractmethod
    def _follow(self, push, n_steps, total):
        """Take the frame along a chunk of steps and add its growth to ``total``."""


class Orthonormalization(Framed):
    """``J_t Q_{t-1} = Q_t R_t`` at every step."""

    def __init__(self, dynamics, drive, frame):
        super().__init__(dynamics, drive, frame)
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
