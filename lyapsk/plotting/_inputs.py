"""What a network read, behind what is drawn over its steps."""


def shade(ax, inputs):
    """Draw inputs as faint grey behind everything else in the axes.

    Parameters
    ----------
    ax : matplotlib Axes
    inputs : ndarray of shape (n_steps, n_inputs)

    Returns
    -------
    image : matplotlib AxesImage
        One row for each input, the first on top.
    """
    background = ax.inset_axes([0, 0, 1, 1], sharex=ax, zorder=0)
    background.set_axis_off()
    extent = (-0.5, len(inputs) - 0.5, 0, 1)
    return background.imshow(inputs.T, cmap="Greys", alpha=0.3, aspect="auto", extent=extent)


def trace(ax, inputs):
    """Draw a single input as a grey line behind the axes, with an axis of its own on the right.

    Parameters
    ----------
    ax : matplotlib Axes
    inputs : ndarray of shape (n_steps, 1)

    Returns
    -------
    line : matplotlib Line2D
    """
    behind = ax.twinx()
    ax.set_zorder(behind.get_zorder() + 1)
    ax.patch.set_visible(False)
    behind.set_ylabel("Input", color="gray")
    behind.tick_params(axis="y", colors="gray")
    (line,) = behind.plot(inputs[:, 0], color="silver", linewidth=1)
    return line
