"""Layers of users' own, from a few lines that tell how they step."""

import copy
import inspect
import pickle
import uuid
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import nn
from torch.func import jvp, vmap
from torch.nn.utils import parametrize

from ..exceptions import RecurrentLayerError
from ._cell import Cell
from ._kind import Kind, state_from_torch
from ._map import ONE_AT_A_TIME

LARGEST_ENTRIES = 2**20
"""Of the Jacobians that are held at once."""


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
            Made of torch operations that ``torch.vmap`` can map over sequences.
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
            By default through ``torch.func.jvp``. By hand it is a little faster.
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


@dataclass(frozen=True)
class Skeleton:
    """A copy of a layer without its weights, to which those of many networks are lent in turn.

    Attributes
    ----------
    module : torch.nn.Module
    constants : bytes
        Equal where all but the weights is equal.
    """

    module: nn.Module = field(compare=False)
    constants: bytes

    @classmethod
    def of(cls, layer, dynamics, device):
        """That of a layer, from a copy."""
        bare = _copy_without_hooks(layer).to(device).eval()
        for name in own_weights(bare):
            owner, attribute = _owner(bare, name)
            owner._parameters.pop(attribute, None)
            owner._buffers.pop(attribute, None)
            vars(owner)[attribute] = None
        return cls(bare, _constants(bare, dynamics))

    @contextmanager
    def lent(self, weights):
        """The module, with weights (by name) in their places."""
        places = [(*_owner(self.module, name), weight) for name, weight in weights.items()]
        for owner, attribute, weight in places:
            vars(owner)[attribute] = weight
        try:
            yield self.module
        finally:
            for owner, attribute, _ in places:
                vars(owner)[attribute] = None


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
    dynamics : LayerDynamics
    skeleton : Skeleton
    weights : dict of str to Tensor of shape (n_networks, ...)
        By their names in the layer.
    n : int
        Size of the full state.
    """

    dynamics: LayerDynamics
    skeleton: Skeleton
    weights: dict
    n: int

    @property
    def state_size(self):
        return self.n

    @property
    def output_size(self):
        return self.n

    def advance(self, state, x):
        return self._mapped(self.dynamics.step, state, x)

    def output(self, state, x):
        return self._mapped(self.dynamics.output, state, x)

    def linearize(self, state, x):
        before, states = [], []
        for one in x:
            before.append(state)
            state = self.advance(state, one).detach()
            states.append(state)

        jacobians = partial(self._jacobians, torch.stack(before), x, {})

        def push(step, tangents, out, below=None):
            if 4 * tangents.shape[2] > self.n:
                torch.matmul(tangents, jacobians(step).mT, out=out)
            else:
                out.copy_(self._pushed(before[step], x[step], tangents))

        return torch.stack(states), push

    def _jacobians(self, before, x, known, step):
        """Jacobians (n_networks, n_sequences, n, n) of a step, made for many steps at once.

        They cost no more to push full frames with than most layers' own weights, and far less to
        make together than a frame to push step by step through automatic differentiation.
        """
        if step not in known:
            known.clear()
            _, n_networks, n_sequences, n = before.shape
            stop = step + max(1, LARGEST_ENTRIES // (n_networks * n_sequences * n * n))
            states, inputs = (v[step:stop].transpose(0, 1).flatten(1, 2) for v in (before, x))
            identity = torch.eye(n, dtype=before.dtype, device=before.device)
            identity = identity.expand(*states.shape[:2], n, n)
            images = self._pushed(states, inputs, identity).unflatten(1, (-1, n_sequences))
            known.update(enumerate(images.mT.unbind(1), step))
        return known[step]

    def _pushed(self, state, x, tangents):
        return self._mapped(self.dynamics.push, state, x, tangents).detach()

    def _mapped(self, method, *args):
        """A method of the dynamics, for every network and sequence, and tangent if there are."""

        def one(weights, *args):
            with self.skeleton.lent(weights) as layer:
                return method(layer, *args)

        mapped = vmap(one, (None, None, None, 0)) if len(args) == 3 else one
        mapped = vmap(vmap(mapped, (None, *(0 for _ in args))))
        with ONE_AT_A_TIME:
            return mapped(self.weights, *args)


class OwnKind(Kind):
    """A class of layers that a ``LayerDynamics`` describes."""

    is_own = True

    def __init__(self, dynamics, is_cell):
        self.dynamics, self.is_cell = dynamics, is_cell

    def weights(self, layer):
        return own_weights(layer)

    def cells(self, layer, weights):
        device = next((w.device for w in weights.values()), torch.device("cpu"))
        skeleton = Skeleton.of(layer, self.dynamics, device)
        return [(OwnCell(self.dynamics, skeleton, weights, len(self.start(layer))),)]

    def start(self, layer):
        name = type(self.dynamics).__name__
        try:
            with torch.no_grad():
                state = self.dynamics.start(layer)
        except Exception as error:
            raise RecurrentLayerError(
                f"{name}: start failed on a {type(layer).__name__} with {type(error).__name__}: "
                f"{error}. It must give the state (n,) where the layer's forward starts."
            ) from error
        if not torch.is_tensor(state) or state.ndim != 1 or not len(state):
            got = f"shape {tuple(state.shape)}" if torch.is_tensor(state) else repr(state)
            raise RecurrentLayerError(
                f"{name}: start gives {got}. It must give the state where the layer's forward "
                "starts, a tensor of shape (n,)."
            )
        return state.detach()

    def state_of(self, layer, hx):
        return self.dynamics.state_of(layer, hx)

    def batch_first(self, layer):
        return getattr(layer, "batch_first", True)


def _copy_without_hooks(layer):
    """A deep copy with plain weights, whatever made them."""
    with torch.no_grad():
        # Tensors that are neither parameters nor buffers may refuse to be copied.
        loose = {
            id(value): value.detach().clone()
            for module in layer.modules()
            for value in vars(module).values()
            if torch.is_tensor(value)
        }
        bare = copy.deepcopy(layer, loose)
        for module in list(bare.modules()):
            module._forward_pre_hooks.clear()
            module._forward_hooks.clear()
            for name in list(getattr(module, "parametrizations", ())):
                parametrize.remove_parametrizations(module, name)
    return bare


def _owner(module, name):
    """The submodule that holds a weight, and the weight's name there."""
    path, _, attribute = name.rpartition(".")
    return module.get_submodule(path), attribute


def _constants(bare, dynamics):
    """Bytes that tell apart layers which differ in more than their weights, or in their code."""
    known = {*vars(nn.Module()), "training"}
    held = [
        (name, type(m), {k: v for k, v in vars(m).items() if k not in known}, m._buffers)
        for name, m in bare.named_modules()
    ]
    try:
        return pickle.dumps((held, _source(type(bare)), dynamics, _source(type(dynamics))))
    except Exception:
        return uuid.uuid4().bytes


def _source(kind):
    try:
        return inspect.getsource(kind)
    except (OSError, TypeError):
        return ""
