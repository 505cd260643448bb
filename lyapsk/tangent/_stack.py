"""Stacked layers as one dynamical system."""

from dataclasses import dataclass

import torch

from ._cell import WithRecurrentTerm
from ._dynamics import Dynamics
from ._holders import concatenate, map_tensors, shape_of


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
    def state_sizes(self):
        """State entries of each layer, in the order in which the state holds them."""
        return [cell.state_size for cell in self.cells]

    @property
    def state_size(self):
        return sum(self.state_sizes)

    @property
    def shape(self):
        return tuple(shape_of(cell) for cell in self.cells)

    @property
    def by_autograd(self):
        return any(cell.by_autograd for cell in self.cells)

    @property
    def is_diagonal(self):
        """Whether the growth is known without a frame; see ``Cell.diagonal``."""
        return len(self.cells) == 1 and self.cells[0].diagonal

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
            parts.append(cell.advance(part, x))
            x = cell.output(parts[-1], x)
        return torch.cat(parts, -1)

    def output(self, state, x):
        """What the highest layer gives out, from states after steps and the stack's inputs."""
        for cell, part in zip(self.cells, state.split(self.state_sizes, -1), strict=True):
            x = cell.output(part, x)
        return x

    def log_growth(self, state, inputs):
        """States along the inputs, and their growth where the stack ``is_diagonal``."""
        (cell,) = self.cells
        states = cell.follow(state, inputs)
        return states, cell.log_growth(states, state, inputs)

    def with_recurrent_terms(self):
        """The same stack, of cells that all have recurrent matrices; they may be zero."""
        return Stack(tuple(map(WithRecurrentTerm.of, self.cells)))

    @property
    def recurrent(self):
        """List the recurrent matrices (n_networks, n_rows, n_in) of cells that all have some."""
        return [cell.recurrent.weight.flatten(1, 2) for cell in self.cells]

    @property
    def blocks(self):
        """Slices of the full state, one for each layer."""
        return _consecutive(self.state_sizes, self.state_sizes)

    @property
    def read_back(self):
        """Slices of the full state that the layers' recurrent matrices read."""
        sizes = [cell.recurrent.weight.shape[-1] for cell in self.cells]
        return _consecutive(self.state_sizes, sizes)

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
            weights.append(weight.detach().expand(n_sequences, *weight.shape[1:]).requires_grad_())
            return weights[-1]

        with torch.enable_grad():
            after = map_tensors(leaf, self).step(states, inputs)
            gradients = torch.autograd.grad(after, weights, adjoint, materialize_grads=True)
        gradients = iter(gradients)
        return map_tensors(lambda _: next(gradients), self)

    def recurrent_tangent(self, states, inputs, direction):
        """Where each state goes as the recurrent weights leave theirs, of one network.

        Parameters
        ----------
        states, inputs
            As for ``weight_gradient``.
        direction : list of Tensor of shape (n_sequences, n_rows, n_in)
            Change of each layer's recurrent matrices, for each sequence.

        Returns
        -------
        Tensor of shape (n_sequences, n_steps, n)
            ``(ds_s / dW) direction`` with the state before the step held.
        """
        n_sequences = len(states)
        with torch.enable_grad():
            shared = map_tensors(lambda w: w.detach().expand(n_sequences, *w.shape[1:]), self)
            weights = [cell.recurrent.weight.requires_grad_() for cell in shared.cells]
            after = shared.step(states, inputs)
            # The gradient is linear in what it is the gradient of: its own gradient transposes it.
            dual = torch.zeros_like(after, requires_grad=True)
            pulled = torch.autograd.grad(after, weights, dual, create_graph=True)
            direction = [own.view_as(w) for own, w in zip(direction, weights, strict=True)]
            (pushed,) = torch.autograd.grad(pulled, dual, direction)
        return pushed

    def linearize(self, state, inputs):
        if len(self.cells) == 1:
            return self.cells[0].linearize(state, inputs)
        states, pushes = [], []
        for cell, part in zip(self.cells, state.split(self.state_sizes, -1), strict=True):
            followed, push = cell.linearize(part, inputs)
            inputs = cell.output(followed, inputs)
            states.append(followed)
            pushes.append(push)

        def push_all(step, tangents, out):
            below = None
            parts, targets = (v.split(self.state_sizes, -1) for v in (tangents, out))
            for cell, push, part, target in zip(self.cells, pushes, parts, targets, strict=True):
                push(step, part, target, below)
                below = cell.push_output(target, below)

        return torch.cat(states, -1), push_all


def _consecutive(strides, sizes):
    starts = [sum(strides[:index]) for index in range(len(strides))]
    return [slice(start, start + size) for start, size in zip(starts, sizes, strict=True)]
