"""skorch callbacks that watch and mend the dynamics of a network as it trains."""

from ._alignment import AlignmentMonitor
from ._flossing import GradientFlossing
from ._spectrum import LyapunovMonitor
from ._stopping import PredictedScoreStopping

__all__ = ["AlignmentMonitor", "GradientFlossing", "LyapunovMonitor", "PredictedScoreStopping"]
