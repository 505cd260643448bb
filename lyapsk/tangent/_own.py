"""Layers of users' own, from a few lines that tell how they step."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import torch
from torch.func import jvp, vmap

from .._message import message_of
from ..exceptions import RecurrentLayerError
from ._cell import Cell
from ._jacobians import JacobianPush, pushed
from ._kind import Kind, state_from_torch
from ._map import ONE_AT_A_TIME
from ._mappable import MappableCells
from ._skeleton import Skeleton


class LayerDynamics(ABC):
    """How a recurrent layer of your own steps, for :func:`register_layer`.

    Derive a class that says where the state starts and how it steps; the derivatives follow by
    automatic differentiation. All methods are given the layer, with its weights as they are: read
    them off it, or call its submodules and methods.

    See Also
    --------
    register_layer : With an example.
    """

    @abstractmethod
    def start(self, layer):
        """The full state where the layer's forward starts when it is given none.

        Parameters
        ----------
        layer : torch.nn.Module

        Returns
        -------
        Tensor of shape (n,)
            All that the layer carries from one step to the next, side by side.
        """

    @abstractmethod
    def step(self, layer, state, x):
        """The state after one step of one sequence.

        Parameters
        ----------
        layer : torch.nn.Module
        state : Tensor of shape (n,)
        x : Tensor of shape (n_inputs,)

        Returns
        -------
        Tensor of shape (n,)
            Made of torch operations that ``torch.vmap`` can map over sequences; of torch's
            recurrent modules it may call cells, such as ``torch.nn.GRUCell``.
        """

    def push(self, layer, state, x, tangent):
        """The Jacobian of ``step`` with respect to the state, times a vector.

        Parameters
        ----------
        layer : torch.nn.Module
        state : Tensor of shape (n,)
            Before the step.
        x : Tensor of shape (n_inputs,)
        tangent : Tensor of shape (n,)

        Returns
        -------
        Tensor of shape (n,)
            By default through ``torch.func.jvp``. By hand it is a little faster; it is compared
            with finite differences of ``step``.
        """
        return jvp(lambda s: self.step(layer, s, x), (state,), (tangent,))[1]

    def output(self, layer, state, x):
        """What the layer gives out at a step.

        Parameters
        ----------
        layer : torch.nn.Module
        state : Tensor of shape (n,)
            After the step.
        x : Tensor of shape (n_inputs,)

        Returns
        -------
        Tensor of shape (n_outputs,)
            By default the state, of which the layer may give out the leading entries alone.
        """
        return state

    def state_of(self, layer, hx):
        """Full states from what the layer's forward takes and gives beside inputs and outputs.

        Parameters
        ----------
        layer : torch.nn.Module
        hx : Tensor or tuple of Tensor
            By default (n_sequences, n_part) or, as torch has it, (n_layers, n_sequences, n_part)
            each.

        Returns
        -------
        Tensor of shape (n_sequences, n)
            The same numbers in another order.
        """
        return state_from_torch(hx)


def is_pushed_by_hand(dynamics):
    """Whether a ``LayerDynamics`` has a push of its own."""
    return type(dynamics).push is not LayerDynamics.push


def own_weights(layer):
    """Weights of any module by name, as its forward uses them: parametrized, pruned, tied."""
    found = {}
    for prefix, module in layer.named_modules():
        if "parametrizations" in prefix.split("."):
            continue
        loose = [name for name, value in vars(module).items() if torch.is_tensor(value)]
        parametrized = getattr(module, "parametrizations", ())
        for name in (*module._parameters, *module._buffers, *parametrized, *loose):
            value = getattr(module, name)
            if value is not None and (value.is_floating_point() or value.is_complex()):
                found[f"{prefix}.{name}".lstrip(".")] = value
    return found


@dataclass(frozen=True)
class OwnCell(Cell):
    """A layer that a ``LayerDynamics`` describes, as one system.

    Attributes
    ----------
    skeleton : Skeleton
    constants : str
        Those of the skeleton: cells of other constants run in batches of their own.
    weights : dict of str to Tensor of shape (n_networks, ...)
        By their names in the layer.
    n : int
        Size of the full state.
    """

    skeleton: Skeleton = field(compare=False)
    constants: str
    weights: dict
    n: int

    by_autograd = True

    @property
    def output_size(self):
        return self.n

    def advance(self, state, x):
        return self._mapped(self.skeleton.dynamics.step, state, x)

    def output(self, state, x):
        if type(self.skeleton.dynamics).output is LayerDynamics.output:
            return state
        return self._mapped(self.skeleton.dynamics.output, state, x)

    def follow(self, state, x):
        def one(weights, state, x):
            states = []
            for now in x:
                with self.skeleton.lent(weights) as layer:
                    state = self.skeleton.dynamics.step(layer, state.clone(), now.clone())
                states.append(state)
            return torch.stack(states)

        mapped = vmap(vmap(one, (None, 0, 1)), (0, 0, 1))
        return self._run(mapped, state, x).detach().movedim(2, 0)

    def linearize(self, state, x):
        states = self.follow(state, x)
        before = torch.cat([state.unsqueeze(0), states[:-1]])
        return states, JacobianPush(self._pushed, before, x)

    def _pushed(self, state, x, tangents):
        if not is_pushed_by_hand(self.skeleton.dynamics):
            with ONE_AT_A_TIME:
                return pushed(lambda s: self.advance(s, x), state, tangents)
        by_hand = self._mapped(self.skeleton.dynamics.push, state, x, tangents).detach()
        if by_hand.shape != tangents.shape:
            raise RecurrentLayerError(
                f"{type(self.skeleton.dynamics).__name__}: push gives shape "
                f"{tuple(by_hand.shape[3:])} for a tangent of shape ({self.n},). It must give the "
                "Jacobian of step with respect to the state times the tangent."
            )
        return by_hand

    def _mapped(self, method, *args):
        """A method of the dynamics, for every network and sequence, and tangent if there are."""

        def one(weights, *args):
            with self.skeleton.lent(weights) as layer:
                # A step may write into what it is given.
                return method(layer, *(arg.clone() for arg in args))

        mapped = vmap(one, (None, None, None, 0)) if len(args) == 3 else one
        return self._run(vmap(vmap(mapped, (None, *(0 for _ in args)))), *args)

    def _run(self, mapped, *args):
        with ONE_AT_A_TIME, MappableCells():
            self.skeleton.to(args[0].device)
            return mapped(self.weights, *args)


class OwnKind(Kind):
    """A class of layers that a ``LayerDynamics`` describes."""

    is_own = True

    def __init__(self, dynamics, is_cell):
        self.dynamics, self.is_cell = dynamics, is_cell

    def weights(self, layer):
        found = own_weights(layer)
        if not found:
            raise RecurrentLayerError(
                f"model: its {type(layer).__name__} has no weights. A layer needs a parameter or "
                "buffer of real or complex numbers; pass a function step(state, x) -> state "
                "instead."
            )
        return found

    def cells(self, layer, weights):
        skeleton = Skeleton(layer, weights, self.dynamics)
        return [(OwnCell(skeleton, skeleton.constants, weights, len(self.start(layer))),)]

    def start(self, layer):
        name = type(self.dynamics).__name__
        try:
            with torch.no_grad():
                state = self.dynamics.start(layer)
        except Exception as error:
            raise RecurrentLayerError(
                f"{name}: start failed on a {type(layer).__name__} with {type(error).__name__}: "
                f"{message_of(error)}. It must give the state (n,) where the layer's forward "
                "starts."
            ) from error
        if not torch.is_tensor(state) or state.ndim != 1 or not len(state) or state.is_complex():
            raise RecurrentLayerError(
                f"{name}: start gives {_described(state)}. It must give the state where the "
                "layer's forward starts, a tensor of shape (n,) of real numbers."
            )
        return state.detach()

    def state_of(self, layer, hx):
        n = len(self.start(layer))
        told = (
            f"{type(self.dynamics).__name__}: state_of got {_described(hx)}, which the "
            f"{type(layer).__name__}'s forward takes or gives"
        )
        remedy = (
            f"It must make full states (n_sequences, {n}) of it, as wide as what start gives: "
            "define state_of(self, layer, hx) where the forward has another layout."
        )
        try:
            state = self.dynamics.state_of(layer, hx)
        except Exception as error:
            failure = f"failed with {type(error).__name__}: {message_of(error)}"
            raise RecurrentLayerError(f"{told}, and {failure}. {remedy}") from error
        if not torch.is_tensor(state) or state.ndim != 2 or state.shape[1] != n:
            raise RecurrentLayerError(f"{told}, and made {_described(state)}. {remedy}")
        return state

    def batch_first(self, layer):
        return getattr(layer, "batch_first", True)


def _described(value):
    if torch.is_tensor(value):
        return f"a tensor of shape {tuple(value.shape)} of {value.dtype}"
    if isinstance(value, tuple | list):
        return f"{type(value).__name__} of {', '.join(map(_described, value))}"
    return repr(value)
