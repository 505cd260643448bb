import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from torch import nn

from lyapsk import lyapunov_spectrum
from lyapsk._array_file import ArrayFile
from lyapsk.exceptions import InvalidInputError, LyapskWarning
from lyapsk.report._directory import Request, read_trainings
from lyapsk.tasks import SequenceNetwork, digits_by_rows, narma10


def by_recipe(population):
    return {recipe: i for i, recipe in enumerate(population.recipes)}


@pytest.mark.parametrize("epoch", [0, 1])
def test_what_was_trained_is_read(directory, digits, epoch):
    (training,), left_out = read_trainings(directory, Request(epoch=epoch, n_sequences=3))
    order = [by_recipe(digits)[recipe] for recipe in training.recipes]
    assert left_out == []
    assert sorted(order) == list(range(len(digits)))
    assert training.names == sorted(path.stem for path in directory.iterdir())
    np.testing.assert_array_equal(training.losses, digits.losses[order])
    np.testing.assert_array_equal(training.metrics, digits.metrics[order])
    np.testing.assert_array_equal(training.sequences, digits.task.X_valid[:3])
    assert training.title == training.task == "digits by rows"
    assert (training.metric, training.criterion) == ("accuracy", "CrossEntropyLoss")
    assert (training.max_epochs, training.n_train) == (2, len(digits.task.X_train))
    nets = digits.nets(epoch)
    for network, index in zip(training.networks, order, strict=True):
        for name, weight in nets[index].module_.state_dict().items():
            assert torch.equal(network.state_dict()[name], weight)
    spectra = [
        lyapunov_spectrum(net, training.sequences) for net in (training.networks[0], nets[order[0]])
    ]
    np.testing.assert_allclose(spectra[0].exponents, spectra[1].exponents, rtol=1e-9)


def test_data_of_another_seed_are_found_with_it(quick, tmp_path):
    quick(digits_by_rows(random_state=5), 2, directory=tmp_path)
    (training,), _ = read_trainings(tmp_path, Request(seed=5))
    np.testing.assert_array_equal(training.sequences, digits_by_rows(random_state=5).X_valid[:4])
    with pytest.raises(
        InvalidInputError, match=r"digits by rows: its data .* --data, or .* --seed"
    ):
        read_trainings(tmp_path, Request())


def test_own_data_need_sequences(quick, own_task, tmp_path):
    quick(own_task, 3, directory=tmp_path, kinds=("LRU", "CoRNN", "GRU"))
    with pytest.raises(InvalidInputError, match="four sines: its data are not kept"):
        read_trainings(tmp_path, Request())
    (training,), _ = read_trainings(tmp_path, Request(sequences=own_task.X_valid))
    np.testing.assert_array_equal(training.sequences, own_task.X_valid[:4])
    assert training.driven_by == "sequences that were given"
    assert training.n_train is None
    assert training.criterion == "MSELoss"


def test_different_trainings_are_kept_apart(directory, quick, own_task):
    quick(narma10(n_train=64, n_valid=16), 2, directory=directory)
    quick(digits_by_rows(), 3, directory=directory, max_epochs=3)
    quick(digits_by_rows(random_state=1), 2, directory=directory)
    trainings, left_out = read_trainings(directory, Request(seed=1))
    assert [(training.title, len(training)) for training in trainings] == [
        ("digits by rows (2 epochs), no. 1", 11),
        ("digits by rows (3 epochs)", 3),
        ("digits by rows (2 epochs), no. 2", 2),
    ]
    assert len(left_out) == 1
    assert left_out[0].startswith("NARMA-10: its data are not kept")


def test_twins_that_were_kept_at_other_epochs_count_once(directory, quick):
    quick(digits_by_rows(), 3, directory=directory, checkpoints=(0,))
    (training,), left_out = read_trainings(directory, Request(epoch=1))
    assert (len(training), left_out) == (11, [])


def test_epochs_that_were_not_kept(directory, quick):
    for epoch in (2, 7):
        with pytest.raises(InvalidInputError, match=r"11 networks.* those of epochs 0, 1: ask"):
            read_trainings(directory, Request(epoch=epoch))
    quick(digits_by_rows(), 14, directory=directory, checkpoints=(0,))
    _, left_out = read_trainings(directory, Request(epoch=1))
    assert left_out == ["digits by rows: 3 of 14 networks, without weights of epoch 1"]


