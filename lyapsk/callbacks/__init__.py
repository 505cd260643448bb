"""skorch callbacks that watch the dynamics of a network as it trains."""

from ._alignment import AlignmentMonitor
from ._spectrum import LyapunovMonitor

__all__ = ["AlignmentMonitor", "LyapunovMonitor"]
