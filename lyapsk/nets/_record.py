"""Run a model's own forward and record what reaches its recurrent layer."""

from collections.abc import Mapping
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import torch
from skorch import NeuralNet
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from ..exceptions import InvalidInputError, LyapskError, RecurrentLayerError
from ..tangent import state_from_torch
from ._arrays import as_tensor


def record(model, module, layer, sequences):
    """Record the inputs and initial states of ``layer`` along ``sequences``.

    Parameters
    ----------
    model : nn.Module or initialised skorch net
    module : nn.Module
        The plain module of ``model``.
    layer : nn.Module
        The recurrent layer or cell in ``module``.
    sequences : object
        Whatever the model's own forward takes.

    Returns
    -------
    inputs : list of Tensor of shape (n_steps, n_inputs)
        For each sequence, after embedding, scaling and padding by the module; packed sequences
        have their own lengths.
    state : Tensor of shape (n_sequences, n), or None
        Initial states, None where the module starts from zero.

    Notes
    -----
    To be called within ``undisturbed``.
    """
    read = read_cell if isinstance(layer, nn.RNNCellBase) else read_layer
    inputs, states = [], []
    with around(model, module), recorded_calls(layer) as calls:
        for _ in _forwards(model, module, sequences):
            own_inputs, own_state = read(layer, calls)
            inputs += own_inputs
            states.append(own_state)
            calls.clear()
    if any(state is None for state in states):
        return inputs, None
    return inputs, torch.cat(states)


@contextmanager
def recorded_calls(layer):
    """List the (inputs, hx, output) of each call of ``layer`` while the block runs."""
    calls = []

    def keep(_, args, kwargs, output):
        inputs, hx = _arguments(*args, **kwargs)
        calls.append(tuple(_copied(value) for value in (inputs, hx, output)))

    hook = layer.register_forward_hook(keep, with_kwargs=True)
    try:
        yield calls
    finally:
        hook.remove()


def _copied(value):
    """Copy of what a layer takes or gives, safe from later changes in place."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, PackedSequence):
        return value._replace(data=value.data.detach().clone())
    return None if value is None else tuple(_copied(part) for part in value)


def _arguments(input, hx=None):
    return input, hx


def _forwards(model, module, sequences):
    """Run the model over the sequences, one batch at a time."""
    sequences = _as_input(sequences, module)
    try:
        if isinstance(model, NeuralNet):
            check_order(model)
            yield from model.forward_iter(sequences, training=False)
        elif isinstance(sequences, Mapping):
            yield module(**sequences)
        elif isinstance(sequences, tuple | list):
            yield module(*sequences)
        else:
            yield module(sequences)
    except LyapskError:
        raise
    except Exception as error:
        raise InvalidInputError(
            f"sequences: the module's own forward failed on them with {type(error).__name__}: "
            f"{error}. They must be what {type(module).__name__}.forward takes."
        ) from error


def check_order(net):
    """A net's iterator must bring all sequences, in their order."""
    for name, loses in (("shuffle", "the order of the sequences"), ("drop_last", "sequences")):
        if getattr(net, f"iterator_valid__{name}", False):
            raise InvalidInputError(
                f"model: got iterator_valid__{name}=True, which loses {loses}. Call "
                f"net.set_params(iterator_valid__{name}=False)."
            )


@contextmanager
def around(model, module):
    """A net holds the plain module in place of a compiled or data-parallel one meanwhile."""
    if not isinstance(model, NeuralNet):
        yield
        return
    own = model.module_
    vars(model)["module_"] = module
    try:
        yield
    finally:
        vars(model)["module_"] = own


def _as_input(data, module):
    """Arrays as tensors of the module's own kind; containers of arrays likewise."""
    if isinstance(data, Mapping):
        return {key: _as_input(value, module) for key, value in data.items()}
    if isinstance(data, tuple | list) and any(hasattr(part, "shape") for part in data):
        return type(data)(_as_input(part, module) for part in data)
    if not isinstance(data, list | np.ndarray | torch.Tensor):
        return data
    tensor = as_tensor(data, "sequences")
    weight = next(module.parameters())
    dtype = weight.dtype if tensor.is_floating_point() else tensor.dtype
    return tensor.to(device=weight.device, dtype=dtype)


def refresh_weights(layer):
    """Let hooks that make a layer's weights, as those of pruning, make them anew."""
    if layer._forward_pre_hooks:
        weight = next(layer.parameters())
        layer(weight.new_zeros(1, layer.input_size))


def read_layer(layer, calls):
    """Inputs and initial state of the one call of a layer over whole sequences.

    Parameters
    ----------
    layer : torch.nn.RNN, GRU or LSTM
    calls : list of (inputs, hx, output)
        As ``recorded_calls`` lists them during one forward.

    Returns
    -------
    sequences : list of Tensor of shape (n_steps, n_inputs)
    state : Tensor of shape (n_sequences, n), or None
    """
    if len(calls) != 1:
        raise RecurrentLayerError(
            f"layer: the module's forward called this {type(layer).__name__} {len(calls)} times. "
            "It must be called exactly once in each forward, on whole sequences; for a layer "
            "called step by step use the cell instead."
        )
    ((inputs, hx, _),) = calls
    if isinstance(inputs, PackedSequence):
        padded, lengths = pad_packed_sequence(inputs, batch_first=True)
    else:
        if inputs.ndim == 2:
            inputs = inputs.unsqueeze(1 - layer.batch_first)
            hx = None if hx is None else _each(hx, lambda part: part.unsqueeze(1))
        padded = inputs if layer.batch_first else inputs.transpose(0, 1)
        lengths = [padded.shape[1]] * len(padded)
    sequences = [x[:length] for x, length in zip(padded, lengths, strict=True)]
    return sequences, None if hx is None else state_from_torch(hx)


def read_cell(cell, calls):
    """Inputs and initial state of a cell that the forward loops over the steps.

    Takes and returns what ``read_layer`` does, with one call for each step.
    """
    if not calls:
        raise RecurrentLayerError(
            f"layer: the module's forward never called this {type(cell).__name__}."
        )
    for step, ((_, _, output), (_, hx, _)) in enumerate(pairwise(calls), 1):
        if hx is None or not torch.equal(_cell_state(output), _cell_state(hx)):
            raise RecurrentLayerError(
                f"layer: at step {step} this {type(cell).__name__} does not get the state that it "
                "gave at the step before. Its exponents would not be those of the forward: write "
                "the loop as a function step(state, x) and pass that."
            )
    steps = torch.stack([torch.atleast_2d(inputs) for inputs, _, _ in calls], 1)
    hx = calls[0][1]
    return list(steps), None if hx is None else _cell_state(hx)


def _cell_state(hx):
    return torch.atleast_2d(torch.cat(hx, -1) if isinstance(hx, tuple | list) else hx)


def _each(hx, change):
    return tuple(change(part) for part in hx) if isinstance(hx, tuple | list) else change(hx)
