"""Means over sequences, of what some of them may lack."""

import numpy as np


def nan_mean(values):
    """Mean over the first axis of what is not NaN; NaN where there is nothing."""
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(there, values, 0).sum(0) / there.sum(0)


def standard_error_of_mean(values):
    """Of ``nan_mean``, from the spread over the first axis; infinite for fewer than two."""
    there = ~np.isnan(values)
    count = there.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        squares = np.where(there, values - nan_mean(values), 0) ** 2
        return np.where(count < 2, np.inf, np.sqrt(squares.sum(0) / (count - 1) / count))
