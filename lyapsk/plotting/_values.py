"""Checks that the displays share."""

import numpy as np

from ..exceptions import InvalidInputError


def check_values(values, n_networks, name):
    """`values` as an array with one entry per network, or None.

    Raises
    ------
    InvalidInputError
        If there are more or fewer values than networks.
    """
    if values is None:
        return None
    values = np.asarray(values)
    if values.shape != (n_networks,):
        raise InvalidInputError(
            f"{name} has shape {values.shape} for {n_networks} networks: pass one per network."
        )
    return values
