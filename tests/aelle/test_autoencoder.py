import pytest
import torch
from torch import nn

from lyapsk.aelle._autoencoder import PaperAutoencoder, ResidualAutoencoders


def build(n_members=3):
    torch.manual_seed(0)
    return ResidualAutoencoders(n_members, n_inputs=7, latent_dim=3, hidden_dim=5, n_targets=2)


def make_rows():
    return torch.randn(3, 40, 7, generator=torch.Generator().manual_seed(1)).double()


def test_starts_by_keeping_the_leading_columns():
    members, rows = build(), make_rows()
    codes = members.encoder(rows)
    torch.testing.assert_close(codes, rows[..., :3])
    reconstruction = torch.cat([rows[..., :3], torch.zeros(3, 40, 4)], -1)
    torch.testing.assert_close(members.decoder(codes), reconstruction)
    assert not members.head(codes).any()


def step(members, rows):
    codes = members.encoder(rows)
    loss = members.decoder(codes).sin().sum() + (members.head(codes) - 1).square().sum()
    loss.backward()
    with torch.no_grad():
        for weight in members.parameters():
            weight -= 0.01 * weight.grad


def test_every_weight_learns_within_two_steps():
    members, rows = build(), make_rows()
    for _ in range(2):
        members.zero_grad()
        step(members, rows)
    assert all(weight.grad.abs().max() > 0 for weight in members.parameters())


def test_a_member_does_not_feel_the_rows_of_the_others():
    rows, changed = make_rows(), make_rows()
    changed[1] += 1
    members, others = build(), build()
    for _ in range(3):
        step(members, rows)
        step(others, changed)
    for weight, other in zip(members.parameters(), others.parameters(), strict=True):
        assert torch.equal(weight[[0, 2]], other[[0, 2]])
        assert not torch.equal(weight[1], other[1])


@pytest.mark.parametrize(("n_inputs", "widths"), [(64, [8, 4]), (7, [1, 1])])
def test_the_published_network(n_inputs, widths):
    network = PaperAutoencoder(n_inputs, latent_dim=32, n_targets=1)
    encoder, decoder = (
        [layer for layer in part if isinstance(layer, nn.Linear)]
        for part in (network.encoder, network.decoder)
    )
    assert [layer.out_features for layer in encoder] == [*widths, 32]
    assert [layer.out_features for layer in decoder] == [*widths[::-1], n_inputs]
    assert [type(layer) for layer in network.encoder] == [
        *([nn.Linear, nn.Tanh, nn.Dropout] * 2),
        nn.Linear,
    ]
    assert type(network.decoder[-1]) is nn.Dropout
    assert (network.head.in_features, network.head.out_features) == (32, 1)
