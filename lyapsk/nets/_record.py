"""Run a model's own forward and record what reaches its recurrent layer."""

import inspect
from collections.abc import Mapping
from contextlib import contextmanager
from itertools import chain, pairwise

import numpy as np
import torch
from skorch import NeuralNet
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, SequentialSampler

from .._message import message_of
from ..exceptions import InvalidInputError, LyapskError, RecurrentLayerError
from ..tangent import kind_of, start_of
from ._arrays import as_tensor

WEIGHT_MAKERS = BasePruningMethod, SpectralNorm, WeightNorm
ONE_STEP = (
    "Move one step of the loop into a torch.nn.Module of its own, with all that happens to the "
    "state in it, such as a norm, or a mask that it reads off its inputs, and register that: "
    "register_layer(MyCell, MyDynamics, cell=True)."
)
"""What to do with a forward that loops over the steps by itself."""


def record(model, module, layer, sequences, check):
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
    check : callable
        Given ``layer`` and its ``recorded_calls`` after each batch.

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
    inputs, states = [], []
    with around(model, module), recorded_calls(layer) as calls:
        for _ in _forwards(model, module, sequences):
            own_inputs, own_state = read_calls(layer, calls)
            check(layer, calls)
            inputs += own_inputs
            states.append((len(own_inputs), own_state))
            calls.clear()
    given = [state for _, state in states if state is not None]
    if not given:
        return inputs, None
    start = start_of(layer, torch.zeros_like(given[0][0]))
    return inputs, torch.cat([start.expand(n, -1) if own is None else own for n, own in states])


class Calls(list):
    """The (inputs, hx, output) of each call of a layer.

    Attributes
    ----------
    coarse : bool
        Whether any may have been computed with products of few digits, which outputs do not tell.
    """

    coarse = False


@contextmanager
def recorded_calls(layer):
    """``Calls`` of ``layer`` while the block runs."""
    calls, names = Calls(), _argument_names(layer)

    def keep(_, args, kwargs, output):
        given = [*args, *(kwargs.get(name) for name in names[len(args) :])]
        inputs, hx = (*given, None)[:2]
        calls.append(tuple(_copied(value) for value in (inputs, hx, output)))
        if isinstance(inputs, torch.Tensor | PackedSequence):
            # Within the forward, which may choose a precision of its own.
            kind = inputs.data.device.type
            calls.coarse |= kind == "cuda" or torch.is_autocast_enabled(kind)

    # Hooks change what a layer gives out, but of a cell what it goes on from as well.
    before_others = not kind_of(layer).is_cell
    hook = layer.register_forward_hook(keep, with_kwargs=True, prepend=before_others)
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
    return tuple(map(_copied, value)) if isinstance(value, tuple | list) else value


def _argument_names(layer):
    """What the layer's forward calls its inputs and states."""
    parameters = inspect.signature(layer.forward).parameters.values()
    return [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD][:2]


def _forwards(model, module, sequences):
    """Run the model over the sequences, one batch at a time."""
    sequences = _as_input(sequences, module)
    try:
        if isinstance(model, NeuralNet):
            check_order(model, model.get_dataset(sequences))
            yield from model.forward_iter(sequences, training=False)
        elif isinstance(sequences, Mapping):
            yield module(**sequences)
        elif isinstance(sequences, tuple) and not isinstance(sequences, PackedSequence):
            yield module(*sequences)
        else:
            yield module(_stacked(sequences))
    except LyapskError:
        raise
    except Exception as error:
        if isinstance(model, NeuralNet) and isinstance(sequences, list):
            raise InvalidInputError(
                "sequences: got a list, which skorch takes for several inputs of one length, and "
                f"failed on with {type(error).__name__}: {message_of(error)}. Pass an array, a "
                "torch Dataset, or, where the module itself takes a list of sequences, "
                "net.module_ in place of the net."
            ) from error
        raise InvalidInputError(
            f"sequences: the module's own forward failed on them with {type(error).__name__}: "
            f"{message_of(error)}. They must be what {type(module).__name__}.forward takes, "
            "several inputs as a dict by their names."
        ) from error


def _stacked(data):
    """A list of tensors of one shape as one tensor; all else as it is."""
    if not isinstance(data, list) or len({getattr(part, "shape", None) for part in data}) > 1:
        return data
    return torch.stack(data)


