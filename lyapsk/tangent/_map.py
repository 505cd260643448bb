"""Any differentiable step function as dynamics, through forward-mode differentiation."""

import inspect

import torch
from torch.func import jvp, vmap

from ..exceptions import InvalidInputError
from ._dynamics import Dynamics


class StepMap(Dynamics):
    """A function ``step(state, x) -> state``, or ``step(state) -> state`` without inputs.

    Parameters
    ----------
    step : callable
        Made of torch operations. It is called with many states at a time, (n_states, n), and as
        many inputs, where it treats them one by one; otherwise through ``torch.vmap`` with one
        state (n,) and one input (n_inputs,).
    state : Tensor of shape (n_sequences, n)
        Initial states, to try the function on.
    x : Tensor of shape (n_sequences, n_inputs), or None
        Their first inputs.

    Raises
    ------
    InvalidInputError
        If the function fails on these, or returns another shape.
    """

    n_networks = 1

    def __init__(self, step, state, x=None):
        self.state_size = state.shape[-1]
        self._step = step if _n_positional(step) > 1 else lambda state, x: step(state)
        if not _works_on_batches(self._step, state, x):
            self._step = vmap(self._step, in_dims=(0, None if x is None else 0))
            self._try(state, x)

    @property
    def shape(self):
        return (StepMap, id(self))

    @classmethod
    def concatenate(cls, parts):
        (only,) = parts
        return only

    def linearize(self, state, x):
        state, x = state[0], None if x is None else x[0]

        def push(tangents):
            k = tangents.shape[2]
            states = state.repeat_interleave(k, 0)
            inputs = None if x is None else x.repeat_interleave(k, 0)
            vectors = tangents.reshape(-1, self.state_size)
            _, pushed = jvp(lambda s: self._step(s, inputs), (states,), (vectors,))
            return pushed.view(tangents.shape)

        return self._step(state, x).unsqueeze(0), push

    def _try(self, state, x):
        try:
            shape = self._step(state, x).shape
        except Exception as error:
            raise InvalidInputError(
                f"model: the step function failed on a state of shape ({self.state_size},) with "
                f"{type(error).__name__}: {error}. It must take one state (n,)"
                f"{'' if x is None else f' and one input ({x.shape[-1]},)'}."
            ) from error
        if shape != state.shape:
            raise InvalidInputError(
                f"model: the step function returned a state of shape {tuple(shape[1:])} for one of "
                f"shape ({self.state_size},). It must return the next state, of the same shape."
            )


def _works_on_batches(step, state, x):
    """Whether ``step`` maps many states as it maps each, so that it needs no ``vmap``."""
    state = torch.cat([state, 0.5 * state + 1])
    x = None if x is None else torch.cat([x, x])
    try:
        together = step(state, x)
        alone = [step(state[[i]], None if x is None else x[[i]]) for i in range(len(state))]
        return together.shape == state.shape and torch.allclose(
            together, torch.cat(alone), rtol=1e-5, atol=1e-8, equal_nan=True
        )
    except Exception:
        return False


def _n_positional(function):
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    variadic = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters)
    return 2 if variadic else sum(p.kind in kinds for p in parameters)
