import random
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
import torch

from lyapsk._random import same_generators, seeded


def states():
    return torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002


def assert_same(before, after):
    assert torch.equal(before[0], after[0])
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2] == after[2]


@pytest.mark.parametrize("fails", [False, True])
def test_generators_are_given_back_after_errors_too(fails):
    before = states()
    try:
        with same_generators():
            torch.rand(3), np.random.rand(3), random.random()  # noqa: NPY002
            if fails:
                raise RuntimeError
    except RuntimeError:
        pass
    assert_same(before, states())


def test_a_seed_decides_what_is_drawn():
    before = states()
    with seeded(5):
        first = torch.rand(3)
    with seeded(5), seeded(6):
        other = torch.rand(3)
    with seeded(5):
        again = torch.rand(3)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert_same(before, states())


def test_gradients_are_on():
    with torch.inference_mode(), seeded(0):
        weight = torch.ones(2, requires_grad=True)
        assert torch.autograd.grad(weight.sum(), weight)[0].tolist() == [1, 1]


def test_threads_do_not_disturb_each_other():
    def draw(seed, barrier=None):
        if barrier:
            barrier.wait()
        with seeded(seed):
            return [torch.rand(1).item() for _ in range(2000)]

    before = states()
    alone = [draw(seed) for seed in range(4)]
    barrier = Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda seed: draw(seed, barrier), range(4)))
    assert together == alone
    assert_same(before, states())
