"""Work on all cores: each piece on one, and all settings given back."""

import sys

import pytest
import torch

from lyapsk._cores import SOON, on_all_cores


@pytest.fixture(params=[1, 2])
def n_threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_pieces_are_worked_on_by_one_thread_each_which_takes_turns_soon(n_threads):
    before, seen = sys.getswitchinterval(), []

    def work(piece):
        seen.append((torch.get_num_threads(), sys.getswitchinterval()))
        return -piece

    assert on_all_cores(work, [3, 1, 2]) == [-3, -1, -2]
    interval = pytest.approx(before if n_threads == 1 else SOON)
    assert seen == [(1, interval)] * 3
    assert sys.getswitchinterval() == before
    assert torch.get_num_threads() == n_threads


def test_settings_are_given_back_after_a_failure(n_threads):
    before = sys.getswitchinterval()
    with pytest.raises(ZeroDivisionError):
        on_all_cores(lambda piece: 1 / piece, [1, 0])
    assert (sys.getswitchinterval(), torch.get_num_threads()) == (before, n_threads)
