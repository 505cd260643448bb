"""Batches of sequences through a net and its loss: what drives the layer, what the loss asks."""

from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

import torch
from skorch.dataset import get_len
from torch import Tensor
from torch.backends import cudnn
from torch.nn.utils import parametrize
from torch.nn.utils.rnn import PackedSequence, pad_sequence

from .._cores import on_all_cores
from .._message import message_of
from .._process_setting import ProcessSetting
from .._random import same_generators
from ..exceptions import InvalidInputError, NumericalError, RecurrentLayerError
from ..nets import arranged, check_agreement, made_once, read_calls, recorded_calls
from ..spectrum import Drive
from ..tangent import kind_of, start_of, tensors_of, weights_of

NUMBERS_AT_ONCE = 2**22
"""Numbers in an array of the sequences that run together: 32 MB."""


@dataclass(frozen=True)
class Recording:
    """Sequences that reach a recurrent layer, padded to one length.

    Attributes
    ----------
    state : Tensor of shape (n_sequences, n)
        The layer's full state before the first step.
    inputs : Tensor of shape (n_sequences, n_steps, n_inputs)
        What reaches the layer.
    lengths : Tensor of int of shape (n_sequences,)
        Steps of each sequence.
    """

    state: Tensor
    inputs: Tensor
    lengths: Tensor

    @property
    def drive(self):
        """The sequences as those of one network."""
        inputs = self.inputs.transpose(0, 1).unsqueeze(1)
        return Drive(self.state.unsqueeze(0), inputs, len(inputs))

    @property
    def within(self):
        """Whether each step belongs to its sequence, (n_sequences, n_steps)."""
        steps = torch.arange(self.inputs.shape[1], device=self.lengths.device)
        return steps < self.lengths[:, None]

    def split(self, numbers_each):
        """Parts of as many sequences as may run together, each with so many numbers."""
        size = max(1, NUMBERS_AT_ONCE // numbers_each)
        columns = (column.split(size) for column in vars(self).values())
        return [type(self)(*part) for part in zip(*columns, strict=True)]


@dataclass(frozen=True)
class Reading(Recording):
    """What a loss asks of the states as well.

    Attributes
    ----------
    state_gradients : Tensor of shape (n_sequences, n_steps, n)
        ``g_t = dl_t / ds_t``, the loss's own, not by way of later states; 0 after the end.
    """

    state_gradients: Tensor


def read(net, layer, dynamics, X, y):
    """One batch through a net and its loss, and back to the layer's outputs.

    Parameters
    ----------
    net : initialised skorch net
        In eval mode. Its ``grad`` fields are not touched.
    layer : recurrent layer or cell
        In its module.
    dynamics : Stack
        Of ``layer``.
    X, y : inputs and targets, as the net's iterator collates them

    Returns
    -------
    Reading

    Raises
    ------
    InvalidInputError
        If the net's own forward or loss fails.
    NumericalError
        If the loss's gradient is not finite.
    """
    with (
        recorded_calls(layer) as calls,
        _outputs_as_leaves(layer) as outputs,
        same_generators(),
        with_backward(),
    ):
        gradients = _loss_gradients(net, X, y, lambda: _leaves(outputs))
    recording = recording_of(layer, dynamics, calls, get_len(X))
    gradients = iter(gradients)
    own = [_mapped(lambda _: next(gradients), output) for output in outputs]
    kind = kind_of(layer)
    if kind.is_cell:
        by_step = [kind.state_of(layer, gradient) for gradient in own]
        by_state = torch.stack(by_step, 1).to(recording.state)
    else:
        by_state = _by_state(layer, own[0], dynamics, recording)
    return Reading(**vars(recording), state_gradients=by_state)


def infer(net, X):
    """What a net's own forward makes of a batch.

    Raises
    ------
    InvalidInputError
        If it fails.
    """
    try:
        with same_generators():
            return net.infer(X)
    except Exception as error:
        raise InvalidInputError(
            f"X: the net's own forward failed with {type(error).__name__}: {message_of(error)}. "
            "It must be what net.fit takes."
        ) from error


def recording_of(layer, dynamics, calls, n_rows):
    """What one batch of so many rows brought to a layer, from its ``recorded_calls``."""
    sequences, state = read_calls(layer, calls)
    check_agreement(layer, calls)
    if len(sequences) != n_rows:
        raise RecurrentLayerError(
            f"layer: the net's forward passes {len(sequences)} sequences to its "
            f"{type(layer).__name__} for {n_rows} of X. It must pass one for each: check that "
            "batch_first fits the data."
        )
    for index, x in enumerate(sequences):
        if not x.isfinite().all():
            step = int((~x.isfinite()).any(-1).nonzero()[0])
            raise InvalidInputError(
                f"X: what reaches the recurrent layer is not finite in sequence {index} of its "
                f"batch at step {step}. All inputs must be finite: clean or drop them."
            )
    like = tensors_of(dynamics.cells)[0].real
    if state is None:
        state = start_of(layer, like.new_zeros(dynamics.state_size)).expand(n_rows, -1)
    lengths = torch.tensor([len(x) for x in sequences], device=like.device)
    return Recording(state.to(like), pad_sequence(sequences, batch_first=True).to(like), lengths)


def autograd_gradient(net, layer, names, X, y):
    """Gradient of the net's own loss with respect to named weights of the layer, by autograd.

    Returns
    -------
    dict of str to Tensor
        By torch's names.
    """

    # A parametrized weight is a new tensor at each access unless it is cached, and one that a
    # hook makes, as those of pruning, is one at each call.
    with with_backward(), parametrize.cached(), made_once(layer), same_generators():
        found = weights_of(layer)
        weights = [found[name] for name in names]
        with _differentiable(weights):
            return dict(zip(names, _loss_gradients(net, X, y, lambda: weights), strict=True))


def _loss_gradients(net, X, y, leaves):
    """Gradients of the net's loss; ``leaves`` tells of what, after the forward."""
    try:
        loss = net.get_loss(net.infer(X), y, X=X, training=False)
        gradients = torch.autograd.grad(loss, leaves(), allow_unused=True)
        if all(gradient is None for gradient in gradients):
            raise RuntimeError("the loss does not depend on the recurrent layer")
    except Exception as error:
        raise InvalidInputError(
            f"X, y: the net's own forward, its loss or their gradient failed with "
            f"{type(error).__name__}: {message_of(error)}. "
            "They must be what net.fit takes, and the loss must depend on the recurrent layer."
        ) from error
    if not all(gradient is None or gradient.isfinite().all() for gradient in gradients):
        raise NumericalError(
            "net: the gradient of its loss holds values that are not finite. Look for NaN in X, y "
            "and the weights; where states or gradients explode, use fewer steps."
        )
    return [
        torch.zeros_like(leaf) if gradient is None else gradient
        for leaf, gradient in zip(leaves(), gradients, strict=True)
    ]


def in_parts(function, recordings, numbers_each):
    """``function`` of parts of recordings, as many sequences as may run together, on all cores.

    Parameters
    ----------
    function : callable
        Of a ``Recording``.
    recordings : list of Recording
    numbers_each : callable
        Numbers that ``function`` holds for each sequence of a recording.

    Returns
    -------
    list of list
        For each recording, what its parts give.
    """
    parts = [recording.split(numbers_each(recording)) for recording in recordings]
    on_cpu = recordings[0].state.device.type == "cpu"
    results = iter((on_all_cores if on_cpu else map)(function, list(chain(*parts))))
    return [[next(results) for _ in own] for own in parts]


def joined(parts):
    """Sequences (n_sequences, n_steps, ...) of all parts, padded with NaN to the longest."""
    return pad_sequence(list(chain(*parts)), batch_first=True, padding_value=torch.nan)


# Not cudnn.flags, which refuses where its precision was set by torch's newer names.
_CUDNN = ProcessSetting(lambda: cudnn.enabled, torch._C._set_cudnn_enabled, lambda _: False)


@contextmanager
def with_backward():
    """Let autograd through a net in eval mode: there cuDNN's recurrent layers have no backward."""
    with torch.enable_grad(), _CUDNN.changed():
        yield


@contextmanager
def _outputs_as_leaves(layer):
    """List the layer's outputs, cut off from the layer: gradients of the loss end there."""
    outputs = []

    def cut(_, args, output):
        outputs.append(_mapped(lambda tensor: tensor.detach().requires_grad_(), output))
        # A module may change in place what it gets.
        return _mapped(torch.clone, outputs[-1])

    hook = layer.register_forward_hook(cut)
    try:
        yield outputs
    finally:
        hook.remove()


@contextmanager
def _differentiable(weights):
    """Let autograd reach weights, also frozen ones."""
    flags = [weight.requires_grad for weight in weights]
    try:
        for weight in weights:
            weight.requires_grad_()
        yield
    finally:
        for weight, flag in zip(weights, flags, strict=True):
            weight.requires_grad_(flag)


def _mapped(function, output):
    """``function`` of each tensor in what a layer gives."""
    if isinstance(output, PackedSequence):
        return output._replace(data=function(output.data))
    if isinstance(output, tuple | list):
        parts = [_mapped(function, part) for part in output]
        return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)
    is_real = isinstance(output, Tensor) and output.is_floating_point()
    return function(output) if is_real else output


