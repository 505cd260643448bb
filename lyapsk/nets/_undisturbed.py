"""Leave a model and the random generators as they were."""

from contextlib import contextmanager, nullcontext

import torch
from skorch import NeuralNet

from .._random import ONE_AT_A_TIME, same_generators


@contextmanager
def undisturbed(model, *, draws=True):
    """Within the block, modules are in eval mode and no gradients are recorded.

    Afterwards, also after an error, modes, buffers and the generators of torch, numpy and Python
    are as before.

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
        try:
            for module in modules:
                module.training = False
            yield
        finally:
            for module, mode in zip(modules, modes, strict=True):
                module.training = mode
            for module, own, values in buffers:
                module._buffers.update(own)
                _restore(module.buffers(False), values)


def _restore(buffers, values):
    for buffer, before in zip(buffers, values, strict=True):
        if not torch.equal(buffer, before):
            buffer.copy_(before)


def _roots(model):
    if isinstance(model, NeuralNet):
        names = [*model._modules, *model._criteria]
        return [getattr(model, f"{name}_") for name in names]
    return [model]
