"""Displays in scikit-learn's manner: they store what they show, and draw it in ``plot``."""

from ._latent import LatentDisplay
from ._matplotlib import check_matplotlib
from ._spectrum import SpectrumDisplay

__all__ = ["LatentDisplay", "SpectrumDisplay", "check_matplotlib"]
