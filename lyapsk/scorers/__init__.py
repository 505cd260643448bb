"""Scores of fitted nets that need the network itself, not its predictions."""

from ._alignment import GradientAlignmentScorer
from ._frame_gradient import FrameGradient, frame_gradient
from ._result import GradientAlignment
from ._sensitivity import InputSensitivityScorer
from ._sensitivity_result import InputSensitivity

__all__ = [
    "FrameGradient",
    "GradientAlignment",
    "GradientAlignmentScorer",
    "InputSensitivity",
    "InputSensitivityScorer",
    "frame_gradient",
]
