"""From networks to features: of their spectra, and of their training so far."""

from ._learning_curve import LearningCurveTransformer
from ._spectrum import LyapunovSpectrumTransformer
from ._statistics import SpectrumStatistics

__all__ = ["LearningCurveTransformer", "LyapunovSpectrumTransformer", "SpectrumStatistics"]
