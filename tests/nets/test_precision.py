"""Single precision, whatever less a user lets torch multiply with."""

import numpy as np
import pytest
import torch
from torch import nn

from lyapsk import lyapunov_spectrum
from lyapsk.nets import _precision
from lyapsk.nets._precision import full_precision

NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.fixture(params=["highest", "high", "medium"])
def allowed(request):
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(request.param)
    yield request.param
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("of_each_backend", [True, False])
def test_precision_is_full_within_the_block_and_given_back(allowed, of_each_backend, monkeypatch):
    if of_each_backend and not _precision.OF_EACH_BACKEND:
        pytest.skip("this torch has one setting for all backends")
    monkeypatch.setattr(_precision, "OF_EACH_BACKEND", of_each_backend)
    before, within = _precision._read(), []

    def fails():
        with full_precision():
            within.append(_precision._read())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert within == [["ieee", "ieee"] if of_each_backend else "highest"]
    assert _precision._read() == before
    assert torch.get_float32_matmul_precision() == allowed


@pytest.mark.parametrize("coupling", ["full", "layers"])
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, NO_GPU])])
def test_spectra_in_single_precision_do_not_lose_digits_to_it(allowed, device, coupling):
    torch.manual_seed(0)
    n_layers = 1 if coupling == "full" else 3
    layer, X = nn.RNN(4, 64, n_layers), np.random.default_rng(0).normal(size=(8, 60, 4))
    options = {"device": device, "coupling": coupling}
    exact = lyapunov_spectrum(layer, X, **options).exponents
    found = lyapunov_spectrum(layer, X, dtype="float32", **options).exponents
    np.testing.assert_allclose(found, exact, atol=1e-4)
    np.testing.assert_allclose(found[:10], exact[:10], atol=5e-6)
    assert torch.get_float32_matmul_precision() == allowed
