"""Scores of fitted nets that need the network itself, not its predictions."""

from ._alignment import GradientAlignmentScorer
from ._result import GradientAlignment

__all__ = ["GradientAlignment", "GradientAlignmentScorer"]
