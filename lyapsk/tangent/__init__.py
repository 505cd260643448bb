"""One-step maps of recurrent layers, and how each pushes a frame forward. Knows torch only."""

from ._dynamics import Dynamics
from ._layers import dynamics_of, is_recurrent, state_from_torch
from ._map import StepMap
from ._stack import Stack

__all__ = ["Dynamics", "Stack", "StepMap", "dynamics_of", "is_recurrent", "state_from_torch"]
