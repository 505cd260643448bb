"""From a model and its sequences to dynamics and drive."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..exceptions import InvalidInputError
from ..spectrum import Drive
from ..tangent import Dynamics, StepMap, dynamics_of, is_recurrent
from ._locate import find_layer, module_of
from ._record import record


@dataclass(frozen=True)
class Problem:
    """All that a spectrum depends on: the dynamics of a network and what drives it."""

    dynamics: Dynamics
    drive: Drive


def pose(model, sequences, options, *, layer=None, initial_state=None):
    """Read dynamics and drive off a model; see ``lyapunov_spectrum`` for the arguments.

    Raises
    ------
    InvalidInputError, InvalidTypeError, RecurrentLayerError, NotInitializedNetError
    """
    like = torch.empty(0, dtype=options.dtype, device=options.device)
    if _is_function(model):
        problem = _pose_map(model, sequences, options, initial_state, like)
    else:
        problem = _pose_layer(model, sequences, options, layer, initial_state, like)
    _check_ranges(problem, options)
    return problem


def _is_function(model):
    return callable(model) and not isinstance(model, nn.Module) and not hasattr(model, "fit")


def _pose_layer(model, sequences, options, name, initial_state, like):
    module = module_of(model)
    layer = find_layer(module, name)
    dynamics = dynamics_of(layer, dtype=like.dtype, device=like.device)
    _check_weights(layer)
    _check_sequences(sequences)
    if is_recurrent(model):
        inputs, state = _inputs(sequences, dynamics.input_size, like), None
    else:
        inputs, state = record(model, module, layer, sequences)
        inputs = inputs.to(like)
    _check_inputs(inputs)
    if initial_state is not None:
        state = _state(initial_state, len(inputs), dynamics.state_size)
    if state is None:
        state = inputs.new_zeros(len(inputs), dynamics.state_size)
    return Problem(dynamics, _drive(state.to(like), inputs, options.n_steps))


def _pose_map(step, sequences, options, initial_state, like):
    if initial_state is None:
        raise InvalidInputError(
            "initial_state: got None. A step function needs one of shape (n_trajectories, n)."
        )
    state = torch.atleast_2d(torch.as_tensor(np.asarray(initial_state))).to(like)
    if sequences is not None:
        _check_sequences(sequences)
        inputs = _inputs(sequences, None, like)
        _check_inputs(inputs)
        state = _state(state, len(inputs), state.shape[1])
        return Problem(StepMap(step, state, inputs[:, 0]), _drive(state, inputs, options.n_steps))
    if options.n_steps is None:
        raise InvalidInputError(
            "n_steps: got None. A map without inputs needs the number of steps to take."
        )
    return Problem(StepMap(step, state), Drive(state.unsqueeze(0), None, options.n_steps))


def _drive(state, inputs, n_steps):
    """Drive of one network from (n_sequences, n_steps, n_inputs), joined to ``n_steps``."""
    n_sequences, length, _ = inputs.shape
    n_steps = n_steps or length
    joined = -(-n_steps // length)
    n_trajectories = max(1, n_sequences // joined)
    start = torch.arange(n_trajectories, device=inputs.device) * joined
    members = (start[:, None] + torch.arange(joined, device=inputs.device)) % n_sequences
    inputs = inputs[members].flatten(1, 2)[:, :n_steps]
    return Drive(state[start].unsqueeze(0), inputs.transpose(0, 1).unsqueeze(1), n_steps)


def _inputs(sequences, width, like):
    inputs = torch.as_tensor(np.asarray(sequences) if isinstance(sequences, list) else sequences)
    if inputs.ndim != 3 or inputs.shape[-1] != (width or inputs.shape[-1]):
        raise InvalidInputError(
            f"sequences: got shape {tuple(inputs.shape)}. It must be (n_sequences, n_steps, "
            f"{'n_inputs' if width is None else width})."
        )
    return inputs.to(like)


def _state(initial_state, n_sequences, state_size):
    state = torch.atleast_2d(torch.as_tensor(initial_state))
    if state.shape[-1] != state_size or state.shape[0] not in (1, n_sequences):
        raise InvalidInputError(
            f"initial_state: got shape {tuple(state.shape)}. It must be ({n_sequences}, "
            f"{state_size}): one full state for each sequence."
        )
    return state.expand(n_sequences, state_size)


def _check_sequences(sequences):
    if sequences is None or (hasattr(sequences, "__len__") and len(sequences) == 0):
        raise InvalidInputError(
            f"sequences: got {sequences!r}. Pass the inputs that drive the network, at least one "
            "sequence of at least one step."
        )


def _check_inputs(inputs):
    if inputs.shape[0] == 0 or inputs.shape[1] == 0:
        raise InvalidInputError(
            f"sequences: got {inputs.shape[0]} sequences of {inputs.shape[1]} steps. There must be "
            "at least one of each."
        )
    bad = (~inputs.isfinite()).any(-1).nonzero()
    if len(bad):
        sequence, step = bad[0].tolist()
        raise InvalidInputError(
            f"sequences: what reaches the recurrent layer holds {float(_first_bad(inputs))} in "
            f"sequence {sequence} at step {step}. All inputs must be finite: clean or drop them."
        )


def _first_bad(inputs):
    return inputs[~inputs.isfinite()][0]


def _check_weights(layer):
    for name, weight in layer.named_parameters():
        if not weight.isfinite().all():
            raise InvalidInputError(
                f"model: {name} of its {type(layer).__name__} holds values that are not finite. "
                "The training of this network diverged: leave it out, or train it again."
            )


def _check_ranges(problem, options):
    n, n_steps = problem.dynamics.state_size, problem.drive.n_steps
    if options.n_exponents is not None and options.n_exponents > n:
        raise InvalidInputError(
            f"n_exponents: got {options.n_exponents}. It must be between 1 and the state size, {n}."
        )
    if options.warmup >= n_steps:
        raise InvalidInputError(
            f"warmup: got {options.warmup}, but there are {n_steps} steps. Leave at least one step "
            "to average over: shorten warmup or join sequences with n_steps."
        )
