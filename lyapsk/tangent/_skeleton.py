"""A user's layer apart from its weights, and what tells two such layers apart."""

import copy
import inspect
import io
import pickle
import sys
import uuid
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from .._message import message_of
from ..exceptions import RecurrentLayerError

OF_EVERY_MODULE = frozenset(vars(nn.Module()))
"""Names of the attributes in which torch keeps a module's parts, hooks and mode."""


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
