"""skorch callbacks that watch the dynamics of a network as it trains."""

from ._alignment import AlignmentMonitor

__all__ = ["AlignmentMonitor"]
