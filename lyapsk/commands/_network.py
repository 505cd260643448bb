"""The network in a checkpoint."""

import sys
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pickle import UnpicklingError

from torch import nn

from .._message import message_of
from ..exceptions import InvalidInputError, RecurrentLayerError
from ..nets import find_layer, module_of
from ..nets._saved import PICKLES, WEIGHTS, opened, read_weights
from ..nets._weights import weights_by_name
from ..tangent import is_recurrent
from ._data import check_file
from ._inference import in_words, infer_layer


@dataclass(frozen=True)
class Network:
    """What was read from a checkpoint.

    Attributes
    ----------
    model : skorch net or torch.nn.Module
    layer : str or None
        Name of the recurrent layer in it, as ``lyapunov_spectrum`` takes it.
    recurrent : torch.nn.Module
        The recurrent layer itself.
    description : str
        What it was read as.
    """

    model: object
    layer: str | None
    recurrent: nn.Module
    description: str

    @property
    def is_bare(self):
        """Whether the model is nothing but a recurrent layer or cell."""
        return is_recurrent(module_of(self.model))


def read_network(options):
    """The network that the arguments of ``add_network`` tell of.

    Raises
    ------
    InvalidInputError, RecurrentLayerError
        In the words of the command line.
    """
    path = options.checkpoint
    _check(path, options)
    make = options.module and imported(*options.module)
    is_open = options.trusted and path.suffix in PICKLES
    with _retold(options):
        if make is not None or is_open:
            found = opened(path, make, options.trusted)
        else:
            found = read_weights(path)
    is_whole = make is not None or (is_open and not _is_state(found))
    return _whole(found, options) if is_whole else _inferred(found, options)


def _check(path, options):
    """Refuse what needs no look into the file."""
    check_file(path)
    if path.suffix not in {*WEIGHTS, *PICKLES}:
        raise InvalidInputError(
            f"{path}: the name of a checkpoint must end in one of "
            f"{', '.join(dict.fromkeys([*WEIGHTS, *PICKLES]))}."
        )
    if path.suffix not in WEIGHTS and options.module is not None:
        raise InvalidInputError(
            f"--module: {path} is a pickle of a whole network, which needs none. Leave it out."
        )
    if path.suffix not in WEIGHTS and not options.trusted:
        raise InvalidInputError(_on_pickles(path))


def _on_pickles(path):
    return (
        f"{path} is a pickle, and to open one can run any code that its author wished. If you "
        "trust it add --trusted; otherwise ask for the weights alone, as .safetensors or as a "
        ".pt of the state dict."
    )


@contextmanager
def _retold(options):
    """Errors about the file in the words of the command line."""
    try:
        yield
    except InvalidInputError as error:
        if isinstance(error.__cause__, UnpicklingError) and not options.trusted:
            raise InvalidInputError(_on_pickles(options.checkpoint)) from error
        raise InvalidInputError(str(error).removeprefix("X: ")) from error


def _is_state(found):
    return isinstance(found, Mapping)


def _inferred(state, options):
    """The one layer that weights tell of."""
    try:
        weights = weights_by_name(state) if _is_state(state) else {}
        name, layer = infer_layer(weights, options.layer, options.nonlinearity)
    except RecurrentLayerError as error:
        raise RecurrentLayerError(f"{options.checkpoint}: {error}") from error
    except RecursionError as error:
        raise InvalidInputError(f"{options.checkpoint}: its parts hold each other.") from error
    where = f"{name}, " if name else ""
    return Network(layer, None, layer, f"{in_words(layer)} ({where}inferred from the weights)")


def _whole(model, options):
    """The model itself, with all that it does to its inputs."""
    if options.nonlinearity is not None:
        raise InvalidInputError(
            "--nonlinearity: it is for layers inferred from their weights. Leave it out."
        )
    module = module_of(model)
    try:
        recurrent = find_layer(module, options.layer)
    except RecurrentLayerError as error:
        # The lines that follow show how to register a layer in a program.
        message, *_ = str(error).partition(" To tell how")
        raise RecurrentLayerError(message.replace("layer=", "--layer ")) from error
    description = in_words(recurrent)
    if recurrent is not module:
        description += f", in {type(module).__name__}"
    return Network(model, options.layer, recurrent, description)


def imported(module_name, name):
    """A function or class by the name that ``--module`` gives.

    Raises
    ------
    InvalidInputError
        If there is none.
    """
    told = f"--module {module_name}:{name}"
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        module = import_module(module_name)
    except Exception as error:
        raise InvalidInputError(
            f"{told}: importing {module_name} failed with "
            f"{type(error).__name__}: {message_of(error)}."
        ) from error
    make = getattr(module, name, None)
    if not callable(make):
        what = "has no" if make is None else f"has {type(make).__name__}, no function or class,"
        raise InvalidInputError(f"{told}: {module_name} {what} {name}.")
    return make