def check_order(net, dataset):
    """A net's iterator must bring all sequences of a data set, in their order."""
    for name, loses in (("shuffle", "the order of the sequences"), ("drop_last", "sequences")):
        if getattr(net, f"iterator_valid__{name}", False):
            raise InvalidInputError(
                f"model: got iterator_valid__{name}=True, which loses {loses}. Call "
                f"net.set_params(iterator_valid__{name}=False)."
            )
    loader = net.get_iterator(dataset, training=False)
    if isinstance(dataset, IterableDataset) or not isinstance(loader, DataLoader):
        return
    samplers = loader.sampler, loader.batch_sampler, getattr(loader.batch_sampler, "sampler", None)
    for sampler in samplers:
        if not isinstance(sampler, SequentialSampler | BatchSampler | None):
            raise InvalidInputError(
                f"model: its iterator_valid has a {type(sampler).__name__}, which may lose "
                "sequences or their order. Let it take all of them one after the other."
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
    if isinstance(data, PackedSequence):
        values = _as_input(data.data, module)
        return data.to(device=values.device, dtype=values.dtype)
    if isinstance(data, tuple | list) and any(hasattr(part, "shape") for part in data):
        parts = [_as_input(part, module) for part in data]
        return type(data)(*parts) if hasattr(data, "_fields") else type(data)(parts)
    if not isinstance(data, list | np.ndarray | torch.Tensor):
        return data
    tensor = as_tensor(data, "sequences")
    weights = (w.real for w in chain(module.parameters(), module.buffers()))
    weight = next((w for w in weights if w.is_floating_point()), tensor)
    dtype = weight.dtype if tensor.is_floating_point() else tensor.dtype
    return tensor.to(device=weight.device, dtype=dtype)


def refresh_weights(layer):
    """Let hooks that make a layer's weights, as those of pruning, make them anew."""
    for module in layer.modules():
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, WEIGHT_MAKERS):
                hook(module, None)


@contextmanager
def made_once(layer):
    """Weights that hooks make at each call are made once, and stay the same within the block."""
    kept = [
        (module._forward_pre_hooks, dict(module._forward_pre_hooks)) for module in layer.modules()
    ]
    refresh_weights(layer)
    try:
        for hooks, before in kept:
            for key, hook in before.items():
                if isinstance(hook, WEIGHT_MAKERS):
                    del hooks[key]
        yield
    finally:
        for hooks, before in kept:
            hooks.clear()
            hooks.update(before)


def read_calls(layer, calls):
    """Inputs and initial state of what reached a layer or a cell during one forward.

    Parameters
    ----------
    layer : recurrent layer or cell
    calls : Calls

    Returns
    -------
    sequences : list of Tensor of shape (n_steps, n_inputs)
    state : Tensor of shape (n_sequences, n), or None
    """
    read = _read_cell if kind_of(layer).is_cell else _read_layer
    return read(layer, calls)


def _read_layer(layer, calls):
    """Of the one call of a layer over whole sequences."""
    if len(calls) != 1:
        raise RecurrentLayerError(
            f"layer: the module's forward called this {type(layer).__name__} {len(calls)} times. "
            "It must be called exactly once in each forward, on whole sequences; for a layer "
            "called step by step use the cell instead."
        )
    ((inputs, hx, _),) = calls
    if torch.is_tensor(inputs) and inputs.ndim == 2 and hx is not None:
        hx = _each(hx, lambda part: part.unsqueeze(-2))
    return arranged(layer, inputs), None if hx is None else kind_of(layer).state_of(layer, hx)


def arranged(layer, values):
    """List each sequence's own steps (n_steps, ...) of a layer's inputs or outputs."""
    if isinstance(values, PackedSequence):
        return unpacked(values)
    batch_first = kind_of(layer).batch_first(layer)
    if values.ndim == 2:
        values = values.unsqueeze(1 - batch_first)
    return list(values if batch_first else values.transpose(0, 1))


def unpacked(packed):
    """List each sequence's own steps, in their original order."""
    padded, lengths = pad_packed_sequence(packed, batch_first=True)
    return [x[:length] for x, length in zip(padded, lengths, strict=True)]


def _read_cell(cell, calls):
    """Of the calls of a cell that the forward loops over the steps."""
    kind = kind_of(cell)
    if not calls:
        raise RecurrentLayerError(
            f"layer: the module's forward never called this {type(cell).__name__}."
        )
    for step, ((_, _, output), (_, hx, _)) in enumerate(pairwise(calls), 1):
        # What is not finite is refused elsewhere, by where it came from.
        given, got = (None if h is None else kind.state_of(cell, h) for h in (output, hx))
        if got is None or not _same(given, got):
            raise RecurrentLayerError(
                f"layer: at step {step} this {type(cell).__name__} does not get the state that it "
                "gave at the step before, so its exponents would not be those of the forward. "
                f"{ONE_STEP}"
            )
    steps = torch.stack([torch.atleast_2d(inputs) for inputs, _, _ in calls], 1)
    hx = calls[0][1]
    return list(steps), None if hx is None else kind.state_of(cell, hx)


def _same(given, got):
    """Whether two states are equal, in what is no number as well."""
    return torch.equal(*(state.nan_to_num(nan=torch.inf) for state in (given, got)))


def _each(hx, change):
    return tuple(change(part) for part in hx) if isinstance(hx, tuple | list) else change(hx)
