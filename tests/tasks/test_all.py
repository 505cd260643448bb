"""What holds for every task."""

import inspect
import pickle

import numpy as np
import pytest
import torch

from lyapsk.exceptions import InvalidInputError
from lyapsk.tasks import NRMSE, TASKS, SequenceTask

ARRAYS = ("X_train", "y_train", "X_valid", "y_valid")
SIZES = [
    (name, size)
    for name, function in TASKS.items()
    for size, parameter in inspect.signature(function).parameters.items()
    if size not in ("path", "random_state")
]


@pytest.fixture(params=TASKS, scope="module")
def task(request):
    return TASKS[request.param]()


def test_task_is_whole(task):
    assert isinstance(task, SequenceTask)
    for name in ARRAYS:
        array = getattr(task, name)
        assert array.dtype == (np.int64 if name[0] == "y" and task.metric != NRMSE else np.float32)
        assert np.isfinite(array).all()
        array[:1] = array[:1]
    assert len(task.X_train) == len(task.y_train)
    assert len(task.X_valid) == len(task.y_valid)


def test_task_can_be_sent_to_other_processes(task):
    again = pickle.loads(pickle.dumps(task))
    np.testing.assert_array_equal(again.X_train, task.X_train)
    assert again.metric == task.metric


@pytest.mark.parametrize("name", TASKS)
def test_seed_decides_alone_and_global_generators_are_left_alone(name):
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    tasks = [TASKS[name](random_state=seed) for seed in (0, 0, 1, None)]
    for array in ARRAYS:
        one, same, other, free = (getattr(task, array) for task in tasks)
        np.testing.assert_array_equal(one, same)
        assert not np.array_equal(one, other)
        assert not np.array_equal(one, free)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])


@pytest.mark.parametrize("name", TASKS)
def test_seed_that_is_none_is_refused(name):
    with pytest.raises(InvalidInputError, match="random_state: got 'one'"):
        TASKS[name](random_state="one")


@pytest.mark.parametrize(("name", "size"), SIZES)
@pytest.mark.parametrize("bad", [-1, "many"])
def test_bad_sizes_are_refused(name, size, bad):
    with pytest.raises(InvalidInputError, match=f"{size}: got {bad!r}. It must be"):
        TASKS[name](**{size: bad})


@pytest.mark.parametrize("name", ["n_train", "n_valid"])
def test_sizes_are_as_asked_for(name):
    for function in TASKS.values():
        if name in inspect.signature(function).parameters:
            assert len(getattr(function(**{name: 7}), name.replace("n", "X", 1))) == 7


def test_training_beats_the_answer_that_needs_no_network(task):
    """Within a few epochs, an Elman network beats the most frequent class or the mean."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = task.net("RNN", hidden_size=32, half_width=0.25, max_epochs=3)
        net.fit(task.X_train, task.y_train)
    reached = net.history[-1, task.metric.name]
    if task.metric == NRMSE:
        assert reached < 0.95
    else:
        assert reached > 1.3 * np.bincount(task.y_valid.ravel()).max() / task.y_valid.size
