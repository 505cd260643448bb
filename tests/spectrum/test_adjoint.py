import numpy as np
import torch

from lyapsk.spectrum import log_largest_singular_values, mean_growth_to_end

RNG = np.random.default_rng(0)


def test_largest_singular_values_neither_overflow_nor_vanish():
    R = torch.tensor(RNG.normal(size=(2, 6, 4, 4))).triu()
    found = log_largest_singular_values(R).numpy()
    for scale in (1e100, 1e-100):
        scaled = log_largest_singular_values(scale * R).numpy()
        steps = np.log(scale) * np.arange(5, -1, -1)
        np.testing.assert_allclose(scaled, found + steps, rtol=1e-12)
    product = np.eye(4)
    for t in range(5, -1, -1):
        np.testing.assert_allclose(found[0, t], np.log(np.linalg.norm(product, 2)), atol=1e-12)
        product = product @ R[0, t].numpy()


def test_a_product_that_dies_is_minus_infinity_from_there_back():
    R = torch.eye(3).double().repeat(1, 5, 1, 1)
    R[0, 3] = 0
    assert log_largest_singular_values(R)[0].tolist() == [-np.inf] * 3 + [0, 0]


def test_mean_growth_to_end():
    growth = RNG.normal(size=(3, 6, 2))
    lengths = [6, 3, 1]
    found = mean_growth_to_end(growth, lengths)
    for i, length in enumerate(lengths):
        for t in range(length - 1):
            np.testing.assert_allclose(found[i, t], growth[i, t + 1 : length].mean(0))
        assert np.isnan(found[i, length - 1 :]).all()
    growth[0, 3, 1] = -np.inf
    assert np.isneginf(mean_growth_to_end(growth, lengths)[0, :3, 1]).all()
