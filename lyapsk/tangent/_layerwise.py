"""Layers one by one: the exponents of a stack are the union of its layers' own."""

from dataclasses import replace

import torch

from ._stack import Stack


def layerwise(layers, drive):
    """Split stacked layers of one or two directions into systems of their own.

    The joint Jacobian of stacked layers is block triangular, so that each layer, driven by the
    outputs of the one below, has exponents of its own.

    Parameters
    ----------
    layers : list of tuple of Cell
        As ``cells_of`` gives them.
    drive : Drive
        Of the whole stack.

    Returns
    -------
    list of (Stack, Drive, str)
        For each layer and direction its dynamics, what drives it, and its name in torch.
    """
    sizes = [cell.state_size for directions in layers for cell in directions]
    states = iter(drive.state.split(sizes, -1))
    inputs, parts = drive.inputs, []
    for index, directions in enumerate(layers):
        outputs = []
        for cell, suffix, flips in zip(directions, ("", "_reverse"), ([], [0]), strict=False):
            own = replace(drive, state=next(states), inputs=inputs.flip(flips))
            parts.append((Stack((cell,)), own, f"l{index}{suffix}"))
            if index + 1 < len(layers):
                followed = cell.follow(own.state, own.inputs)
                outputs.append(cell.output(followed, own.inputs).flip(flips))
        inputs = torch.cat(outputs, -1) if outputs else None
    return parts
