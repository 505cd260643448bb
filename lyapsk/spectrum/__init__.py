"""The frame iteration and the spectrum that it gives. Knows torch only."""

from ._frames import initial_frame
from ._iteration import Drive, follow_frame
from ._result import LyapunovSpectrum

__all__ = ["Drive", "LyapunovSpectrum", "follow_frame", "initial_frame"]
