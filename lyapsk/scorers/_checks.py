"""Refuse what cannot be scored, with the argument, its value and the remedy."""

from skorch import NeuralNet

from .._checks import check_count
from ..exceptions import InvalidInputError, InvalidTypeError, RecurrentLayerError
from ..nets import check_weights, find_layer, module_of


def module_and_layer(net, name):
    """The plain module of a net, and its recurrent layer of one direction with finite weights."""
    if not isinstance(net, NeuralNet):
        raise InvalidTypeError(
            f"net: got {type(net).__name__}. It must be an initialised skorch net, whose own loss "
            "is taken."
        )
    module = module_of(net)
    layer = find_layer(module, name)
    if getattr(layer, "bidirectional", False):
        raise RecurrentLayerError(
            f"net: its recurrent layer is {layer}. It must have one direction, because those of a "
            "bidirectional layer share no frame."
        )
    check_weights(layer)
    return module, layer


def check_counts(n_directions, n_singular, dynamics):
    """Fewer directions than the state has, and no more vectors than the gradient has columns."""
    n, n_units = (
        dynamics.state_size,
        sum(own.stop - own.start for own in dynamics.with_recurrent_terms().read_back),
    )
    of_state = f" and below the size of the full state, {n}"
    check_count("n_directions", n_directions, most=n - 1, also=of_state)
    of_units = f" and at most the number of hidden units, {n_units}"
    check_count("n_singular", n_singular, most=n_units, also=of_units)


def check_length(lengths, warmup):
    """Sequences must be longer than the warm-up."""
    shortest = int(lengths.min())
    if shortest <= warmup:
        raise InvalidInputError(
            f"warmup: got {warmup}, but X has sequences of {shortest} steps. At least one step "
            "must remain: pass longer sequences or shorten warmup."
        )
