"""Tables as comma-separated values."""

import csv
import io

import numpy as np


def to_csv(columns):
    """A table as comma-separated bytes; not-a-number becomes an empty cell, which pandas reads.

    Parameters
    ----------
    columns : dict of str to sequence
        Columns of equal length by name.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow(["" if _is_nan(cell) else cell for cell in row])
    return text.getvalue().encode()


def _is_nan(cell):
    return isinstance(cell, float | np.floating) and np.isnan(cell)
