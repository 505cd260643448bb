"""Derivatives of steps that only automatic differentiation knows."""

import warnings
from functools import cache

import torch
from torch.func import jvp, vmap

LARGEST_ENTRIES = 2**20
"""Of the Jacobians that are held at once."""

FEW_ENTRIES = 2**14
"""Of the Jacobians of one step: so many cost less than a call of automatic differentiation."""


class JacobianPush:
    """Push along consecutive steps, see ``Cell.linearize``, by Jacobians of many steps at once.

    They cost no more to push full frames with than most layers' own weights, and far less to make
    together than a frame to push step by step through automatic differentiation. Fewer tangents of
    large states are pushed without them. There is no layer below whose tangents they might take.

    Parameters
    ----------
    differential : callable
        ``differential(states, x, tangents)`` pushes tangents (n_networks, m, k, n) along steps
        from states (n_networks, m, n) with inputs (n_networks, m, n_inputs) or None.
    before : Tensor of shape (n_steps, n_networks, n_sequences, n)
        The state before each step.
    x : Tensor of shape (n_steps, n_networks, n_sequences, n_inputs), or None
    """

    def __init__(self, differential, before, x):
        self._differential, self._before, self._x = differential, before, x
        self._entries = before[0].numel() * before.shape[-1]
        self._first, self._jacobians = 0, ()

    def __call__(self, step, tangents, out, below=None):
        k, n = tangents.shape[2:]
        if self._entries <= FEW_ENTRIES or 4 * k > 3 * n:
            torch.matmul(tangents, self._jacobian(step).mT, out=out)
        else:
            x = None if self._x is None else self._x[step]
            out.copy_(self._differential(self._before[step], x, tangents))

    def _jacobian(self, step):
        """Jacobians (n_networks, n_sequences, n, n) of a step, made for many steps at once."""
        if not 0 <= step - self._first < len(self._jacobians):
            self._jacobians = ()  # their room is needed for the next
            self._first, self._jacobians = step, self._made(step)
        return self._jacobians[step - self._first]

    def _made(self, step):
        n_sequences, n = self._before.shape[2:]
        stop = step + max(1, LARGEST_ENTRIES // self._entries)
        states, x = (
            None if v is None else v[step:stop].transpose(0, 1).flatten(1, 2)
            for v in (self._before, self._x)
        )
        identity = torch.eye(n, dtype=states.dtype, device=states.device)
        images = self._differential(states, x, identity.expand(*states.shape[:2], n, n))
        return images.mT.unflatten(1, (-1, n_sequences)).unbind(1)


def pushed(step, states, tangents):
    """Push tangents (..., k, n) along a step that maps all states (..., n) at once.

    Differentiating outside of what maps the step over states: the other way round, torch gives
    wrong derivatives of ``torch.linalg.solve``, ``torch.det`` and their kin.
    """
    _load_forward_mode()
    states = states.clone()  # torch makes zeros for all of the memory that a view is part of
    each = states.ndim - 1
    images = vmap(lambda v: jvp(step, (states,), (v,))[1], each)(tangents)
    return images.detach().movedim(0, each).contiguous()


@cache
def _load_forward_mode():
    """Let torch load what its forward mode needs, as it does once, with a warning about itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        one = torch.ones(())
        jvp(torch.sin, (one,), (one,))
