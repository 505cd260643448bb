import pytest
import torch
from torch import nn

from lyapsk.exceptions import InvalidInputError
from lyapsk.tasks import SequenceClassifier

KINDS = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}


@pytest.mark.parametrize("kind", KINDS)
def test_reads_out_from_the_last_hidden_state(kind):
    module = SequenceClassifier(kind, hidden_size=5, n_inputs=2, n_classes=3)
    X = torch.randn(4, 7, 2)
    hidden, _ = module.recurrent(X)
    assert isinstance(module.recurrent, KINDS[kind])
    torch.testing.assert_close(module(X), module.readout(hidden[:, 6]))


@pytest.mark.parametrize("kind", KINDS)
def test_half_width_bounds_the_recurrent_weights_alone(kind):
    module = SequenceClassifier(kind, hidden_size=20, half_width=1.5)
    largest = {name: p.abs().max().item() for name, p in module.recurrent.named_parameters()}
    assert 1.3 < largest.pop("weight_hh_l0") <= 1.5
    assert max(largest.values()) <= 20**-0.5


def test_unknown_kind_is_refused():
    with pytest.raises(InvalidInputError, match="kind='rnn': choose one of RNN, GRU, LSTM"):
        SequenceClassifier("rnn")
