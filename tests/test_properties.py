"""Properties that hold whatever the shapes and options."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lyapsk import LyapunovSpectrumTransformer, lyapunov_spectrum

KINDS = st.sampled_from([nn.RNN, nn.GRU, nn.LSTM])
SIZES = st.integers(1, 7)


@st.composite
def problems(draw):
    """A layer of any kind and shape, sequences that drive it, and options."""
    torch.manual_seed(draw(st.integers(0, 1000)))
    layer = draw(KINDS)(
        draw(SIZES),
        draw(SIZES),
        num_layers=draw(st.integers(1, 3)),
        bias=draw(st.booleans()),
        batch_first=draw(st.booleans()),
        bidirectional=draw(st.booleans()),
    )
    shape = draw(st.integers(1, 4)), draw(st.integers(1, 9)), layer.input_size
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    scale = draw(st.sampled_from([0.0, 1e-3, 1.0, 1e3]))
    options = {
        "warmup": draw(st.integers(0, shape[1] - 1)),
        "method": draw(st.sampled_from(["auto", "lu", "qr"])),
        "coupling": "layers" if layer.bidirectional else draw(st.sampled_from(["full", "layers"])),
    }
    return layer, scale * rng.normal(size=shape), options


@settings(max_examples=60, deadline=None, derandomize=True)
@given(problems())
def test_results_are_ordered_finite_and_of_the_promised_shape(problem):
    layer, X, options = problem
    spectrum = lyapunov_spectrum(layer, X, **options)
    n = layer.hidden_size * layer.num_layers * (1 + layer.bidirectional)
    n *= 2 if isinstance(layer, nn.LSTM) else 1
    assert spectrum.state_size == n
    assert spectrum.exponents.shape == spectrum.standard_error.shape == (n,)
    assert spectrum.per_sequence.shape == (len(X), n)
    assert not np.isnan(spectrum.per_sequence).any()
    assert (spectrum.exponents[:-1] >= spectrum.exponents[1:]).all()
    assert (spectrum.standard_error >= 0).all()
    assert spectrum.n_steps.tolist() == [X.shape[1] - options["warmup"]] * len(X)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(problems(), st.data())
def test_a_sequence_does_not_feel_the_others(problem, data):
    layer, X, options = problem
    i = data.draw(st.integers(0, len(X) - 1))
    together = np.sort(lyapunov_spectrum(layer, X, **options).per_sequence[i])
    alone = np.sort(lyapunov_spectrum(layer, X[[i]], **options).exponents)
    live = together > -8
    np.testing.assert_allclose(alone[live], together[live], atol=1e-9)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(problems(), st.integers(1, 3))
def test_a_network_does_not_feel_the_others(problem, n_copies):
    layer, X, options = problem
    networks = [layer, nn.GRU(layer.input_size, 3), *[layer] * n_copies]
    transformer = LyapunovSpectrumTransformer(X, warmup=options["warmup"]).fit(networks)
    alone = lyapunov_spectrum(layer, X, warmup=options["warmup"]).exponents
    live = alone > -8
    for spectrum in transformer.spectra(networks)[2:]:
        np.testing.assert_allclose(spectrum.exponents[live], alone[live], atol=1e-9)