def test_missing_and_empty_directories(tmp_path):
    with pytest.raises(InvalidInputError, match="there is no such directory"):
        read_trainings(tmp_path / "gone", Request())
    with pytest.raises(InvalidInputError, match="holds no trained network"):
        read_trainings(tmp_path, Request())


def told(path):
    """The description in a network file, as text."""
    with path.open("rb") as file:
        head = file.read(int.from_bytes(file.read(8), "little"))
    return json.loads(head)["__metadata__"]["lyapsk"]


def with_description(path, change):
    """Write a network file anew with another description."""
    arrays, description = load_file(path), json.loads(told(path))
    change(description)
    ArrayFile(path, json.dumps(description, sort_keys=True)).write(arrays)


def with_arrays(path, change):
    """Write a network file anew with other arrays."""
    arrays, description = load_file(path), told(path)
    change(arrays)
    ArrayFile(path, description).write(arrays)


def in_recipe(**changes):
    return lambda path: with_description(path, lambda d: d["recipe"].update(changes))


def rewritten(**changes):
    return lambda path: with_description(path, lambda description: description.update(changes))


SPOIL = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-50]),
    "empty": lambda path: path.write_bytes(b""),
    "other arrays": lambda path: save_file({"x": np.zeros(2)}, path),
    "no JSON": lambda path: save_file({"x": np.zeros(2)}, path, {"lyapsk": "text"}),
    "directory": lambda path: (path.unlink(), path.mkdir()),
    "no recipe": lambda path: with_description(path, lambda d: d.pop("recipe")),
    "a list": rewritten(recipe=[1]),
    "a format of tomorrow": rewritten(format=2),
    "another length": rewritten(max_epochs=9),
    "a metric of another length": lambda path: with_arrays(
        path, lambda arrays: arrays.update({"curves/accuracy": np.zeros(5)})
    ),
    "a kind that is a list": in_recipe(hidden_size=[6]),
    "words for numbers": in_recipe(learning_rate="fast"),
    "no checkpoints": lambda path: with_description(path, lambda d: d.pop("checkpoints")),
}


@pytest.mark.parametrize("name", SPOIL)
def test_damaged_files_are_told_and_left_out(directory, name):
    path = sorted(directory.iterdir())[0]
    SPOIL[name](path)
    with pytest.warns(LyapskWarning, match=f"{path.name} is damaged"):
        (training,), left_out = read_trainings(directory, Request())
    assert len(training) == 10
    assert left_out == ["1 file, damaged or of no trained network"]


def test_tasks_without_a_proper_name_do_not_lose_the_others(directory):
    for path, task in zip(sorted(directory.iterdir())[:2], ([1], None), strict=True):
        rewritten(task=task)(path)
    (training,), left_out = read_trainings(directory, Request())
    assert len(training) == 9
    assert len(left_out) == 2


class Twice(nn.Module):
    """A module that is not of lyapsk.tasks."""

    def __init__(self, kind, hidden_size, half_width):
        super().__init__()
        self.inner = SequenceNetwork(kind, hidden_size, n_inputs=8, n_outputs=10)

    def forward(self, X):
        return self.inner(2 * X)


def test_own_modules_are_named_by_the_user(quick, tmp_path):
    quick(replace(digits_by_rows(), module=Twice), 2, directory=tmp_path)
    with pytest.raises(InvalidInputError, match=r"its module is Twice, not of .* --module"):
        read_trainings(tmp_path, Request())
    (training,), _ = read_trainings(tmp_path, Request(module=Twice))
    assert isinstance(training.networks[0], Twice)


def test_descriptions_call_nothing_but_sequence_networks(directory):
    for path in directory.iterdir():
        rewritten(module={"function": "os.system", "arguments": ["false"], "keywords": {}})(path)
    with pytest.raises(InvalidInputError, match="its module is system, not of lyapsk"):
        read_trainings(directory, Request())


def test_global_generators_are_left_alone(directory):
    before = torch.get_rng_state()
    read_trainings(directory, Request())
    assert torch.equal(torch.get_rng_state(), before)


def test_files_of_others_beside_the_networks_do_not_matter(directory):
    (directory / "notes.txt").write_text("mine")
    shutil.copy(sorted(directory.iterdir())[0], directory / ".half-written.tmp")
    assert len(read_trainings(directory, Request())[0][0]) == 11
