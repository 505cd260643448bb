"""What all displays share."""

from ._matplotlib import axes_for


class Display:
    """Something that is drawn on axes: ``ax_``, in the figure ``figure_``."""

    def _take(self, ax):
        """Draw on `ax`, or on the axes of a new figure."""
        self.ax_ = axes_for(ax, type(self).__name__)
        self.figure_ = self.ax_.figure
