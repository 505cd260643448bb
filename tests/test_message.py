import numpy as np
import pytest
import torch
from torch import nn

from lyapsk import LyapunovSpectrumTransformer, lyapunov_spectrum
from lyapsk._message import counted, message_of
from lyapsk.exceptions import FailedNetworkWarning, InvalidInputError


def test_a_period_at_the_end_is_left_out():
    assert message_of(ValueError("Cannot pack empty tensors.")) == "Cannot pack empty tensors"
    assert message_of(ValueError("version 1.2")) == "version 1.2"


class Refusing(nn.Module):
    def __init__(self):
        super().__init__()
        self.recurrent = nn.GRU(3, 4)

    def forward(self, x):
        raise ValueError("It must not be.")


def test_no_message_has_two_periods():
    sequences = torch.zeros(2, 5, 3)
    with pytest.raises(InvalidInputError, match=r"ValueError: It must not be\. They must be what"):
        lyapunov_spectrum(Refusing(), sequences)
    transformer = LyapunovSpectrumTransformer(sequences, error_score=np.nan)
    with pytest.warns(FailedNetworkWarning, match=r"as a dict by their names\. See failures_\."):
        transformer.fit_transform([nn.GRU(3, 4), Refusing()])


def test_one_of_a_kind_has_no_plural():
    assert counted(1, "sequence") == "1 sequence"
    assert counted(0, "step") == "0 steps"
    assert counted(1000, "step") == "1,000 steps"
    for n_steps, told in ((5, "1 sequence of 5 steps"), (1, "1 sequence of 1 step)")):
        assert told in repr(lyapunov_spectrum(nn.GRU(3, 4), torch.zeros(1, n_steps, 3)))
