"""The recurrent layers whose dynamics are known, and how others become known."""

import inspect

import torch
from torch import nn

from ..exceptions import InvalidTypeError, RecurrentLayerError
from ._holders import tensors_of
from ._own import LayerDynamics, OwnKind
from ._stack import Stack
from ._torch import TORCH_KINDS

_KINDS = dict(TORCH_KINDS)


def register_layer(layer_class, dynamics, *, cell=False):
    """Make a recurrent layer of your own known to all of lyapsk.

    From then on spectra, populations in one batch, transformers, scorers and callbacks take
    modules that hold such a layer as they take those with a ``torch.nn.LSTM``.

    Parameters
    ----------
    layer_class : type
        Of ``torch.nn.Module``. Its forward takes inputs, (n_sequences, n_steps, n_inputs) unless
        the layer has ``batch_first=False``, and optionally states to start from; it gives outputs
        for every step, and optionally the last states as well. Subclasses are known too, unless
        they have a forward of their own.
    dynamics : type or LayerDynamics
        A class derived from :class:`LayerDynamics`, or an instance of it.
    cell : bool, default=False
        Whether the forward takes one step, as that of ``torch.nn.GRUCell`` does: inputs
        (n_sequences, n_inputs) and states, and gives states. A module then loops over the steps.

    Raises
    ------
    InvalidTypeError
        If these are not what they should be.

    Notes
    -----
    Wherever such a layer is read, the first steps that ``dynamics`` takes are compared with the
    outputs of the layer's own forward, and its ``push`` with finite differences of its ``step``:
    an error tells where they differ. Register in the module that defines the class, so that worker
    processes know it too.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from lyapsk import LayerDynamics, lyapunov_spectrum, register_layer
    >>> class LeakyRNN(nn.Module):
    ...     def __init__(self, input_size, hidden_size, leak=0.5):
    ...         super().__init__()
    ...         self.recurrent = nn.Linear(hidden_size, hidden_size)
    ...         self.input = nn.Linear(input_size, hidden_size)
    ...         self.leak = leak
    ...     def forward(self, x):
    ...         h, outputs = torch.zeros(len(x), self.recurrent.out_features), []
    ...         for one in x.unbind(1):
    ...             h = torch.lerp(h, torch.tanh(self.recurrent(h) + self.input(one)), self.leak)
    ...             outputs.append(h)
    ...         return torch.stack(outputs, 1)
    >>> class LeakyDynamics(LayerDynamics):
    ...     def start(self, layer):
    ...         return torch.zeros(layer.recurrent.out_features)
    ...     def step(self, layer, state, x):
    ...         new = torch.tanh(layer.recurrent(state) + layer.input(x))
    ...         return torch.lerp(state, new, layer.leak)
    >>> register_layer(LeakyRNN, LeakyDynamics)
    >>> lyapunov_spectrum(LeakyRNN(2, 6), torch.randn(4, 50, 2)).exponents.shape
    (6,)
    """
    if not (isinstance(layer_class, type) and issubclass(layer_class, nn.Module)):
        raise InvalidTypeError(
            f"layer_class: got {layer_class!r}. It must be a class of torch.nn.Module, not an "
            "instance of it."
        )
    made = dynamics() if _is_class_of_dynamics(dynamics) else dynamics
    if not isinstance(made, LayerDynamics):
        raise InvalidTypeError(
            f"dynamics: got {dynamics!r}. It must be a class derived from lyapsk.LayerDynamics "
            "with start(self, layer) and step(self, layer, state, x), or an instance of one."
        )
    if not isinstance(cell, bool):
        raise InvalidTypeError(f"cell: got {cell!r}. It must be True or False.")
    if layer_class in _KINDS and not _KINDS[layer_class].is_own:
        raise InvalidTypeError(
            f"layer_class: got {layer_class!r}, whose dynamics are known. Derive a class of your "
            "own from it, and register that."
        )
    register_kind(layer_class, OwnKind(made, cell))


def register_kind(layer_class, kind):
    """Make a ``Kind`` known."""
    _KINDS[layer_class] = kind


def is_recurrent(module):
    """Whether ``module`` is a recurrent layer or cell whose dynamics are known.

    A subclass with a forward of its own is not: what it does to inputs or states is its own.
    """
    known = _known_class(module)
    return known is not None and type(module).forward is known.forward


def is_plain(layer):
    """Whether a layer is one of torch's or of lyapsk.nn that runs no code of anyone else."""
    hooked = layer._forward_pre_hooks or layer._forward_hooks
    known = type(layer) in _KINDS and "forward" not in vars(layer)
    return known and not (hooked or kind_of(layer).is_own)


