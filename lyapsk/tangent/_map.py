"""Any differentiable step function as dynamics, through forward-mode differentiation."""

import inspect
from threading import Lock

import torch
from torch.func import jvp, vmap

from .._message import message_of
from ..exceptions import InvalidInputError
from ._dynamics import Dynamics
from ._mappable import MappableCells

# torch.func counts its levels for the whole process: threads disturb each other.
ONE_AT_A_TIME = Lock()


class StepMap(Dynamics):
    """A function ``step(state, x) -> state``, or ``step(state) -> state`` without inputs.

    Parameters
    ----------
    step : callable
        Takes one state of shape (n,) and one input of shape (n_inputs,), and returns the next
        state, made of torch operations; ``torch.vmap`` maps it over sequences.
    state : Tensor of shape (n_sequences, n)
        Initial states, to try the function on.
    x : Tensor of shape (n_sequences, n_inputs), or None
        Their first inputs.

    Raises
    ------
    InvalidInputError
        If the function fails on these, or returns another shape.
    """

    by_autograd = True
    n_networks = 1

    def __init__(self, step, state, x=None):
        self.state_size = state.shape[-1]

        def one(state, *x):
            # A step may write into the state that it is given.
            with MappableCells():
                return step(state.clone(), *x)

        if x is None and n_required(step) < 2:
            self._step = lambda states, _: vmap(one)(states)
        else:
            self._step = vmap(one, (0, None if x is None else 0))
        self._try(state, x)

    @property
    def shape(self):
        return (StepMap, id(self))

    @classmethod
    def concatenate(cls, parts):
        (only,) = parts
        return only

    def linearize(self, state, inputs):
        before, after = [], []
        for x in inputs:
            before.append(state[0])
            with ONE_AT_A_TIME:
                state = self._step(state[0], None if x is None else x[0]).detach().unsqueeze(0)
            after.append(state)

        def push(step, tangents, out):
            k = tangents.shape[2]
            states = before[step].repeat_interleave(k, 0)
            x = None if inputs[step] is None else inputs[step][0].repeat_interleave(k, 0)
            vectors = tangents.reshape(-1, self.state_size)
            with ONE_AT_A_TIME:
                _, pushed = jvp(lambda s: self._step(s, x), (states,), (vectors,))
            out.copy_(pushed.detach().view(tangents.shape))

        return torch.stack(after), push

    def _try(self, state, x):
        try:
            with ONE_AT_A_TIME:
                shape = self._step(state, x).shape
        except Exception as error:
            other = "float32" if state.dtype == torch.float64 else "float64"
            raise InvalidInputError(
                f"model: the step function failed on a state of shape ({self.state_size},) with "
                f"{type(error).__name__}: {message_of(error)}. It must take one state (n,)"
                f"{'' if x is None else f' and one input ({x.shape[-1]},)'}, of {state.dtype}: "
                f"convert tensors that it holds, or pass dtype={other!r}."
            ) from error
        if shape != state.shape:
            raise InvalidInputError(
                f"model: the step function returned a state of shape {tuple(shape[1:])} for one of "
                f"shape ({self.state_size},). It must return the next state, of the same shape."
            )


def n_required(function):
    """Number of arguments that a call must have."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return 1
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds and p.default is p.empty for p in parameters)
