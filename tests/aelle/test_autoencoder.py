import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from lyapsk.aelle._autoencoder import Autoencoder, principal_components


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 7)) @ rng.normal(size=(7, 7))
    return rows - rows.mean(axis=0)


def build(components, seed=0):
    return Autoencoder(components, 5, 2, torch.Generator().manual_seed(seed))


def test_starts_as_principal_component_analysis(rows):
    network = build(principal_components(rows, 3, np.random.RandomState(0)))
    reconstruction, prediction = network(torch.tensor(rows))
    pca = PCA(3).fit(rows)
    expected = pca.inverse_transform(pca.transform(rows))
    np.testing.assert_allclose(reconstruction.detach(), expected, atol=1e-6)
    np.testing.assert_array_equal(prediction.detach(), 0)


def test_components_beyond_the_rank_are_zero(rows):
    components = principal_components(rows, 9, np.random.RandomState(0))
    np.testing.assert_allclose(components @ components.T, np.diag([1] * 7 + [0] * 2), atol=1e-9)


def test_every_weight_learns_within_two_steps(rows):
    network = build(principal_components(rows, 3, np.random.RandomState(0)))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        reconstruction, prediction = network(torch.tensor(rows))
        (reconstruction.sin().sum() + (prediction - 1).square().sum()).backward()
        optimizer.step()
    assert all(weight.grad.abs().max() > 0 for weight in network.parameters())


def test_weights_follow_the_generator_and_leave_the_global_one_alone(rows):
    components = principal_components(rows, 3, np.random.RandomState(0))
    before = torch.get_rng_state()
    first, again, other = build(components, 1), build(components, 1), build(components, 2)
    assert torch.equal(torch.get_rng_state(), before)
    weights = [network.encoder.hidden.weight for network in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
