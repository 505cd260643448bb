"""What a stack asks of the recurrent layers that it is made of."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, is_dataclass, replace

import torch

from ._gates import Gates


def concatenate(parts):
    """Join equal-shaped holders of weights along their networks."""
    first = parts[0]
    if torch.is_tensor(first):
        return torch.cat(parts)
    if is_dataclass(first):
        columns = {f.name: [getattr(part, f.name) for part in parts] for f in fields(first)}
        return replace(first, **{name: concatenate(column) for name, column in columns.items()})
    return first


def map_tensors(function, holder):
    """The same holder of weights with ``function`` of each of its tensors in place of it."""
    if torch.is_tensor(holder):
        return function(holder)
    if isinstance(holder, tuple):
        return tuple(map_tensors(function, part) for part in holder)
    if is_dataclass(holder):
        parts = {f.name: map_tensors(function, getattr(holder, f.name)) for f in fields(holder)}
        return replace(holder, **parts)
    return holder


@dataclass(frozen=True)
class Cell(ABC):
    """One recurrent layer: its state starts with its output ``h``.

    Attributes
    ----------
    recurrent, input : Gates
        The maps of ``h_{t-1}`` and of ``x_t`` in front of the gates.
    """

    recurrent: Gates
    input: Gates

    @property
    def n_networks(self):
        return self.recurrent.weight.shape[0]

    @property
    def output_size(self):
        """Entries of ``h``, the part of the state that the next layer sees."""
        return self.recurrent.weight.shape[-1]

    @property
    def state_size(self):
        """Entries of the layer's full state."""
        return self.output_size

    @property
    def shape(self):
        """Hashable; cells of equal shape may run as one batch."""
        return (type(self), *self.recurrent.weight.shape[1:])

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
        states, steps = [], []
        for from_x in self.input.along(x):
            state, activations = self.step(state, from_x)
            states.append(state)
            steps.append(activations)
        return torch.stack(states), self.tangent_map(*map(torch.stack, zip(*steps, strict=True)))

    def outputs(self, state, x):
        """Outputs ``h`` along the inputs, (n_steps, n_networks, n_sequences, output_size)."""
        outputs = []
        for one in x:
            state, _ = self.step(state, self.input(one))
            outputs.append(state[..., : self.output_size])
        return torch.stack(outputs)

    @abstractmethod
    def step(self, state, from_x):
        """Return ``s_t`` and a tuple of what ``tangent_map`` needs of the step.

        Parameters
        ----------
        state : Tensor of shape (n_networks, n_sequences, n)
        from_x : Tensor of shape (n_networks, n_sequences, n_gates * n_units)
            What ``input`` makes of ``x_t``.
        """

    @abstractmethod
    def tangent_map(self, *activations):
        """Return ``push`` of ``linearize``, from what ``step`` gave at each of several steps."""
