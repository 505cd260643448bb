"""One-step maps of recurrent layers, and how each pushes a frame forward. Knows torch only."""

from ._cell import map_tensors
from ._dynamics import Dynamics
from ._layers import cells_of, dynamics_of, is_recurrent, named_weights, state_from_torch
from ._layerwise import layerwise
from ._map import StepMap
from ._stack import Stack

__all__ = [
    "Dynamics",
    "Stack",
    "StepMap",
    "cells_of",
    "dynamics_of",
    "is_recurrent",
    "layerwise",
    "map_tensors",
    "named_weights",
    "state_from_torch",
]
