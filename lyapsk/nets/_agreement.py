"""Compare what the dynamics of a layer give with the layer's own forward."""

import torch
from torch.nn.utils.rnn import PackedSequence

from .._message import message_of
from ..exceptions import RecurrentLayerError
from ..tangent import dynamics_of, kind_of
from ._derivative import check_push
from ._record import ONE_STEP, arranged, read_calls

N_STEPS = 4
N_SEQUENCES = 2
ROUNDING = 100
"""How many times the rounding errors of the dynamics a forward's may be: where these grow by
chaos, two orders of summation may differ by that."""
COARSE = 2**-8
"""Relative rounding error of products in the formats of few digits that torch may choose for single
precision."""


def check_agreement(layer, calls):
    """Refuse a layer whose dynamics do not give its outputs, or fail.

    Those of a user's own may be wrong. Torch's and lyapsk.nn's are right, but hooks, or a forward
    that takes other weights than the layer's, may do otherwise.

    Parameters
    ----------
    layer : recurrent layer or cell
        In eval mode.
    calls : Calls
        During one forward.

    Raises
    ------
    RecurrentLayerError
    """
    is_own = kind_of(layer).is_own
    if not is_own and getattr(layer, "bidirectional", False):
        return  # what a direction gives out hangs on the whole sequence
    sequences, state = read_calls(layer, calls)
    outputs = _outputs(layer, calls, sequences)
    read = list(zip(sequences, outputs, strict=True))[:N_SEQUENCES]
    for index, (x, expected) in enumerate(read):
        x, expected = x[:N_STEPS], expected[:N_STEPS]
        # What is not finite is refused elsewhere, and tells nothing about the steps after.
        known = (x.isfinite().all(-1) & expected.isfinite().all(-1)).cummin(0).values
        start = kind_of(layer).start(layer) if state is None else state[index]
        if not known.any():
            continue
        with torch.autocast(x.device.type, enabled=False):
            _compare(layer, x[known], start, expected[known], coarse=calls.coarse)
            if index == 0 and is_own:  # its points lie about the states: one sequence will do
                check_push(layer, x[known], start)


def _outputs(layer, calls, sequences):
    """List the outputs (n_steps, n_outputs) of each sequence; a cell's are its states."""
    kind = kind_of(layer)
    if kind.is_cell:
        return list(torch.stack([kind.state_of(layer, output) for _, _, output in calls], 1))
    ((inputs, _, output),) = calls
    if isinstance(output, tuple) and not isinstance(output, PackedSequence):
        output = output[0] if output else None
    given, made = (v.data if isinstance(v, PackedSequence) else v for v in (inputs, output))
    if torch.is_tensor(made) and made.ndim == given.ndim:
        outputs = arranged(layer, output)
        lengths = [(len(x), x.ndim) for x in sequences]
        if lengths == [(len(own), 2) for own in outputs]:
            return outputs
    raise RecurrentLayerError(
        f"layer: the {type(layer).__name__}'s forward, tried on inputs of shape "
        f"{tuple(given.shape)}, makes {_described(made)} of them. A layer's forward must make "
        "outputs (n_sequences, n_steps, n_outputs) of inputs (n_sequences, n_steps, n_inputs), "
        "alone or before the last states; an embedding before and a readout of the last step "
        f"belong in the module around it. Does it loop and answer by itself? {ONE_STEP}"
    )


def _compare(layer, x, start, expected, *, coarse):
    """Refuse dynamics that do not give the outputs expected (n_steps, n_outputs) along ``x``."""
    width, is_own = expected.shape[-1], kind_of(layer).is_own
    follow = _outputs_of_own if is_own else _outputs_of_known
    given = follow(layer, x, start, torch.float64)
    if is_own and given.shape[-1] < width:
        raise RecurrentLayerError(
            f"{_name(layer)}: gives {given.shape[-1]} outputs, but the {type(layer).__name__}'s "
            f"forward gives {width}. Where outputs are not the state's leading entries, define "
            "output(layer, state, x)."
        )
    distance = (given[:, :width] - expected.to(given)).abs().amax(-1)
    precision = torch.finfo(expected.dtype).eps
    if coarse:
        precision = max(precision, COARSE)
    allowed = precision**0.5 * (1 + expected.abs().max().to(given))
    if (distance <= allowed).all():
        return
    # Where small differences grow fast, the layer's own precision may be to blame.
    rounded = follow(layer, x, start, expected.dtype)
    allowed = allowed + ROUNDING * (given - rounded).abs().amax(-1).cummax(0).values
    wrong = (~(distance <= allowed)).nonzero()
    if len(wrong):
        step = int(wrong[0])
        tell = _own_differs if is_own else _known_differs
        raise RecurrentLayerError(tell(layer, step, float(distance[step])))


