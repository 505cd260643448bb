import io
import json

import numpy as np
import pandas as pd
import pytest

from lyapsk import LyapunovSpectrum
from lyapsk.commands._formats import spectrum_as_csv, to_json


def test_every_column_of_csv_is_that_of_the_spectrum():
    exponents = np.array([0.1, -0.2, -np.inf])
    spectrum = LyapunovSpectrum(
        exponents=exponents,
        standard_error=np.array([0.001, 0.1, 0.0]),
        per_sequence=exponents[None],
        drift=np.array([0.002, -0.3, np.nan]),
        n_batches=4,
        n_steps=np.array([50]),
        state_size=3,
        layers=np.array(["l0", "l1", "l0"]),
    )
    table = pd.read_csv(io.StringIO(spectrum_as_csv(spectrum)))
    assert list(table["rank"]) == [1, 2, 3]
    np.testing.assert_array_equal(table.exponent, exponents)
    np.testing.assert_array_equal(table.standard_error, spectrum.standard_error)
    np.testing.assert_array_equal(table.drift, spectrum.drift)
    assert list(table.settled) == spectrum.converged.tolist()
    assert list(table.layer) == ["l0", "l1", "l0"]


def test_json_is_strict():
    values = {"a": np.array([1.5, -np.inf, np.nan]), "b": (np.float32(0.5), np.int64(2), np.inf)}
    told = json.loads(to_json(values), parse_constant=pytest.fail)
    assert told == {"a": [1.5, "-Infinity", None], "b": [0.5, 2, "Infinity"]}
