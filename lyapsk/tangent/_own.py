"""Layers of users' own, from a few lines that tell how they step."""

import copy
import inspect
import io
import pickle
import sys
import uuid
from abc import ABC, abstractmethod
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256

import torch
from torch import nn
from torch.func import jvp, vmap
from torch.overrides import TorchFunctionMode

from .._message import message_of
from ..exceptions import RecurrentLayerError
from ._cell import Cell
from ._jacobians import JacobianPush, pushed
from ._kind import Kind, state_from_torch
from ._map import ONE_AT_A_TIME
from ._mappable import MappableCells

OF_EVERY_MODULE = frozenset(vars(nn.Module()))
"""Names of the attributes in which torch keeps a module's parts, hooks and mode."""


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


class Skeleton:
    """A copy of a layer without its weights, to which those of many networks are lent in turn.

    Parameters
    ----------
    layer : torch.nn.Module
    weights : dict of str to Tensor
        By name.
    dynamics : LayerDynamics

    Attributes
    ----------
    constants : str
        Equal where all but the weights is equal.
    """

    def __init__(self, layer, weights, dynamics):
        self.dynamics = dynamics
        self.module = _plain_copy(layer)
        for name in weights:
            owner, attribute = _owner(self.module, name)
            owner._parameters.pop(attribute, None)
            owner._buffers.pop(attribute, None)
            vars(owner)[attribute] = None
        self.module.eval()
        self.constants = _constants(self.module, dynamics)
        self._device = None

    def to(self, device):
        """Bring what is left of the module to a device: whole numbers and truth values."""
        if device != self._device:
            self.module.to(device)
            for attributes in map(vars, self.module.modules()):
                loose = {name: v for name, v in attributes.items() if torch.is_tensor(v)}
                attributes.update({name: v.to(device) for name, v in loose.items()})
            self._device = device

    def __getstate__(self):
        self.to(torch.device("cpu"))
        return vars(self)

    @contextmanager
    def lent(self, weights):
        """The module with weights, by name, in their places; what it keeps is lost afterwards."""
        before = [(module, dict(vars(module))) for module in self.module.modules()]
        try:
            for name, weight in weights.items():
                owner, attribute = _owner(self.module, name)
                vars(owner)[attribute] = weight
            yield self.module
        finally:
            for module, attributes in before:
                vars(module).clear()
                vars(module).update(attributes)


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


def _plain_copy(layer):
    """A deep copy without hooks and parametrizations, whose weights may not be those in use."""
    try:
        with _Copying():
            bare = copy.deepcopy(layer)
    except Exception as error:
        raise RecurrentLayerError(
            f"model: copying its {type(layer).__name__} failed with {type(error).__name__}: "
            f"{message_of(error)}. Keep what copy.deepcopy cannot copy outside of the layer."
        ) from error
    for module in list(bare.modules()):
        for name in OF_EVERY_MODULE:
            if name.endswith("hooks"):
                vars(module)[name].clear()
        if "parametrizations" in module._modules:
            del module._modules["parametrizations"]
            # The class is shared with the layer itself: removing them as torch does spoils it.
            module.__class__ = type(module).__base__
    return bare


class _Copying(TorchFunctionMode):
    """Lets tensors be copied that autograd made, such as states that a layer remembers."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is torch.Tensor.__deepcopy__:
            return args[0].detach().clone()
        return func(*args, **(kwargs or {}))


def _owner(module, name):
    """The submodule that holds a weight, and the weight's name there."""
    path, _, attribute = name.rpartition(".")
    return module.get_submodule(path), attribute


def _constants(bare, dynamics):
    """What tells apart layers which differ in more than their weights, or in their code."""
    held = [
        (name, type(m), {k: v for k, v in vars(m).items() if k not in OF_EVERY_MODULE}, m._buffers)
        for name, m in bare.named_modules()
    ]
    classes = {base for part in (dynamics, *bare.modules()) for base in type(part).__mro__}
    try:
        told = _pickled((held, dynamics, sorted(map(_source, classes))))
    except Exception:  # a user's classes raise what they like: such a layer is never the same twice
        told = uuid.uuid4().bytes
    return sha256(told).hexdigest()


class _Pickler(pickle.Pickler):
    """Makes equal bytes of equal values, wherever these lie in memory."""

    def reducer_override(self, value):
        if not torch.is_tensor(value):
            return NotImplemented
        numbers = value.detach().cpu().flatten().view(torch.uint8).numpy()
        return torch.tensor, (numbers.tobytes(), value.dtype, tuple(value.shape))


def _pickled(value):
    stream = io.BytesIO()
    pickler = _Pickler(stream)
    # Without a memo, which would tell whether two equal values are one.
    pickler.fast = True
    pickler.dump(value)
    return stream.getvalue()


def _described(value):
    if torch.is_tensor(value):
        return f"a tensor of shape {tuple(value.shape)} of {value.dtype}"
    if isinstance(value, tuple | list):
        return f"{type(value).__name__} of {', '.join(map(_described, value))}"
    return repr(value)


@cache
def _source(kind):
    """The code that a class stands in; that of torch and of what Python is built of is granted.

    All of its module, for what it does may hang on functions beside it; of a notebook's, which is
    none, the class alone. Code that cannot be read is the same within a process only.
    """
    if kind.__module__.partition(".")[0] in ("torch", "builtins"):
        return ""
    try:
        own = inspect.getsource(kind)
    except (OSError, TypeError):
        return uuid.uuid4().hex
    with suppress(OSError, TypeError, KeyError):
        return inspect.getsource(sys.modules[kind.__module__])
    return own
