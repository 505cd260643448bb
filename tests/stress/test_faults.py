"""A few cases of every fault; ``make stress`` tries many."""

import pytest

from stress.faults import CASES, FAULTS


@pytest.mark.parametrize("name", FAULTS)
def test_all_ends_in_a_clear_error_or_the_right_answer(name, tmp_path):
    few, _ = CASES[name]
    outcome = FAULTS[name](few, tmp_path, seed=0)
    assert outcome.cases > 0
    assert not outcome.failures, "\n".join(outcome.failures)
    assert outcome.lost == 0
