import numpy as np
import pytest
import torch

from lyapsk._parallel import in_parallel, one_thread


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_parallel_keeps_the_order_and_shows_progress(n_jobs, capsys):
    assert in_parallel(divmod, [(7, 2), (9, 4)], n_jobs, "dividing") == [(3, 1), (2, 1)]
    assert "dividing: 100%" in capsys.readouterr().err


@pytest.mark.parametrize(("jobs", "verbose"), [([(7, 2)], 0), ([], 1)])
def test_nothing_is_shown_on_request_or_of_no_work(jobs, verbose, capsys):
    in_parallel(divmod, jobs, 1, "dividing", verbose)
    assert capsys.readouterr().err == ""


def test_large_arrays_reach_processes_writable():
    """joblib hands out those above a megabyte as memory maps, which torch wants writable."""
    large = np.ones(200_000)
    assert in_parallel(_can_be_written, [(large,), (large,)], 2, "looking", 0) == [True, True]


def _can_be_written(array):
    return array.flags.writeable


@pytest.mark.usefixtures("two_threads")
def test_one_thread_ends_with_an_error_too():
    seen = []

    @one_thread()
    def fail():
        seen.append(torch.get_num_threads())
        raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (seen, torch.get_num_threads()) == ([1], 2)
