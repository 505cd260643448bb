"""From a model and its sequences to dynamics and drives."""

import inspect
from contextlib import nullcontext, suppress
from dataclasses import dataclass

import torch
from torch import nn

from .._cores import on_one_core
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
    start_of,
)
from ._agreement import check_agreement
from ._arrays import as_tensor
from ._check import check_lazy, check_ranges, check_sequences, check_state, check_weights
from ._derivative import check_map
from ._locate import find_layer, module_of
from ._precision import full_precision
from ._record import record, recorded_calls, refresh_weights
from ._sequences import Trajectories
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
    """Read dynamics and drives off a model.

    Parameters
    ----------
    model, layer, initial_state
        See ``lyapunov_spectrum``.
    sequences : Sequences
    options : Options

    Raises
    ------
    InvalidInputError, InvalidTypeError, RecurrentLayerError, NotInitializedNetError
    """
    like = torch.empty(0, dtype=options.dtype, device=options.device)
    if is_function(model):
        with options.without_autocast():
            problem = _pose_map(model, sequences, options, initial_state, like)
    else:
        module = module_of(model)
        with on_one_core() if is_recurrent(module) else nullcontext():
            problem = _pose_layer(model, module, sequences, options, layer, initial_state, like)
    check_ranges(problem, options)
    return problem


def is_function(model):
    """Whether a model is a step function."""
    return callable(model) and not isinstance(model, nn.Module | type) and not hasattr(model, "fit")


def _pose_layer(model, module, sequences, options, name, initial_state, like):
    layer = find_layer(module, name)
    check_lazy(module)
    check_weights(layer)
    with undisturbed(model, draws=not (is_recurrent(module) and is_plain(layer))):
        if is_recurrent(module):
            trajectories = sequences.bare(options, getattr(layer, "input_size", None))
            refresh_weights(layer)
            _check_bare(layer, trajectories.first, sequences.taken_by)
            state = None
        else:
            check_sequences(sequences.given)
            inputs, state = record(model, module, layer, sequences.given, check_agreement)
            trajectories = Trajectories.of(inputs, options)
        layers = cells_of(layer, dtype=like.dtype, device=like.device)
    cells = [cell for directions in layers for cell in directions]
    state_size = sum(cell.state_size for cell in cells)
    n_sequences = trajectories.n_sequences
    if initial_state is not None:
        state = check_state(initial_state, n_sequences, state_size)
    if state is None:
        state = start_of(layer, like.new_zeros(state_size)).expand(n_sequences, -1)
    parts = []
    for members, drive in trajectories.drives(state.to(like)):
        if options.coupling_of(layers) == "layers":
            with options.without_autocast(), full_precision():
                parts += [Part(*part, members) for part in layerwise(layers, drive)]
        else:
            label = "l0" if len(cells) == 1 else None
            parts.append(Part(Stack(tuple(cells)), drive, label, members))
    return Problem(tuple(parts), state_size)


def _check_bare(layer, sequence, taken_by):
    """Let a layer read the start of a sequence; of a user's own, check the dynamics as well.

    Of layers without any code of a user's own, only the first of each form, which is noted in the
    set ``taken_by``.
    """
    kind = kind_of(layer)
    weights = kind.weights(layer)
    form = _form(layer, weights) if is_plain(layer) else None
    if form in taken_by:
        return
    weight = next(iter(weights.values()), sequence)
    checked = kind.is_own or form is None
    x = sequence[: 4 if checked else 1].to(weight.device, weight.real.dtype, copy=True)
    x, *later = x.unsqueeze(1) if kind.is_cell else [x.unsqueeze(1 - kind.batch_first(layer))]
    state = ()
    if kind.is_own and n_required(layer.forward) > 1:
        state = (kind.start(layer).to(x).unsqueeze(0),)
    with recorded_calls(layer) if checked else nullcontext() as calls:
        try:
            state = layer(x, *state)
        except Exception as error:
            raise InvalidInputError(
                f"sequences: the {type(layer).__name__}'s own forward failed on inputs of shape "
                f"{tuple(x.shape)} with {type(error).__name__}: {message_of(error)}. They must be "
                "what it takes; where it needs more than inputs, pass the module that calls it."
            ) from error
        if checked and _may_take_a_state(layer):
            with suppress(Exception):  # it may give outputs beside the state
                for x in later:
                    state = layer(x, state)
    if checked:
        check_agreement(layer, calls)
    else:
        taken_by.add(form)


def _may_take_a_state(cell):
    """Whether a cell's forward has a second argument that may be left out as torch's may."""
    _, *others = inspect.signature(cell.forward).parameters.values()
    return bool(others) and (others[0].default is None or others[0].default is others[0].empty)


def _form(layer, weights):
    """What layers have in common whose forwards take the same inputs."""
    return repr(layer), *((w.shape, w.dtype, w.device) for w in weights.values())


def _pose_map(step, sequences, options, initial_state, like):
    if initial_state is None:
        raise InvalidInputError(
            "initial_state: got None. A step function needs one of shape (n_trajectories, n)."
        )
    state = torch.atleast_2d(as_tensor(initial_state, "initial_state")).to(like)
    state = check_state(state, len(state), state.shape[-1])
    if sequences.given is None:
        if n_required(step) > 1:
            raise InvalidInputError(
                "sequences: got None, but the step function takes an input. Pass (n_sequences, "
                "n_steps, n_inputs)."
            )
        if options.n_steps is None:
            raise InvalidInputError(
                "n_steps: got None. A map without inputs needs the number of steps to take."
            )
        found = [(tuple(range(len(state))), Drive(state[None], None, options.n_steps))]
        dynamics = StepMap(step, state)
    else:
        trajectories = sequences.bare(options)
        state = check_state(state, trajectories.n_sequences, state.shape[1])
        found = trajectories.drives(state)
        dynamics = StepMap(step, state[:1], trajectories.first[:1].to(like))
    check_map(dynamics, found[0][1])
    parts = tuple(Part(dynamics, drive, None, members) for members, drive in found)
    return Problem(parts, state.shape[1])
