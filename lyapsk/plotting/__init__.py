"""Displays in scikit-learn's manner: they store what they show, and draw it in ``plot``."""

from ._alignment import GradientAlignmentDisplay
from ._better import BetterSpectrumDisplay
from ._convergence import ConvergenceDisplay
from ._growth import GrowthDisplay
from ._history import HistoryDisplay
from ._latent import LatentDisplay
from ._matplotlib import check_matplotlib
from ._prediction import PredictionDisplay
from ._search import SearchDisplay
from ._sensitivity import InputSensitivityDisplay
from ._spectrum import SpectrumDisplay

__all__ = [
    "BetterSpectrumDisplay",
    "ConvergenceDisplay",
    "GradientAlignmentDisplay",
    "GrowthDisplay",
    "HistoryDisplay",
    "InputSensitivityDisplay",
    "LatentDisplay",
    "PredictionDisplay",
    "SearchDisplay",
    "SpectrumDisplay",
    "check_matplotlib",
]
