import io

import numpy as np
import pandas as pd

from lyapsk.report._csv import to_csv


def test_pandas_reads_back_what_was_written():
    columns = {
        "name": ["a, b", "c"],
        "size": np.array([1, 2]),
        "loss": np.array([0.1, np.nan]),
        "exponent": [-np.inf, np.float64(1 / 3)],
    }
    read = pd.read_csv(io.BytesIO(to_csv(columns)))
    pd.testing.assert_frame_equal(read, pd.DataFrame(columns))
