"""Find the module behind a model, and the recurrent layer in it."""

import torch
from skorch import NeuralNet
from torch import nn

from .._message import shortened
from ..exceptions import InvalidTypeError, NotInitializedNetError, RecurrentLayerError
from ..tangent import cells_of, is_recurrent
from ._undisturbed import undisturbed


def module_of(model):
    """The ``nn.Module`` of a skorch net, or the module itself.

    Raises
    ------
    NotInitializedNetError
        If a net was never initialised.
    InvalidTypeError
        If ``model`` is neither a net nor a module.
    """
    if isinstance(model, NeuralNet):
        if not getattr(model, "initialized_", False):
            raise NotInitializedNetError(
                f"model: this {type(model).__name__} was never initialised, so it has no weights. "
                "Call net.initialize() to look at it before training, or net.fit(X, y)."
            )
        return unwrapped(model.module_)
    if isinstance(model, nn.Module):
        return unwrapped(model)
    raise InvalidTypeError(
        f"model: got {shortened(model)}. It must be an initialised skorch net, a torch module "
        "with a recurrent layer, or a recurrent layer; lyapunov_spectrum takes a function "
        "step(state, x) -> state too."
    )


def find_layer(module, name=None):
    """The recurrent layer of a module.

    Parameters
    ----------
    module : nn.Module
    name : str, optional
        Its name among ``module.named_modules()``, where there are several.

    Raises
    ------
    RecurrentLayerError
        If there is none, more than one and no name, or none of that name.
    """
    if name is not None and is_recurrent(module):
        raise RecurrentLayerError(
            f"layer: got {name!r}, but the model is itself the recurrent layer. Leave layer out."
        )
    layers = _recurrent_layers(module)
    found = ", ".join(repr(n) for n in layers)
    if not layers:
        raise RecurrentLayerError(
            f"model: {type(module).__name__} has no recurrent layer that is known. It must hold a "
            "torch.nn.RNN, GRU, LSTM or one of their cells, with torch's own forward, or one of "
            f"lyapsk.nn. {_how_to_register(module)}"
        )
    if name is not None and (not isinstance(name, str) or name not in layers):
        raise RecurrentLayerError(f"layer: got {name!r}. It must be one of {found}.")
    if name is None and len(layers) > 1:
        raise RecurrentLayerError(
            f"model: {type(module).__name__} has {len(layers)} recurrent layers: {found}. "
            f"Say which one to follow, for example layer={next(iter(layers))!r}."
        )
    return layers[next(iter(layers)) if name is None else name]


def _recurrent_layers(module):
    """Recurrent layers by name; what one holds inside is part of it."""
    layers = {}
    for name, part in module.named_modules():
        inside = any(name.startswith(f"{outer}." if outer else "") for outer in layers)
        if is_recurrent(part) and not inside:
            layers[name] = part
    return layers


def _how_to_register(module):
    """The lines that make a layer of a user's own known."""
    own = [type(m).__name__ for m in module.modules() if not _is_of_torch(m) and m is not module]
    name = own[0] if own else type(module).__name__
    return f"""To tell how a layer of your own steps:

    from lyapsk import LayerDynamics, register_layer

    class {name}Dynamics(LayerDynamics):
        def start(self, layer):  # the full state, of shape (n,)
            return torch.zeros(layer.hidden_size)

        def step(self, layer, state, x):  # the next state, of one sequence
            return torch.tanh(layer.recurrent(state) + layer.input(x))

    register_layer({name}, {name}Dynamics)

Do so in a module that is imported, beside the class: worker processes do not know what the main
script or a notebook registered. A function step(state, x) -> state can also be passed by itself."""


def _is_of_torch(module):
    return type(module).__module__.partition(".")[0] == "torch"


def state_size(model, layer=None):
    """Size of the full state of a model's recurrent layer."""
    found = find_layer(module_of(model), layer)
    with undisturbed(model):
        layers = cells_of(found, dtype=torch.float32, device=torch.device("cpu"))
    return sum(cell.state_size for directions in layers for cell in directions)


def unwrapped(module):
    """The plain module in what ``torch.compile`` and data-parallel wrappers hold."""
    while True:
        if hasattr(module, "_orig_mod"):
            module = module._orig_mod
        elif isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            module = module.module
        else:
            return module