def kind_of(layer):
    """The ``Kind`` of a layer that ``is_recurrent``."""
    return _KINDS[_known_class(layer)]


def weights_of(layer):
    """Weights of a recurrent layer by name, as its forward uses them."""
    return kind_of(layer).weights(layer)


def cells_of(layer, *, dtype, device):
    """Cells of a recurrent layer, from a copy of the weights that it has now.

    Returns
    -------
    list of tuple of Cell
        See ``Kind.cells``.
    """
    own = {
        name: _cast(w.detach(), dtype, device, copy=True) for name, w in weights_of(layer).items()
    }
    return _cells(layer, own, dtype, device)


def dynamics_of(layer, *, dtype, device):
    """Joint dynamics of all layers of a recurrent layer of one direction; see ``cells_of``."""
    return _stack(layer, cells_of(layer, dtype=dtype, device=device))


def attached_dynamics_of(layer, *, dtype, device):
    """The same, connected by autograd to the weights themselves instead of copies."""
    return _stack(layer, _cells(layer, weights_of(layer), dtype, device))


def named_gradients(layer, gradient):
    """Gradients with respect to a layer's weights, from those with respect to its cells'.

    Parameters
    ----------
    layer : recurrent layer or cell
        Of one direction.
    gradient : Stack
        Of as many networks as there are gradients, with these in the place of weights.

    Returns
    -------
    dict of str to Tensor
        By the weights' names, with the networks in front.
    """
    by_cell = [part.unsqueeze(1) for part in tensors_of(gradient)]
    own, stack = _with_leaves(layer, by_cell[0].real.dtype, by_cell[0].device)
    pairs = zip(tensors_of(stack), by_cell, strict=True)
    made, given = zip(*(pair for pair in pairs if pair[0].requires_grad), strict=True)
    gradients = torch.autograd.grad(
        made, list(own.values()), given, is_grads_batched=True, materialize_grads=True
    )
    return dict(zip(own, gradients, strict=True))


def state_weights(layer, state, x):
    """Names of the weights that act by way of the state alone, and not on outputs beside it.

    Parameters
    ----------
    layer : recurrent layer or cell
        Of one direction.
    state : Tensor of shape (n,)
    x : Tensor of shape (n_inputs,)
        To try the layer on.

    Returns
    -------
    list of str
    """
    own, stack = _with_leaves(layer, state.dtype, state.device)
    with torch.enable_grad():
        state, x = state.view(1, 1, -1), x.view(1, 1, -1)
        after = _used(own, stack.step(state, x))
        beside = _used(own, stack.output(state, x))
    return [name for name in own if name in after and name not in beside]


def _used(weights, result):
    """Names of the weights that a result depends on."""
    if not result.requires_grad:
        return set()
    gradients = torch.autograd.grad(result.sum(), list(weights.values()), allow_unused=True)
    return {name for name, own in zip(weights, gradients, strict=True) if own is not None}


def _with_leaves(layer, dtype, device):
    """Copies of a layer's weights that require a gradient, and the stack that they make up."""
    own = {
        name: _cast(weight, dtype, device).detach().clone().requires_grad_()
        for name, weight in weights_of(layer).items()
    }
    with torch.enable_grad():
        return own, _stack(layer, _cells(layer, own, dtype, device))


def _known_class(module):
    return next((base for base in type(module).__mro__ if base in _KINDS), None)


def _cells(layer, weights, dtype, device):
    ready = {name: _cast(w, dtype, device).unsqueeze(0) for name, w in weights.items()}
    return kind_of(layer).cells(layer, ready)


def start_of(layer, zeros):
    """Where the state of a layer starts by itself: at ``zeros`` (n,), unless it says otherwise."""
    start = kind_of(layer).start(layer)
    return zeros if start is None else start.to(zeros)


def _cast(weight, dtype, device, *, copy=False):
    return weight.to(device, dtype.to_complex() if weight.is_complex() else dtype, copy=copy)


def _stack(layer, layers):
    if any(len(directions) > 1 for directions in layers):
        raise RecurrentLayerError(
            f"model: its recurrent layer is {layer}. It must have one direction, because those of "
            "a bidirectional layer share no frame."
        )
    return Stack(tuple(cell for (cell,) in layers))


def _is_class_of_dynamics(dynamics):
    return (
        isinstance(dynamics, type)
        and issubclass(dynamics, LayerDynamics)
        and not inspect.isabstract(dynamics)
    )
