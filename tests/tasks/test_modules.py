import pytest
import torch
from torch import nn

from lyapsk import nn as own
from lyapsk.exceptions import InvalidInputError
from lyapsk.tasks import SequenceNetwork

TORCH_KINDS = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}
OWN_KINDS = {name: getattr(own, name) for name in own.__all__ if name != "RecurrentLayer"}
KINDS = TORCH_KINDS | OWN_KINDS


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("kind", KINDS)
def test_reads_out_from_the_last_hidden_state(kind):
    module = SequenceNetwork(kind, hidden_size=5, n_inputs=2, n_outputs=3)
    X = torch.randn(4, 7, 2)
    hidden, _ = module.recurrent(X)
    assert isinstance(module.recurrent, KINDS[kind])
    torch.testing.assert_close(module(X), module.readout(hidden[:, 6]))


@pytest.mark.parametrize(("read_from", "steps"), [(0, range(7)), (3, range(3, 7)), (-2, (5, 6))])
def test_reads_out_from_many_steps(read_from, steps):
    module = SequenceNetwork("GRU", hidden_size=5, n_outputs=3, read_from=read_from)
    X = torch.randn(4, 7, 1)
    hidden, _ = module.recurrent(X)
    assert module(X).shape == (4, len(steps), 3)
    for row, step in enumerate(steps):
        torch.testing.assert_close(module(X)[:, row], module.readout(hidden[:, step]))


@pytest.mark.parametrize("kind", TORCH_KINDS)
def test_half_width_bounds_the_recurrent_weights_alone(kind):
    module = SequenceNetwork(kind, hidden_size=20, half_width=1.5)
    largest = {name: p.abs().max().item() for name, p in module.recurrent.named_parameters()}
    assert 1.3 < largest.pop("weight_hh_l0") <= 1.5
    assert max(largest.values()) <= 20**-0.5


@pytest.mark.parametrize("kind", OWN_KINDS)
def test_half_width_is_for_free_matrices(kind):
    with torch.random.fork_rng():
        usual = SequenceNetwork(kind, hidden_size=20).recurrent
    module = SequenceNetwork(kind, hidden_size=20, half_width=1.5).recurrent
    changed = {
        name
        for (name, weight), before in zip(
            module.named_parameters(), usual.parameters(), strict=True
        )
        if not torch.equal(weight, before)
    }
    keep_theirs = ("LRU", "IndRNN", "MinGRU", "MinLSTM", "OrthogonalRNN")
    assert changed == (set() if kind in keep_theirs else {"weight_hh_l0"})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "rnn"}, "kind: got 'rnn'. It must be 'RNN' or 'GRU'"),
        ({"kind": ["RNN"]}, r"kind: got \['RNN'\]. It must be 'RNN'"),
        ({"hidden_size": 0}, "hidden_size: got 0. It must be a whole number of at least 1"),
        ({"hidden_size": 2.5}, "hidden_size: got 2.5"),
        ({"half_width": -1.0}, "half_width: got -1.0. It must be a finite number above 0"),
    ],
)
def test_impossible_networks_are_refused(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        SequenceNetwork(**arguments)
