"""One-step maps of recurrent layers, and how each pushes a frame forward. Knows torch only."""

from ._cell import Cell, DiagonalCell, DrivenCell, GatedCell
from ._dynamics import Dynamics
from ._elman import ElmanCell
from ._gates import GatedPush, Gates
from ._holders import map_tensors, tensors_of
from ._kind import Kind, state_from_torch
from ._layers import (
    attached_dynamics_of,
    cells_of,
    dynamics_of,
    is_plain,
    is_recurrent,
    kind_of,
    named_gradients,
    register_kind,
    register_layer,
    start_of,
    state_weights,
    weights_of,
)
from ._layerwise import layerwise
from ._map import StepMap, n_required
from ._nonlinearities import NONLINEARITIES
from ._own import LayerDynamics, is_pushed_by_hand
from ._stack import Stack
from ._torch import gates

__all__ = [
    "NONLINEARITIES",
    "Cell",
    "DiagonalCell",
    "DrivenCell",
    "Dynamics",
    "ElmanCell",
    "GatedCell",
    "GatedPush",
    "Gates",
    "Kind",
    "LayerDynamics",
    "Stack",
    "StepMap",
    "attached_dynamics_of",
    "cells_of",
    "dynamics_of",
    "gates",
    "is_plain",
    "is_pushed_by_hand",
    "is_recurrent",
    "kind_of",
    "layerwise",
    "map_tensors",
    "n_required",
    "named_gradients",
    "register_kind",
    "register_layer",
    "start_of",
    "state_from_torch",
    "state_weights",
    "tensors_of",
    "weights_of",
]
