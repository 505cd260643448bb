"""Stacked layers as one dynamical system."""

from dataclasses import dataclass, replace

import torch

from ._cell import concatenate, map_tensors
from ._dynamics import Dynamics


@dataclass(frozen=True)
class Stack(Dynamics):
    """Layers in which each reads the new output of the one below.

    The state holds the layers' states one after the other, so that the Jacobian is block lower
    triangular.

    Attributes
    ----------
    cells : tuple of Cell
        From the lowest layer to the highest.
    """

    cells: tuple

    @property
    def n_networks(self):
        return self.cells[0].n_networks

    @property
    def input_size(self):
        """Width of the inputs that the lowest layer takes."""
        return self.cells[0].input.weight.shape[-1]

    @property
    def state_sizes(self):
        """State entries of each layer, in the order in which the state holds them."""
        return [cell.state_size for cell in self.cells]

    @property
    def state_size(self):
        return sum(self.state_sizes)

    @property
    def shape(self):
        return (self.input_size, *(cell.shape for cell in self.cells))

    @classmethod
    def concatenate(cls, stacks):
        """Join the networks of stacks of one ``shape``."""
        layers = zip(*(stack.cells for stack in stacks), strict=True)
        return cls(tuple(concatenate(layer) for layer in layers))

    def step(self, state, x):
        """The state after one step, (n_networks, n_sequences, n), for autograd to go through.

        Parameters
        ----------
        state : Tensor of shape (n_networks, n_sequences, n)
        x : Tensor of shape (n_networks, n_sequences, n_inputs)
        """
        parts = []
        for cell, part in zip(self.cells, state.split(self.state_sizes, -1), strict=True):
            new, _ = cell.step(part, cell.input(x))
            x = new[..., : cell.output_size]
            parts.append(new)
        return torch.cat(parts, -1)

    def pull(self, state, x, cotangents):
        """``J^T v`` of one step, for several ``v`` of each sequence.

        Parameters
        ----------
        state, x
            As for ``step``: ``s_{t-1}`` and ``x_t``.
        cotangents : Tensor of shape (n_networks, n_sequences, k, n)

        Returns
        -------
        Tensor of shape (n_networks, n_sequences, k, n)
        """
        n_each = cotangents.shape[2]
        with torch.enable_grad():
            states = state.repeat_interleave(n_each, 1).requires_grad_()
            after = self.step(states, x.repeat_interleave(n_each, 1))
            (pulled,) = torch.autograd.grad(after, states, cotangents.flatten(1, 2))
        return pulled.view_as(cotangents)

    def weight_gradient(self, states, inputs, adjoint):
        """Gradient ``sum_s (ds_s / dW)^T delta_s`` of each sequence, of one network.

        Parameters
        ----------
        states, adjoint : Tensor of shape (n_sequences, n_steps, n)
            ``s_{s-1}`` and ``delta_s``.
        inputs : Tensor of shape (n_sequences, n_steps, n_inputs)
            ``x_s``.

        Returns
        -------
        Stack
            Of as many networks as there are sequences, with gradients in the place of weights.
        """
        n_sequences, weights = len(states), []

        def leaf(weight):
            weights.append(weight.expand(n_sequences, *weight.shape[1:]).requires_grad_())
            return weights[-1]

        with torch.enable_grad():
            after = map_tensors(leaf, self).step(states, inputs)
            gradients = iter(torch.autograd.grad(after, weights, adjoint))
        return map_tensors(lambda _: next(gradients), self)

    def recurrent_tangent(self, states, inputs, direction):
        """Where each state goes as the recurrent weights leave theirs, of one network.

        Parameters
        ----------
        states, inputs
            As for ``weight_gradient``.
        direction : list of Tensor of shape (n_sequences, n_gates, n_units, n_in)
            Change of each layer's recurrent weights, for each sequence.

        Returns
        -------
        Tensor of shape (n_sequences, n_steps, n)
            ``(ds_s / dW) direction`` with the state before the step held.
        """
        n_sequences = len(states)
        with torch.enable_grad():
            shared = map_tensors(lambda w: w.expand(n_sequences, *w.shape[1:]), self)
            weights = [cell.recurrent.weight.detach().requires_grad_() for cell in shared.cells]
            cells = [
                replace(cell, recurrent=replace(cell.recurrent, weight=weight))
                for cell, weight in zip(shared.cells, weights, strict=True)
            ]
            after = Stack(tuple(cells)).step(states, inputs)
            # The gradient is linear in what it is the gradient of: its own gradient transposes it.
            dual = torch.zeros_like(after, requires_grad=True)
            pulled = torch.autograd.grad(after, weights, dual, create_graph=True)
            (pushed,) = torch.autograd.grad(pulled, dual, direction)
        return pushed

    def linearize(self, state, inputs):
        if len(self.cells) == 1:
            return self.cells[0].linearize(state, inputs)
        states, pushes = [], []
        for cell, part in zip(self.cells, state.split(self.state_sizes, -1), strict=True):
            followed, push = cell.linearize(part, inputs)
            inputs = followed[..., : cell.output_size]
            states.append(followed)
            pushes.append(push)

        def push_all(step, tangents, out):
            below = None
            parts, targets = (v.split(self.state_sizes, -1) for v in (tangents, out))
            for cell, push, part, target in zip(self.cells, pushes, parts, targets, strict=True):
                push(step, part, target, below)
                below = target[..., : cell.output_size]

        return torch.cat(states, -1), push_all
