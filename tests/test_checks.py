import numpy as np
import pytest
import torch
from helpers import make_net
from torch import nn

from lyapsk import AeLLEClassifier, AeLLERegressor, SpectrumStatistics, lyapunov_spectrum
from lyapsk._checks import check_choice, check_count, check_positive, check_range
from lyapsk.exceptions import InvalidInputError, InvalidTypeError


@pytest.mark.parametrize("value", [1, 7, np.int64(3)])
def test_counts(value):
    assert type(check_count("n", value, most=7)) is int


@pytest.mark.parametrize("value", [0, 8, -1, 2.0, True, "3", None, np.nan, np.array([1, 2])])
def test_no_counts(value):
    with pytest.raises(InvalidInputError, match=r"n: got .*whole number of at least 1, up to 7\."):
        check_count("n", value, most=7, also=", up to 7")


@pytest.mark.parametrize("value", [1, 1e-300, np.float32(2), np.int8(3)])
def test_positive_numbers(value):
    assert type(check_positive("size", value)) is float


@pytest.mark.parametrize("value", [0, -1.0, np.inf, np.nan, True, "1", None, 1j, np.ones(1)])
def test_no_positive_numbers(value):
    with pytest.raises(InvalidInputError, match=r"size: got .*number above 0, in steps\."):
        check_positive("size", value, also=", in steps")


@pytest.mark.parametrize(("bounds", "pair"), [((1, 2), (1, 2)), ([3, 3], (3, 3)), (4, (4, 4))])
def test_ranges(bounds, pair):
    assert check_range("sizes", bounds, check_count) == pair


@pytest.mark.parametrize("bounds", [(1, 2, 3), (2, 1), (0, 1), "12"])
def test_no_ranges(bounds):
    with pytest.raises(InvalidInputError, match="sizes: got "):
        check_range("sizes", bounds, check_count)


def test_choices():
    for value in ("qr", np.str_("lu"), 2):
        check_choice("method", value, ("qr", "lu", 2))


@pytest.mark.parametrize("value", ["QR", None, 3, ["qr"], np.array(["qr", "lu"]), np.dtype("f8")])
def test_no_choices(value):
    with pytest.raises(InvalidInputError, match=r"method: got .*must be 'qr' or 'lu' or 'float64'"):
        check_choice("method", value, {"qr": 1, "lu": 2, "float64": 3})


SPECTRA = [lyapunov_spectrum(nn.GRU(1, n), torch.zeros(2, 5, 1)) for n in (3, 5)]
NO_ROWS = {
    "nets": ([make_net(), make_net()], InvalidTypeError, "NeuralNetClassifiers, not numbers"),
    "modules": ([nn.Sequential(nn.GRU(1, 3))] * 2, InvalidTypeError, "Sequentials, not numbers"),
    "spectra": (SPECTRA, InvalidTypeError, "LyapunovSpectrums, not numbers"),
    "unequal": ([s.exponents for s in SPECTRA], InvalidInputError, "rows have 3 to 5 entries"),
}


@pytest.mark.parametrize("case", NO_ROWS)
@pytest.mark.parametrize("kind", [AeLLERegressor, AeLLEClassifier, SpectrumStatistics])
def test_what_is_no_rows_yet_is_told_how_to_become_some(kind, case):
    X, error, message = NO_ROWS[case]
    with pytest.raises(error, match=f"X: its .*{message}.* LyapunovSpectrumTransformer makes rows"):
        kind().fit(X, [0, 1])