def _own_differs(layer, step, distance):
    return (
        f"{_name(layer)}: at step {step} its outputs differ from those of the "
        f"{type(layer).__name__}'s own forward by {distance:.2g}, so its exponents would not be "
        "the layer's. Compare start, step and output with the forward: biases, signs and step "
        "sizes; and set batch_first on the layer if its inputs are (n_steps, n_sequences, "
        "n_inputs)."
    )


def _known_differs(layer, step, distance):
    name = type(layer).__name__
    return (
        f"model: at step {step} the outputs of its {name} differ by {distance:.2g} from those that "
        "its weights give, so its exponents would not be those of the forward. A hook, or a "
        f"forward that takes other weights or steps otherwise, changes what the {name} does: put "
        "all that it does into a torch.nn.Module of its own, and register that with register_layer."
    )


def _outputs_of_known(layer, x, state, dtype):
    """Outputs (n_steps, n_outputs) along one sequence, by dynamics that are known to be right."""
    stack = dynamics_of(layer, dtype=dtype, device=x.device)
    state = x.new_zeros(stack.state_size) if state is None else state
    state, outputs = state.to(x.device, dtype).view(1, 1, -1), []
    for own in x.to(dtype).view(len(x), 1, 1, -1):
        state = stack.step(state, own)
        outputs.append(state if kind_of(layer).is_cell else stack.output(state, own))
    return torch.cat(outputs).detach().double()[:, 0]


def _outputs_of_own(layer, x, state, dtype):
    """Outputs (n_steps, n_outputs) along one sequence, by dynamics of a user's own."""
    name, is_cell = _name(layer), kind_of(layer).is_cell
    (cell,) = dynamics_of(layer, dtype=dtype, device=x.device).cells
    state, outputs = state.to(x.device, dtype).view(1, 1, -1), []
    for own in x.to(dtype).view(len(x), 1, 1, -1):
        before, state = state, _called(name, "step", cell.advance, state, own)
        if state.shape != before.shape or state.dtype != dtype:
            raise RecurrentLayerError(
                f"{name}: step gives {_described(state[0, 0])} for a state that is "
                f"{_described(before[0, 0])}. It must give the next state, of the same shape and "
                "type."
            )
        output = state if is_cell else _called(name, "output", cell.output, state, own)
        if output.ndim != 3:
            raise RecurrentLayerError(
                f"{name}: output gives {_described(output[0, 0])}. It must give what the layer "
                "gives out at one step of one sequence, of shape (n_outputs,)."
            )
        outputs.append(output[0, 0])
    return torch.stack(outputs).detach().double()


def _called(name, what, method, state, x):
    try:
        result = method(state, x)
    except Exception as error:
        raise RecurrentLayerError(
            f"{name}: {what} failed on a state of shape ({state.shape[-1]},) and an input of shape "
            f"({x.shape[-1]},), both of {x.dtype}, with {type(error).__name__}: "
            f"{message_of(error)}. It takes one state and one input of one sequence, without a "
            "batch, and is made of operations that torch.vmap can map: of torch's recurrent layers "
            "it can use the cells. The layer's weights and buffers are of that type too; convert "
            "other tensors by .to(state)."
        ) from error
    if not torch.is_tensor(result):
        raise RecurrentLayerError(
            f"{name}: {what} gives {_described(result)}. It must give one tensor of one dimension: "
            "join parts with torch.cat."
        )
    return result


def _described(value):
    if torch.is_tensor(value):
        return f"a tensor of shape {tuple(value.shape)} of {value.dtype}"
    return f"a {type(value).__name__}"


def _name(layer):
    return type(kind_of(layer).dynamics).__name__
