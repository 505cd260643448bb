import numpy as np
import pytest

from lyapsk._random_state import random_numbers
from lyapsk.exceptions import InvalidInputError


def test_a_seed_or_a_generator_gives_the_same_numbers():
    given = np.random.RandomState(3)
    assert random_numbers(given) is given
    assert random_numbers(3).randint(2**31) == given.randint(2**31)


def test_none_leaves_the_global_generator_alone():
    before = str(np.random.get_state())  # noqa: NPY002
    first, second = (random_numbers(None).randint(2**31, size=4).tolist() for _ in range(2))
    assert first != second
    assert str(np.random.get_state()) == before  # noqa: NPY002


@pytest.mark.parametrize("value", ["seed", -1, 1.5, np.random.default_rng(0)])
def test_refused(value):
    with pytest.raises(InvalidInputError, match=r"random_state: got .*a numpy RandomState\."):
        random_numbers(value)
