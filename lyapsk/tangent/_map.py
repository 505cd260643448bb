"""Any differentiable step function as dynamics, through forward-mode differentiation."""

import inspect
from threading import RLock

import torch
from torch.func import vmap

from .._message import message_of
from ..exceptions import InvalidInputError
from ._dynamics import Dynamics
from ._jacobians import JacobianPush, pushed
from ._mappable import MappableCells

# torch.func counts its levels for the whole process: threads disturb each other.
ONE_AT_A_TIME = RLock()


class StepMap(Dynamics):
    """A function ``step(state, x) -> state``, or ``step(state) -> state`` without inputs.

    Parameters
    ----------
    step : callable
        Takes one state of shape (n,) and one input of shape (n_inputs,), and returns the next
        state, made of torch operations; ``torch.vmap`` maps it over sequences.
    state : Tensor of shape (n_sequences, n)
        Initial states, to try the function on; one will do.
    x : Tensor of shape (n_sequences, n_inputs), or None
        Their first inputs.

    Raises
    ------
    InvalidInputError
        If the function fails on these, or returns another shape or type.
    """

    by_autograd = True

    def __init__(self, step, state, x=None):
        self.state_size = state.shape[-1]
        n_given = 1 if x is None and n_required(step) < 2 else 2

        def of_one(state, x):
            # A step may write into what it is given.
            after = step(*(v if v is None else v.clone() for v in (state, x)[:n_given]))
            if not isinstance(after, torch.Tensor):
                raise InvalidInputError(
                    f"model: the step function returned {type(after).__name__}. It must return one "
                    "tensor (n,), the next state: join parts with torch.cat or torch.stack."
                )
            return after

        self._step = of_one
        self._try(state, x)

    @property
    def shape(self):
        return (StepMap, id(self))

    @classmethod
    def concatenate(cls, parts):
        (only,) = parts
        return only

    def linearize(self, state, inputs):
        states = self._followed(state[0], inputs).unsqueeze(1)
        before = torch.cat([state.unsqueeze(0), states[:-1]])
        x = None if inputs[0] is None else inputs
        return states, JacobianPush(self._pushed, before, x)

    def _followed(self, state, inputs):
        """States (n_steps, n_sequences, n) from one (n_sequences, n) on."""

        def one(state, inputs):
            states = []
            for x in inputs:
                state = self._step(state, x)
                states.append(state)
            return torch.stack(states)

        if inputs[0] is not None:
            inputs = inputs.squeeze(1)
        along = None if inputs[0] is None else 1
        with ONE_AT_A_TIME, MappableCells():
            return vmap(one, (0, along))(state, inputs).detach().transpose(0, 1)

    def _pushed(self, states, x, tangents):
        mapped = vmap(self._step, (0, None if x is None else 0))
        x = x if x is None else x[0]
        with ONE_AT_A_TIME, MappableCells():
            return pushed(lambda s: mapped(s, x), states[0], tangents[0]).unsqueeze(0)

    def _try(self, state, x):
        try:
            after = self._followed(state, [None] if x is None else x[None, None])[0]
        except InvalidInputError:
            raise
        except Exception as error:
            other = "float32" if state.dtype == torch.float64 else "float64"
            raise InvalidInputError(
                f"model: the step function failed on a state of shape ({self.state_size},) with "
                f"{type(error).__name__}: {message_of(error)}. It must take one state (n,)"
                f"{'' if x is None else f' and one input ({x.shape[-1]},)'}, of {state.dtype} on "
                f"{state.device}, and be made of torch's operations, not numpy's: convert tensors "
                f"that it holds, or pass dtype={other!r} or device."
            ) from error
        if (after.shape, after.dtype) != (state.shape, state.dtype):
            raise InvalidInputError(
                f"model: the step function returned a state of shape {tuple(after.shape[1:])} and "
                f"{after.dtype} for one of shape ({self.state_size},) and {state.dtype}. It must "
                "return the next state, of the same shape and type."
            )


def n_required(function):
    """Number of arguments that a call must have."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return 1
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds and p.default is p.empty for p in parameters)
