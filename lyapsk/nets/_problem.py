"""From a model and its sequences to dynamics and drives."""

from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from .._message import message_of
from ..exceptions import InvalidInputError
from ..spectrum import Drive
from ..tangent import (
    Dynamics,
    Stack,
    StepMap,
    cells_of,
    is_plain,
    is_recurrent,
    kind_of,
    layerwise,
    n_required,
)
from ._agreement import check_agreement
from ._arrays import as_tensor
from ._check import check_inputs, check_ranges, check_sequences, check_state, check_weights
from ._locate import find_layer, module_of
from ._record import record, recorded_calls, refresh_weights, unpacked
from ._undisturbed import undisturbed


@dataclass(frozen=True)
class Part:
    """Dynamics with a frame of their own, along sequences of one length.

    Attributes
    ----------
    dynamics : Dynamics
        Of one network.
    drive : Drive
    layer : str or None
        The layer, where the dynamics are those of a single one.
    members : tuple of int
        Positions of the sequences.
    """

    dynamics: Dynamics
    drive: Drive
    layer: str | None
    members: tuple


@dataclass(frozen=True)
class Problem:
    """All that the spectrum of a network depends on."""

    parts: tuple
    state_size: int

    @property
    def n_sequences(self):
        """Number of trajectories."""
        return 1 + max(max(part.members) for part in self.parts)


def pose(model, sequences, options, *, layer=None, initial_state=None):
    """Read dynamics and drives off a model; see ``lyapunov_spectrum`` for the arguments.

    Raises
    ------
    InvalidInputError, InvalidTypeError, RecurrentLayerError, NotInitializedNetError
    """
    like = torch.empty(0, dtype=options.dtype, device=options.device)
    if _is_function(model):
        problem = _pose_map(model, sequences, options, initial_state, like)
    else:
        problem = _pose_layer(model, sequences, options, layer, initial_state, like)
    check_ranges(problem, options)
    return problem


def _is_function(model):
    return callable(model) and not isinstance(model, nn.Module | type) and not hasattr(model, "fit")


def _pose_layer(model, sequences, options, name, initial_state, like):
    module = module_of(model)
    layer = find_layer(module, name)
    check_weights(layer)
    check_sequences(sequences)
    with undisturbed(model, draws=not (is_recurrent(module) and is_plain(layer))):
        if is_recurrent(module):
            inputs, state = bare_inputs(sequences, getattr(layer, "input_size", None)), None
            refresh_weights(layer)
            _check_bare(layer, inputs[:1])
        else:
            inputs, state = record(model, module, layer, sequences, check_agreement)
        layers = cells_of(layer, dtype=like.dtype, device=like.device)
    cells = [cell for directions in layers for cell in directions]
    state_size = sum(cell.state_size for cell in cells)
    check_inputs(inputs)
    if initial_state is not None:
        state = check_state(initial_state, len(inputs), state_size)
    if state is None:
        start = kind_of(layer).start(layer)
        state = torch.zeros(state_size) if start is None else start
        state = state.expand(len(inputs), state_size)
    parts = []
    for members, drive in drives(state.to(like), [x.to(like) for x in inputs], options.n_steps):
        if options.coupling_of(layers) == "layers":
            parts += [Part(*part, members) for part in layerwise(layers, drive)]
        else:
            label = "l0" if len(cells) == 1 else None
            parts.append(Part(Stack(tuple(cells)), drive, label, members))
    return Problem(tuple(parts), state_size)


