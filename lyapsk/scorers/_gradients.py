"""One sequence through a net and its loss, and back to the recurrent weights."""

from contextlib import contextmanager

import torch
from torch import nn
from torch.backends import cudnn
from torch.nn.utils import parametrize

from ..exceptions import InvalidInputError, NumericalError


def backpropagate(net, layer, X, y):
    """Gradient of the net's own loss of one sequence.

    Parameters
    ----------
    net : initialised skorch net
        In eval mode. Its ``grad`` fields are not touched.
    layer : recurrent layer or cell
        In its module.
    X, y : inputs and targets of one sequence, as the net's iterator collates them

    Returns
    -------
    list of Tensor of shape (n_gates * n_units, n_outputs)
        With respect to ``weight_hh`` of each stacked layer, in the net's own precision.

    Raises
    ------
    InvalidInputError
        If the net's own forward or loss fails.
    NumericalError
        If the gradient is not finite.
    """
    with _differentiable(layer) as weights:
        gradients = _gradients(net, weights, X, y)
    if not all(gradient.isfinite().all() for gradient in gradients):
        raise NumericalError(
            "net: the gradient of its loss holds values that are not finite. Look for NaN in X, y "
            "and the weights; where states or gradients explode, use fewer steps."
        )
    return gradients


@contextmanager
def _differentiable(layer):
    """Yield the recurrent weights; autograd reaches them in eval mode, also frozen ones."""
    # cuDNN has no backward pass of recurrent layers in eval mode. A parametrized weight is
    # a new tensor at each access unless it is cached.
    with torch.enable_grad(), cudnn.flags(enabled=False), parametrize.cached():
        weights = [getattr(layer, name) for name in _names(layer)]
        flags = [weight.requires_grad for weight in weights]
        try:
            yield [weight.requires_grad_() for weight in weights]
        finally:
            for weight, flag in zip(weights, flags, strict=True):
                weight.requires_grad_(flag)


def _names(layer):
    if isinstance(layer, nn.RNNCellBase):
        return ["weight_hh"]
    return [f"weight_hh_l{index}" for index in range(layer.num_layers)]


def _gradients(net, weights, X, y):
    try:
        loss = net.get_loss(net.infer(X), y, X=X, training=False)
        return torch.autograd.grad(loss, weights)
    except Exception as error:
        raise InvalidInputError(
            f"X, y: the net's own forward, its loss or their gradient failed with "
            f"{type(error).__name__}: {error}. They must be what net.fit takes, one sequence at a "
            "time as a batch of one, and the loss must depend on the recurrent layer."
        ) from error
