"""Numbers drawn from what users pass as ``random_state``."""

import numpy as np
from sklearn.utils import check_random_state

from ._checks import refusal


def random_numbers(random_state):
    """A numpy generator; None makes a fresh one and leaves the global one alone."""
    try:
        return check_random_state(np.random.RandomState() if random_state is None else random_state)
    except ValueError as error:
        allowed = "None, a whole number or a numpy RandomState"
        raise refusal("random_state", random_state, allowed) from error
