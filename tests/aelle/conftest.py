"""Synthetic spectra whose performance is known."""

import numpy as np
import pytest


def _curved_spectra(n_networks, n_features=30, seed=0):
    """Spectra bent by three hidden numbers, and a curved performance of these with noise 0.1."""
    rng = np.random.default_rng(seed)
    decay, fold, ripple = hidden = rng.uniform(-1, 1, size=(3, n_networks))
    rank = np.linspace(0, 1, n_features)
    spectra = (
        -np.exp(1.5 * decay[:, None]) * rank
        + np.tanh(4 * (rank - 0.5 - 0.4 * fold[:, None]))
        + ripple[:, None] * np.sin(6 * rank)
        + 0.05 * rng.normal(size=(n_networks, n_features))
    )
    performance = np.sin(3 * hidden[0]) + fold**2 - fold * ripple
    return spectra, performance + 0.1 * rng.normal(size=n_networks)


@pytest.fixture(scope="session")
def curved_spectra():
    return _curved_spectra
