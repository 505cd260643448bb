"""The frame iteration and the spectrum that it gives. Knows torch only."""

from ._assemble import Piece, assemble, standard_error
from ._cores import on_all_cores
from ._drive import Drive
from ._frames import initial_frame
from ._growth import Growth, Position
from ._iteration import follow_frame
from ._result import LyapunovSpectrum

__all__ = [
    "Drive",
    "Growth",
    "LyapunovSpectrum",
    "Piece",
    "Position",
    "assemble",
    "follow_frame",
    "initial_frame",
    "on_all_cores",
    "standard_error",
]
