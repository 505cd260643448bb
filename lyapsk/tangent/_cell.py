"""What a stack asks of the recurrent layers that it is made of."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from ._gates import Gates
from ._holders import tensors_of


class Cell(ABC):
    """One recurrent layer of ``n_networks`` networks, as a frozen dataclass of its weights.

    Attributes
    ----------
    recurrent : Gates
        The maps of the leading entries of ``s_{t-1}``, where a cell has such.
    diagonal : bool
        Whether every Jacobian is diagonal, or turns pairs of entries into each other and scales
        them: then ``log_growth`` tells the exponents, and no frame is needed.
    by_autograd : bool
        See ``Dynamics``.
    """

    diagonal = False
    by_autograd = False

    @property
    @abstractmethod
    def output_size(self):
        """Entries of what the next layer sees."""

    @property
    def state_size(self):
        """Entries of the layer's full state."""
        return self.output_size

    @abstractmethod
    def advance(self, state, x):
        """The state after one step, for autograd to go through.

        Parameters
        ----------
        state : Tensor of shape (n_networks, n_sequences, n)
        x : Tensor of shape (n_networks, n_sequences, n_in)
        """

    def follow(self, state, x):
        """States (n_steps, n_networks, n_sequences, n) along inputs, as for ``linearize``."""
        states = []
        for one in x:
            state = self.advance(state, one)
            states.append(state)
        return torch.stack(states)

    @abstractmethod
    def linearize(self, state, x):
        """Follow the inputs ``x`` (n_steps, n_networks, n_sequences, n_in).

        Returns
        -------
        states : Tensor of shape (n_steps, n_networks, n_sequences, n)
            The state after each step.
        push : callable
            ``push(step, tangents, out, below=None)`` writes to ``out`` where a step maps tangents
            of the state before it and of its input.
        """

    def output(self, state, x):
        """What the layer gives out, from states after steps and their inputs."""
        return state[..., : self.output_size]

    def push_output(self, tangents, below):
        """Tangents (n_networks, n_sequences, k, output_size) of ``output``.

        Parameters
        ----------
        tangents : Tensor of shape (n_networks, n_sequences, k, n)
        below : Tensor of shape (n_networks, n_sequences, k, n_in), or None
            Tangents of the input.
        """
        return tangents[..., : self.output_size]

    def log_growth(self, states, state, x):
        """``log abs`` of the diagonal of each Jacobian, of a cell that is ``diagonal``.

        Parameters
        ----------
        states : Tensor of shape (n_steps, n_networks, n_sequences, n)
            As ``follow(state, x)`` gives them.

        Returns
        -------
        Tensor of the shape of ``states``
        """
        raise NotImplementedError


class DrivenCell(Cell):
    """A layer that sees its inputs through affine maps.

    Attributes
    ----------
    input : Gates
        The maps of ``x_t``.
    """

    def advance(self, state, x):
        (from_x,) = self.from_inputs(x.unsqueeze(0))
        return self.step(state, from_x)[0]

    def follow(self, state, x):
        return torch.stack([state for state, _ in self._steps(state, x)])

    def linearize(self, state, x):
        states, steps = zip(*self._steps(state, x), strict=True)
        return torch.stack(states), self.tangent_map(*map(torch.stack, zip(*steps, strict=True)))

    def from_inputs(self, x):
        """What ``step`` needs of inputs (n_steps, n_networks, n_sequences, n_in), step by step.

        Cells whose recurrent maps have biases add these here, where ``step`` leaves them out.
        """
        return self.input.along(x)

    @abstractmethod
    def step(self, state, from_x):
        """Return ``s_t`` and a tuple of what ``tangent_map`` needs of the step.

        Parameters
        ----------
        state : Tensor of shape (n_networks, n_sequences, n)
        from_x : Tensor of shape (n_networks, n_sequences, n_gates * n_units)
            What ``from_inputs`` makes of ``x_t``; a cell may split it.
        """

    @abstractmethod
    def tangent_map(self, *activations):
        """Return ``push`` of ``linearize``, from what ``step`` gave at each of several steps."""

    def _steps(self, state, x):
        for from_x in self.from_inputs(x):
            state, activations = self.step(state, from_x)
            yield state, activations


@dataclass(frozen=True)
class GatedCell(DrivenCell):
    """A layer whose gates see affine maps of its state and of its input.

    Its state starts with its output ``h``.

    Attributes
    ----------
    recurrent, input : Gates
        The maps of ``h_{t-1}`` and of ``x_t`` in front of the gates.
    """

    recurrent: Gates
    input: Gates

    @property
    def output_size(self):
        return self.recurrent.weight.shape[-1]


@dataclass(frozen=True)
class DiagonalCell(DrivenCell):
    """A layer whose units see each other by way of the layer above only: ``J`` is diagonal.

    ``step`` gives the diagonal of ``J`` and, for each of the input's gates, the slope with which
    it enters the new state. It works entry by entry, also on states with the steps in front.
    """

    diagonal = True

    input: Gates

    @property
    def output_size(self):
        return self.input.weight.shape[2]

    def tangent_map(self, diagonal, *slopes):
        kept = diagonal.unsqueeze(3).unbind()
        inputs = self.input.scaled([dict(enumerate(slopes))])

        def push(step, tangents, out, below=None):
            torch.mul(tangents, kept[step], out=out)
            if below is not None:
                inputs.push(step, below, out, add=True)

        return push

    def log_growth(self, states, state, x):
        before = torch.cat([state.unsqueeze(0), states[:-1]])
        _, (diagonal, *_) = self.step(before, self.from_inputs(x))
        return diagonal.abs().log()


@dataclass(frozen=True)
class WithRecurrentTerm(Cell):
    """A cell with a term ``W s_{t-1}`` added to its new state, where ``W`` is zero.

    It gives layers without recurrent matrices something to take the gradient to.

    Attributes
    ----------
    cell : Cell
    recurrent : Gates
        Of one gate, over the full state.
    """

    cell: Cell
    recurrent: Gates

    @classmethod
    def of(cls, cell):
        """The cell itself where it has recurrent matrices."""
        if hasattr(cell, "recurrent"):
            return cell
        n, like = cell.state_size, tensors_of(cell)[0]
        weight = like.new_zeros(len(like), 1, n, n, dtype=like.real.dtype)
        return cls(cell, Gates(weight, weight.new_zeros(len(like), 1, 1, n)))

    @property
    def output_size(self):
        return self.cell.output_size

    @property
    def state_size(self):
        return self.cell.state_size

    def advance(self, state, x):
        return self.cell.advance(state, x) + self.recurrent(state)

    def linearize(self, state, x):
        return self.cell.linearize(state, x)

    def output(self, state, x):
        return self.cell.output(state, x)
