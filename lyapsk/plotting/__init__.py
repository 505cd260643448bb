"""Displays in scikit-learn's manner: they store what they show, and draw it in ``plot``."""

from ._alignment import GradientAlignmentDisplay
from ._latent import LatentDisplay
from ._matplotlib import check_matplotlib
from ._prediction import PredictionDisplay
from ._sensitivity import InputSensitivityDisplay
from ._spectrum import SpectrumDisplay

__all__ = [
    "GradientAlignmentDisplay",
    "InputSensitivityDisplay",
    "LatentDisplay",
    "PredictionDisplay",
    "SpectrumDisplay",
    "check_matplotlib",
]
