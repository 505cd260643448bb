"""From networks to spectra, and from spectra to features."""

from ._spectrum import LyapunovSpectrumTransformer
from ._statistics import SpectrumStatistics

__all__ = ["LyapunovSpectrumTransformer", "SpectrumStatistics"]
