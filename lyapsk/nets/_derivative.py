"""Compare derivatives of what users wrote, layers or step functions, with finite differences."""

from dataclasses import dataclass

import torch

from .._message import message_of
from ..exceptions import InvalidInputError, RecurrentLayerError
from ..tangent import dynamics_of, is_pushed_by_hand, kind_of

N_POINTS = 8
NEARLY_ALL = 0.75
"""Share of the points at which a push must be wrong: kinks are met at fewer."""
SPREAD = 0.1
"""Of the points about the states of the first steps, where units of a layer may all be at kinks.

Relative to ``1 + abs(state)``, as is the size of differences.
"""
TOLERANCE = 1e-4
"""Of the push, relative to the largest entry of what it gives."""


@dataclass(frozen=True)
class Author:
    """Who wrote a step, as errors tell.

    Attributes
    ----------
    name : str
    error : type
    by_hand : bool
        Whether the push is written too.
    remedy : str
        What to do where it is not, and automatic differentiation fails.
    """

    name: str
    error: type
    by_hand: bool
    remedy: str


def check_push(layer, x, start):
    """Refuse a push that is not the derivative of step, or fails.

    Parameters
    ----------
    layer : recurrent layer or cell
        Of a user's own, in eval mode.
    x : Tensor of shape (n_steps, n_inputs)
        First inputs of a sequence.
    start : Tensor of shape (n,)

    Raises
    ------
    RecurrentLayerError
    """
    own = kind_of(layer).dynamics
    by_hand, remedy = is_pushed_by_hand(own), "define push(layer, state, x, tangent)"
    author = Author(type(own).__name__, RecurrentLayerError, by_hand, remedy)
    dynamics = dynamics_of(layer, dtype=torch.float64, device=x.device)
    _check(author, dynamics, x.double(), start.to(x.device, torch.float64))


def check_map(dynamics, drive):
    """Refuse a step function that hides how it depends on the state, or has no derivative.

    Parameters
    ----------
    dynamics : StepMap
    drive : Drive

    Raises
    ------
    InvalidInputError
    """
    remedy = "register a layer with a push of its own (lyapsk.register_layer)"
    author = Author("model", InvalidInputError, False, remedy)
    stop = min(N_POINTS, drive.n_steps)
    x = drive.inputs_of(0, stop)
    _check(author, dynamics, x if x[0] is None else x[:, 0, 0], drive.state[0, 0])


def _check(author, dynamics, x, start):
    states, x, tangents = _points(dynamics, x, start)
    try:
        expected, uncertainty = _differences(dynamics, states, x, tangents)
    except Exception:  # a step may refuse states about those that it meets
        return
    pushed = _pushed(author, dynamics, states, x, tangents)
    wrong = ~((pushed - expected).abs() <= uncertainty) & uncertainty.isfinite()
    if not author.by_hand:
        # A step may have another derivative on purpose, but none that stops at its state.
        wrong &= pushed == 0
    found = (wrong.double().mean(0) > NEARLY_ALL).nonzero()
    if len(found):
        tangent, entry = found[0].tolist()
        point = int(wrong[:, tangent, entry].nonzero()[0])
        values = (float(v[point, tangent, entry]) for v in (pushed, expected))
        tell = _not_the_derivative if author.by_hand else _hidden
        raise author.error(tell(author, entry, *values))


def _points(dynamics, x, start):
    """States (n_points, n) about those of the first steps, their inputs, and tangents.

    The tangents (n_points, n_tangents, n) are two of all entries, and two of one entry each.
    """
    after = _after(dynamics, start.view(1, -1), x if x[0] is None else x.unsqueeze(1))
    before = torch.cat([start.unsqueeze(0), after[:-1, 0]])
    steps = [point % len(x) for point in range(N_POINTS)]
    states, n = before[steps], len(start)
    x = None if x[0] is None else x[steps]
    drawn = {"generator": torch.Generator().manual_seed(0), "device": "cpu"}
    away, dense = (
        torch.randn(rows, n, dtype=torch.float64, **drawn).to(states) for rows in (N_POINTS, 2)
    )
    single = torch.eye(n, dtype=states.dtype, device=states.device)[
        torch.randint(n, (2,), **drawn).to(states.device)
    ]
    states = states + SPREAD * (1 + states.abs()) * away
    return states, x, (1 + states.abs()).unsqueeze(1) * torch.cat([dense, single])


def _differences(dynamics, states, x, tangents):
    """Derivatives of step along tangents by central differences, and how far they may be off."""
    eps = torch.finfo(states.dtype).eps
    size = eps ** (1 / 3)  # of least error, by rounding and by what is left out
    sizes = size * states.new_tensor([1, -1, 2, -2]).view(-1, 1, 1, 1)
    shifted = states.unsqueeze(1) + sizes * tangents
    inputs = [None]
    if x is not None:
        inputs = x.unsqueeze(1).expand(*shifted.shape[:3], -1).flatten(0, 2).unsqueeze(0)
    after = _after(dynamics, shifted.flatten(0, 2), inputs)[0].view(shifted.shape)
    near, far = (after[0] - after[1]) / (2 * size), (after[2] - after[3]) / (4 * size)
    rounding = 100 * eps / size * after.abs().amax((0, -1))
    allowed = TOLERANCE * near.abs().amax(-1) + rounding
    return near, allowed.unsqueeze(-1) + 10 * (near - far).abs()


def _after(dynamics, states, x):
    """States (n_steps, m, n) that m states (m, n) come to along inputs (n_steps, m, n_inputs)."""
    after, _ = dynamics.linearize(states.unsqueeze(0), x if x[0] is None else x.unsqueeze(1))
    return after.detach()[:, 0]


def _pushed(author, dynamics, states, x, tangents):
    """The same derivatives by push."""
    tangents = tangents.unsqueeze(0)
    try:
        _, push = dynamics.linearize(states.unsqueeze(0), [None] if x is None else x[None, None])
        pushed = torch.empty_like(tangents)
        push(0, tangents, pushed)
    except RecurrentLayerError:
        raise
    except Exception as error:
        remedy = (
            "It takes one state, one input and one tangent of one sequence, without a batch: "
            "correct it, or leave it out; by default it is torch.func.jvp of step."
            if author.by_hand
            else "By default it is torch.func.jvp of step: write step in operations that have a "
            f"forward derivative, or {author.remedy}."
        )
        raise author.error(
            f"{author.name}: push failed with {type(error).__name__}: {message_of(error)}. {remedy}"
        ) from error
    return pushed[0]


def _not_the_derivative(author, entry, pushed, expected):
    return (
        f"{author.name}: push gives {pushed:.4g} as entry {entry} of the Jacobian of step times a "
        f"tangent, where finite differences of step give {expected:.4g}, so its exponents would "
        "not be the layer's. Correct push, or leave it out: by default it is torch.func.jvp of "
        "step."
    )


def _hidden(author, entry, pushed, expected):
    return (
        f"{author.name}: entry {entry} of what step gives has the derivative {pushed:.4g} along a "
        f"tangent, where finite differences of step give {expected:.4g}: step hides how it depends "
        "on the state, and its exponents would not be the layer's. Take detach and the like out of "
        f"step, or {author.remedy}."
    )
