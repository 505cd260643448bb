"""What drives a network."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Drive:
    """What drives networks of one shape, over sequences of one length.

    Attributes
    ----------
    state : Tensor of shape (n_networks, n_sequences, n)
        Initial states.
    inputs : Tensor of shape (n_steps, n_networks, n_sequences, n_inputs), or None
        None for maps without inputs.
    n_steps : int
    period : int, optional
        Steps after which the inputs start over, where there are fewer than the drive is long.
    """

    state: Tensor
    inputs: Tensor | None
    n_steps: int
    period: int | None = None

    @property
    def shape(self):
        """Drives of equal shape may be joined by ``concatenate``."""
        width = None if self.inputs is None else self.inputs.shape[-1]
        return (self.n_steps, self.period, *self.state.shape[1:], width)

    @classmethod
    def concatenate(cls, drives):
        """Join the networks of drives of one ``shape``."""
        first = drives[0]
        if len(drives) == 1:
            return first
        inputs = None if first.inputs is None else torch.cat([d.inputs for d in drives], 1)
        return replace(first, state=torch.cat([d.state for d in drives]), inputs=inputs)

    def of_sequences(self, part):
        """The drive of a slice of the sequences."""
        inputs = None if self.inputs is None else self.inputs[:, :, part]
        return replace(self, state=self.state[:, part], inputs=inputs)

    def inputs_of(self, start, stop):
        """Inputs of consecutive steps, as ``Dynamics.linearize`` takes them."""
        return [None] * (stop - start) if self.inputs is None else self.inputs[start:stop]
