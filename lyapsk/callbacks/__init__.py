"""skorch callbacks that watch the dynamics of a network as it trains, and stop the hopeless."""

from ._alignment import AlignmentMonitor
from ._spectrum import LyapunovMonitor
from ._stopping import PredictedScoreStopping

__all__ = ["AlignmentMonitor", "LyapunovMonitor", "PredictedScoreStopping"]