def _leaves(outputs):
    leaves = []
    for output in outputs:
        _mapped(leaves.append, output)
    return leaves


def _by_state(layer, gradients, dynamics, recording):
    """State gradients from those of a layer's outputs and of its last states."""
    alone = isinstance(gradients, Tensor | PackedSequence)
    of_outputs, *of_last = (gradients,) if alone else gradients
    given = pad_sequence(arranged(layer, of_outputs), batch_first=True).transpose(0, 1)
    drive = recording.drive
    states, _ = dynamics.linearize(drive.state, drive.inputs)
    states, inputs = (v[:, 0].flatten(0, 1).unsqueeze(0) for v in (states, drive.inputs))
    with torch.enable_grad():
        states = states.detach().requires_grad_()
        outputs = dynamics.output(states, inputs)[..., : given.shape[-1]]
        (by_state,) = torch.autograd.grad(outputs, states, given.reshape(outputs.shape).to(states))
    by_state = by_state.view(*given.shape[:2], -1).transpose(0, 1)
    used = []
    _mapped(lambda gradient: used.append(bool(gradient.any())), of_last)
    if any(used):
        last = kind_of(layer).state_of(layer, of_last[0]).to(by_state)
        by_state[range(len(by_state)), recording.lengths - 1] += last
    return by_state
