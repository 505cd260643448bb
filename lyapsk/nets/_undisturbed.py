"""Leave a model and the random generators as they were."""

from contextlib import contextmanager, nullcontext
from copy import copy

import torch
from skorch import NeuralNet
from torch import nn

from .._random import ONE_AT_A_TIME, same_generators

_OF_TORCH = vars(nn.Module()).keys()


@contextmanager
def undisturbed(model, *, draws=True):
    """Within the block, modules are in eval mode and no gradients are recorded.

    Afterwards, also after an error, modes, buffers, plain attributes of modules, such as a state
    that is carried from batch to batch, and the generators of torch, numpy and Python are as
    before.

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
        buffers = [(m, dict(m._buffers), [b.clone() for b in m.buffers(False)]) for m in modules]
        attributes = [(m, _attributes(m)) for m in modules]
        try:
            for module in modules:
                module.training = False
            yield
        finally:
            for module, mode in zip(modules, modes, strict=True):
                module.training = mode
            for module, own, values in buffers:
                module._buffers.update(own)
                for buffer, before in zip(module.buffers(False), values, strict=True):
                    _put_back(buffer, before)
            for module, own in attributes:
                _restore(module, own)


def _attributes(module):
    """Plain attributes by name, and copies of those that may change in place."""
    own = {name: value for name, value in vars(module).items() if name not in _OF_TORCH}
    return {name: (value, _copied(value)) for name, value in own.items()}


def _restore(module, attributes):
    own = vars(module)
    for name in own.keys() - attributes.keys() - _OF_TORCH:
        del own[name]
    for name, (value, before) in attributes.items():
        own[name] = value
        if before is not None:
            _put_back(value, before)


def _copied(value):
    if isinstance(value, torch.Tensor):
        has_values = value.layout is torch.strided and not (value.is_meta or value.is_nested)
        return value.detach().clone() if has_values else None
    return copy(value) if type(value) in (list, dict, set) else None


def _put_back(value, before):
    if isinstance(value, list):
        value[:] = before
    elif isinstance(value, dict | set):
        value.clear()
        value.update(before)
    elif not torch.equal(value, before):
        value.copy_(before)


def _roots(model):
    if isinstance(model, NeuralNet):
        names = [*model._modules, *model._criteria]
        return [getattr(model, f"{name}_") for name in names]
    return [model]
