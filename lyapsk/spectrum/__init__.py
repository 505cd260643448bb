"""The frame iteration and the spectrum that it gives. Knows torch, numpy and scipy only."""

from ._adjoint import Adjoint, follow_adjoint, frame_coordinates, log_largest_singular_values
from ._assemble import Piece, assemble, standard_error
from ._derived import entropy_rate, kaplan_yorke_dimension
from ._diagnosis import Diagnosis, diagnose
from ._differentiable import differentiable_exponents
from ._drive import Drive
from ._finite_time import mean_growth_to_end
from ._frames import initial_frame
from ._growth import Growth
from ._iteration import follow_frame
from ._result import LyapunovSpectrum

__all__ = [
    "Adjoint",
    "Diagnosis",
    "Drive",
    "Growth",
    "LyapunovSpectrum",
    "Piece",
    "assemble",
    "diagnose",
    "differentiable_exponents",
    "entropy_rate",
    "follow_adjoint",
    "follow_frame",
    "frame_coordinates",
    "initial_frame",
    "kaplan_yorke_dimension",
    "log_largest_singular_values",
    "mean_growth_to_end",
    "standard_error",
]
