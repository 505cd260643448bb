"""Compare what a registered layer's dynamics give with the layer's own forward."""

import torch
from torch.nn.utils.rnn import PackedSequence

from ..exceptions import RecurrentLayerError
from ..tangent import dynamics_of, kind_of
from ._record import arranged, read_calls

N_STEPS = 4
N_SEQUENCES = 2


def check_agreement(layer, calls):
    """Refuse a layer of a user's own whose dynamics do not give its outputs.

    Parameters
    ----------
    layer : recurrent layer or cell
        In eval mode.
    calls : list of (inputs, hx, output)
        As ``recorded_calls`` lists them during one forward.

    Raises
    ------
    RecurrentLayerError
    """
    if not kind_of(layer).is_own:
        return
    sequences, state = read_calls(layer, calls)
    for index, (x, expected) in enumerate(zip(sequences, _outputs(layer, calls), strict=True)):
        if index == N_SEQUENCES:
            return
        x, expected = x[:N_STEPS], expected[:N_STEPS]
        given = _outputs_of_dynamics(layer, x.double(), None if state is None else state[index])
        _compare(layer, given, expected)


def _outputs(layer, calls):
    """List the outputs (n_steps, n_outputs) of each sequence."""
    kind = kind_of(layer)
    if kind.is_cell:
        return list(torch.stack([kind.state_of(layer, output) for _, _, output in calls], 1))
    ((_, _, output),) = calls
    alone = torch.is_tensor(output) or isinstance(output, PackedSequence)
    return arranged(layer, output if alone else output[0])


def _outputs_of_dynamics(layer, x, state):
    """Outputs (n_steps, n_outputs) along one sequence, by the dynamics."""
    kind, name = kind_of(layer), type(kind_of(layer).dynamics).__name__
    state = kind.start(layer) if state is None else state
    dynamics = dynamics_of(layer, dtype=x.dtype, device=x.device)
    if state.shape != (dynamics.state_size,):
        raise RecurrentLayerError(
            f"{name}: a state of shape {tuple(state.shape)} reaches the {type(layer).__name__}, "
            f"but start gives one of {dynamics.state_size} numbers. Let start give the full state, "
            "and define state_of(layer, hx) where the forward takes states in another layout."
        )
    state, outputs = state.to(x).view(1, 1, -1), []
    for step, own in enumerate(x):
        own = own.view(1, 1, -1)
        try:
            after = dynamics.step(state, own)
            outputs.append(dynamics.output(after, own).view(-1))
        except Exception as error:
            raise RecurrentLayerError(
                f"{name}: failed at step {step} on a state of shape ({state.shape[-1]},) and an "
                f"input of shape ({own.shape[-1]},) with {type(error).__name__}: {error}. step "
                "and output take one state and one input of one sequence, without a batch."
            ) from error
        if after.shape != state.shape:
            raise RecurrentLayerError(
                f"{name}: step gives a state of shape {tuple(after.shape[2:])} for one of shape "
                f"({state.shape[-1]},). It must give the next state, of the same shape."
            )
        state = after
    return torch.stack(outputs).detach()


def _compare(layer, given, expected):
    name, width = type(kind_of(layer).dynamics).__name__, expected.shape[-1]
    if given.shape[-1] < width:
        raise RecurrentLayerError(
            f"{name}: gives {given.shape[-1]} outputs, but the {type(layer).__name__}'s forward "
            f"gives {width}. Where outputs are not the state's leading entries, define "
            "output(layer, state, x)."
        )
    distance = (given[:, :width] - expected.to(given)).abs().amax(-1)
    allowed = torch.finfo(expected.dtype).eps ** 0.5 * (1 + float(expected.abs().max()))
    wrong = (~(distance <= allowed)).nonzero()
    if len(wrong):
        step = int(wrong[0])
        raise RecurrentLayerError(
            f"{name}: at step {step} its outputs differ from those of the {type(layer).__name__}'s "
            f"own forward by {float(distance[step]):.2g}, so its exponents would not be the "
            "layer's. Compare start, step and output with the forward: biases, signs and step "
            "sizes; and set batch_first on the layer if its inputs are (n_steps, n_sequences, "
            "n_inputs)."
        )
