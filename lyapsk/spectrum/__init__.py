"""The frame iteration and the spectrum that it gives. Knows torch only."""

from ._adjoint import Adjoint, follow_adjoint, frame_coordinates, log_largest_singular_values
from ._assemble import Piece, assemble, standard_error
from ._cores import on_all_cores, on_one_core
from ._diagnosis import Diagnosis, diagnose
from ._differentiable import differentiable_exponents
from ._drive import Drive
from ._finite_time import mean_growth_to_end
from ._frames import initial_frame
from ._growth import Growth, Position
from ._iteration import follow_frame
from ._result import LyapunovSpectrum

__all__ = [
    "Adjoint",
    "Diagnosis",
    "Drive",
    "Growth",
    "LyapunovSpectrum",
    "Piece",
    "Position",
    "assemble",
    "diagnose",
    "differentiable_exponents",
    "follow_adjoint",
    "follow_frame",
    "frame_coordinates",
    "initial_frame",
    "log_largest_singular_values",
    "mean_growth_to_end",
    "on_all_cores",
    "on_one_core",
    "standard_error",
]
