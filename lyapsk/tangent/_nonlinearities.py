"""What units do to their drive."""

from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Nonlinearity:
    """A function of one number.

    Attributes
    ----------
    function : callable
    slope : callable
        Derivative, given the function's value.
    """

    function: Callable
    slope: Callable


NONLINEARITIES = {
    "tanh": Nonlinearity(torch.tanh, lambda h: 1 - h * h),
    "relu": Nonlinearity(torch.relu, lambda h: (h > 0).to(h.dtype)),
    "identity": Nonlinearity(lambda drive: drive, torch.ones_like),
}
