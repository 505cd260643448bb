"""Refuse what cannot be computed, before anything long runs."""

import cmath
from itertools import chain

import torch
from torch.nn.parameter import is_lazy

from ..exceptions import InvalidInputError
from ._arrays import as_tensor


def check_sequences(sequences):
    """There must be sequences at all, and no text."""
    if isinstance(sequences, str | bytes):
        raise InvalidInputError(
            f"sequences: got {type(sequences).__name__} {sequences[:40]!r}. Pass the numbers that "
            "drive the network, as its forward takes them: text must be encoded first."
        )
    empty = isinstance(sequences, list | tuple | dict) and len(sequences) == 0
    if sequences is None or empty:
        raise InvalidInputError(
            f"sequences: got {sequences!r}. Pass the inputs that drive the network, at least one "
            "sequence of at least one step."
        )


def check_inputs(inputs):
    """What reaches the layer, a list of (n_steps, n_inputs), must be there and finite."""
    if len(inputs) == 0:
        raise InvalidInputError("sequences: got 0 sequences. There must be at least one.")
    for position, x in enumerate(inputs):
        if len(x) == 0:
            raise InvalidInputError(
                f"sequences: sequence {position} has 0 steps. Each must have at least one."
            )
        x = _long_enough(x)
        if not _is_finite(x):
            bad = ~x.isfinite()
            step = int(bad.any(-1).nonzero()[0])
            raise InvalidInputError(
                f"sequences: what reaches the recurrent layer holds {float(x[bad][0])} in "
                f"sequence {position} at step {step}. All inputs must be finite: clean or drop "
                "them."
            )


def check_state(initial_state, n_sequences, state_size):
    """Initial states as (n_sequences, n), from as many or from one for all."""
    given = as_tensor(initial_state, "initial_state")
    state = torch.atleast_2d(given)
    fits = state.ndim == 2 and state.shape[1] == state_size and len(state) in (1, n_sequences)
    if not fits or state.numel() == 0:
        raise InvalidInputError(
            f"initial_state: got shape {tuple(given.shape)}. It must be ({n_sequences or 1}, "
            f"{state_size or 1}): one full state for each sequence, or ({state_size or 1},): one "
            "for all. A full state holds the layers side by side, and of each LSTM h before c."
        )
    if not state.isfinite().all():
        raise InvalidInputError(
            f"initial_state: holds {float(state[~state.isfinite()][0])}. It must be finite."
        )
    return state.expand(n_sequences, state_size)


def check_lazy(module):
    """No part of a module may wait for its first inputs, which would change it."""
    for name, weight in chain(module.named_parameters(), module.named_buffers()):
        if is_lazy(weight):
            raise InvalidInputError(
                f"model: {name} of {type(module).__name__} is made when its lazy module first "
                "runs. Call the model once on inputs of its own before."
            )


def check_weights(layer):
    """Weights must be there, and finite."""
    for name, weight in layer.named_parameters():
        if weight.is_meta:
            raise InvalidInputError(
                f"model: {name} of its {type(layer).__name__} is on the device 'meta', which holds "
                "no values. Load the weights first."
            )
        if not _is_finite(_long_enough(weight)):
            raise InvalidInputError(
                f"model: {name} of its {type(layer).__name__} holds values that are not finite. "
                "The training of this network diverged: leave it out, or train it again."
            )


def _is_finite(values):
    """Whether all are finite: as their sum is, which is faster to see, unless it overflows."""
    return cmath.isfinite(values.sum().item()) or bool(values.isfinite().all())


def _long_enough(values):
    """The values themselves, or as float32 where torch can do little with types so short."""
    return values.float() if values.itemsize == 1 else values


def check_ranges(problem, options):
    """Counts must fit the network and its sequences."""
    n = problem.state_size
    n_steps = min(part.drive.n_steps for part in problem.parts)
    if options.n_exponents is not None and options.n_exponents > n:
        raise InvalidInputError(
            f"n_exponents: got {options.n_exponents}. It must be between 1 and the state size, {n}."
        )
    if options.warmup >= n_steps:
        raise InvalidInputError(
            f"warmup: got {options.warmup}, but there are {n_steps} steps. Leave at least one step "
            "to average over: shorten warmup or join sequences with n_steps."
        )
    lengths = {part.drive.n_steps for part in problem.parts}
    if options.keep and len(lengths) > 1:
        raise InvalidInputError(
            f"keep: got {options.keep!r}, for sequences of {len(lengths)} lengths. Steps are kept "
            "for sequences of one length: cut them with n_steps, or pass them by length."
        )
    if "frames" in options.keep and len(problem.parts) > 1:
        raise InvalidInputError(
            "keep: got 'frames', but every layer has a frame of its own. Frames can be kept with "
            "coupling='full', of layers of one direction; growth can be kept of all."
        )
