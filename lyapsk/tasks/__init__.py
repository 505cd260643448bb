"""Sequence tasks with bundled data, for the demo, the tests and the benchmarks."""

from ._base import SequenceTask
from ._digits import digits_by_pixels
from ._modules import SequenceClassifier

__all__ = ["SequenceClassifier", "SequenceTask", "digits_by_pixels"]
