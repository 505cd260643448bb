"""Run a model's own forward and record what reaches its recurrent layer."""

from collections.abc import Mapping
from contextlib import contextmanager

import numpy as np
import torch
from skorch import NeuralNet
from torch.nn.utils.rnn import PackedSequence

from ..exceptions import InvalidInputError, RecurrentLayerError
from ..tangent import state_from_torch
from ._undisturbed import undisturbed


def record(model, module, layer, sequences):
    """Record the inputs and initial states of ``layer`` along ``sequences``.

    Parameters
    ----------
    model : nn.Module or initialised skorch net
    module : nn.Module
        The module of ``model``.
    layer : nn.Module
        The recurrent layer in ``module``.
    sequences : object
        Whatever the model's own forward takes.

    Returns
    -------
    inputs : Tensor of shape (n_sequences, n_steps, n_inputs)
        After embedding, scaling and padding by the module.
    state : Tensor of shape (n_sequences, n), or None
        Initial states, None where the module starts from zero.
    """
    with undisturbed(model), _recorded(layer) as calls:
        for n_batches, _ in enumerate(_forwards(model, module, sequences), start=1):
            if len(calls) != n_batches:
                raise RecurrentLayerError(
                    f"layer: the module's forward called this {type(layer).__name__} "
                    f"{len(calls) - n_batches + 1} times. It must be called exactly once in each "
                    "forward, on whole sequences."
                )
    inputs, states = zip(*(_in_batch_order(layer, *call) for call in calls), strict=True)
    return torch.cat(inputs), None if None in states else torch.cat(states)


@contextmanager
def _recorded(layer):
    """List the (inputs, hx) of each call of ``layer`` while the block runs."""
    calls = []

    def keep(_, args, kwargs):
        calls.append(_arguments(*args, **kwargs))

    hook = layer.register_forward_pre_hook(keep, with_kwargs=True)
    try:
        yield calls
    finally:
        hook.remove()


def _forwards(model, module, sequences):
    """Run the model over the sequences, one batch at a time."""
    sequences = _as_input(sequences, module)
    try:
        if isinstance(model, NeuralNet):
            yield from model.forward_iter(sequences, training=False)
        elif isinstance(sequences, Mapping):
            yield module(**sequences)
        elif isinstance(sequences, tuple | list):
            yield module(*sequences)
        else:
            yield module(sequences)
    except (InvalidInputError, RecurrentLayerError):
        raise
    except Exception as error:
        raise InvalidInputError(
            f"sequences: the module's own forward failed on them with {type(error).__name__}: "
            f"{error}. They must be what {type(module).__name__}.forward takes."
        ) from error


def _as_input(data, module):
    """Arrays as tensors of the module's own kind; containers of arrays likewise."""
    if isinstance(data, Mapping):
        return {key: _as_input(value, module) for key, value in data.items()}
    if isinstance(data, tuple | list) and any(hasattr(part, "shape") for part in data):
        return type(data)(_as_input(part, module) for part in data)
    if isinstance(data, list):
        data = np.asarray(data)
    if not isinstance(data, np.ndarray | torch.Tensor) or data.dtype == object:
        return data
    tensor = torch.as_tensor(data)
    weight = next(module.parameters())
    dtype = weight.dtype if tensor.is_floating_point() else tensor.dtype
    return tensor.to(device=weight.device, dtype=dtype)


def _arguments(input, hx=None):
    return input, hx


def _in_batch_order(layer, inputs, hx):
    """Inputs (n_sequences, n_steps, n_inputs) and state (n_sequences, n) of one call."""
    if isinstance(inputs, PackedSequence):
        raise InvalidInputError(
            "sequences: the module packs them. Only sequences of one length are followed."
        )
    if inputs.ndim == 2:
        inputs = inputs.unsqueeze(0)
        hx = None if hx is None else _unbatched(hx)
    elif not layer.batch_first:
        inputs = inputs.transpose(0, 1)
    return inputs.detach().clone(), None if hx is None else state_from_torch(layer, hx)


def _unbatched(hx):
    return tuple(part.unsqueeze(1) for part in hx) if isinstance(hx, tuple) else hx.unsqueeze(1)
