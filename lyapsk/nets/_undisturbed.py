"""Leave a model and the random generators as they were."""

from collections import OrderedDict, deque
from contextlib import contextmanager, nullcontext
from copy import copy
from functools import partial
from math import inf

import numpy as np
import torch
from skorch import NeuralNet
from torch import nn

from .._random import ONE_AT_A_TIME, same_generators

LARGEST_STATE = 2**22
"""Entries of what may be a state: more than that are data."""
MOST_PARTS = 64
"""Of a container of states."""
_CONTAINERS = (list, tuple, dict, set, deque, OrderedDict)
_OF_TORCH = vars(nn.Module()).keys()


@contextmanager
def undisturbed(model, *, draws=True):
    """Within the block, modules are in eval mode and no gradients are recorded.

    Afterwards, also after an error, modes, buffers and the generators of torch, numpy and Python
    are as before; so are plain attributes of modules, such as a state that is carried from batch
    to batch: which objects they are, and what tensors, arrays and small containers of these hold.

    Parameters
    ----------
    model : nn.Module or initialised skorch net
    draws : bool, default=True
        Whether anything may draw random numbers within the block.
    """
    # Threads take turns: one must not take for the net's own what another has changed meanwhile.
    generators = same_generators() if draws else nullcontext()
    with ONE_AT_A_TIME, generators, torch.inference_mode(False), torch.no_grad():
        modules = [m for root in _roots(model) for m in root.modules()]
        modes = [m.training for m in modules]
        buffers = [dict(m._buffers) for m in modules]
        attributes = [_attributes(m) for m in modules]
        undo = [
            *(call for m in modules for b in m.buffers(False) for call in _undoing_tensor(b, inf)),
            *(call for own in attributes for v in (own or {}).values() for call in _undoing(v)),
        ]
        try:
            for module in modules:
                module.training = False
            yield
        finally:
            for module, mode, held, own in zip(modules, modes, buffers, attributes, strict=True):
                module.training = mode
                module._buffers.update(held)
                if own is not None:
                    _restore(module, own)
            for call in undo:
                call()


def _attributes(module):
    """Plain attributes by name; None for torch's own modules, which keep no state in such."""
    if type(module).__module__.startswith("torch."):
        return None
    return {name: value for name, value in vars(module).items() if name not in _OF_TORCH}


def _restore(module, attributes):
    """Put plain attributes back, and take away those that are new."""
    own = vars(module)
    for name in own.keys() - attributes.keys() - _OF_TORCH:
        del own[name]
    own.update(attributes)


def _undoing(value, depth=3):
    """Calls that put back what changes in place: a tensor, or small containers of some."""
    if isinstance(value, torch.Tensor):
        return _undoing_tensor(value)
    if isinstance(value, np.ndarray):
        fits = value.flags.writeable and value.size <= LARGEST_STATE and not value.dtype.hasobject
        return [partial(np.copyto, value, value.copy())] if fits else []
    kind = type(value)
    if depth == 0 or kind not in _CONTAINERS or len(value) > MOST_PARTS:
        return []
    parts = value.values() if issubclass(kind, dict) else value
    undo = [call for part in parts for call in _undoing(part, depth - 1)]
    return undo if kind is tuple else [partial(_refill, value, copy(value)), *undo]


def _undoing_tensor(tensor, most=LARGEST_STATE):
    """Nothing for weights, which are no state, and for tensors without values of their own."""
    has_values = tensor.layout is torch.strided and not (tensor.is_meta or tensor.is_nested)
    is_state = has_values and not (isinstance(tensor, nn.Parameter) or tensor.is_inference())
    if not is_state or tensor.numel() > most:
        return []
    try:
        before, version = tensor.detach().clone(), tensor._version
        comparable = torch.equal(before, before)  # what is no number equals nothing
    except RuntimeError:  # of a type that torch can neither copy nor compare
        return []

    def put_back():
        # What is written through .data or by numpy leaves the version as it was.
        if tensor._version != version or (comparable and not torch.equal(tensor, before)):
            tensor.copy_(before)

    return [put_back]


def _refill(container, before):
    container.clear()
    add = container.update if hasattr(container, "update") else container.extend
    add(before)


def _roots(model):
    if isinstance(model, NeuralNet):
        names = [*model._modules, *model._criteria]
        return [getattr(model, f"{name}_") for name in names]
    return [model]