def _check_bare(layer, inputs):
    """Let a layer read the start of a sequence; of a user's own, check the dynamics as well."""
    if not any(map(len, inputs)):
        return
    kind = kind_of(layer)
    weight = next(iter(kind.weights(layer).values()), inputs[0])
    x = inputs[0][: 4 if kind.is_own else 1].to(weight.device, weight.real.dtype)
    x = x[:1] if kind.is_cell else x.unsqueeze(1 - kind.batch_first(layer))
    given = (x,)
    if kind.is_own and n_required(layer.forward) > 1:
        given = x, kind.start(layer).to(x).unsqueeze(0)
    with recorded_calls(layer) if kind.is_own else nullcontext() as calls:
        try:
            layer(*given)
        except Exception as error:
            raise InvalidInputError(
                f"sequences: the {type(layer).__name__}'s own forward failed on inputs of shape "
                f"{tuple(x.shape)} with {type(error).__name__}: {message_of(error)}. They must be "
                "what it takes; where it needs more than inputs, pass the module that calls it."
            ) from error
    check_agreement(layer, calls)


def _pose_map(step, sequences, options, initial_state, like):
    if initial_state is None:
        raise InvalidInputError(
            "initial_state: got None. A step function needs one of shape (n_trajectories, n)."
        )
    state = torch.atleast_2d(as_tensor(initial_state, "initial_state")).to(like)
    state = check_state(state, len(state), state.shape[-1])
    if sequences is None:
        if options.n_steps is None:
            raise InvalidInputError(
                "n_steps: got None. A map without inputs needs the number of steps to take."
            )
        found = [(tuple(range(len(state))), Drive(state[None], None, options.n_steps))]
        dynamics = StepMap(step, state)
    else:
        check_sequences(sequences)
        inputs = [x.to(like) for x in bare_inputs(sequences)]
        check_inputs(inputs)
        state = check_state(state, len(inputs), state.shape[1])
        found = drives(state, inputs, options.n_steps)
        dynamics = StepMap(step, state, torch.stack([x[0] for x in inputs]))
    parts = tuple(Part(dynamics, drive, None, members) for members, drive in found)
    return Problem(parts, state.shape[1])


def bare_inputs(sequences, width=None):
    """Sequences (n_steps, n_inputs) from an array of them, a list of unequal ones, or packed."""
    if isinstance(sequences, PackedSequence):
        sequences = unpacked(sequences)
    if isinstance(sequences, list | tuple):
        inputs = [as_tensor(x, "sequences") for x in sequences]
    else:
        whole = as_tensor(sequences, "sequences")
        inputs = list(whole) if whole.ndim == 3 else [whole]
    for x in inputs:
        if x.ndim != 2 or x.shape[1] != (width or inputs[0].shape[1]):
            raise InvalidInputError(
                f"sequences: got one of shape {tuple(x.shape)}. They must be (n_sequences, "
                f"n_steps, {width or 'n_inputs'}), or a list of (n_steps, {width or 'n_inputs'})."
            )
    return inputs


def drives(state, inputs, n_steps):
    """Drives of one network, one for each length of its sequences.

    Parameters
    ----------
    state : Tensor of shape (n_sequences, n)
    inputs : list of Tensor of shape (n_steps, n_inputs)
    n_steps : int or None
        Cut or join the sequences to this length.

    Returns
    -------
    list of (members, Drive)
    """
    if n_steps is not None:
        starts, inputs = joined(inputs, n_steps)
        state = state[starts]
    members = {}
    for index, x in enumerate(inputs):
        members.setdefault(len(x), []).append(index)
    return [
        (tuple(own), Drive(state[None, own], torch.stack([inputs[i] for i in own], 1)[:, None], n))
        for n, own in members.items()
    ]


def joined(inputs, n_steps):
    """Join sequences end to end into trajectories of ``n_steps``, starting over if need be.

    Returns
    -------
    starts : list of int
        Position of the first sequence of each trajectory.
    trajectories : list of Tensor of shape (n_steps, n_inputs)
    """
    starts, trajectories, position = [], [], 0
    while position < len(inputs):
        first, parts, missing = position, [], n_steps
        while missing > 0 and (position < len(inputs) or not trajectories):
            parts.append(inputs[position % len(inputs)][:missing])
            missing -= len(parts[-1])
            position += 1
        if missing == 0:
            starts.append(first)
            trajectories.append(torch.cat(parts))
    return starts, trajectories
