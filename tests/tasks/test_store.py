import json
import pickle
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn

from lyapsk.exceptions import LyapskWarning
from lyapsk.tasks import ACCURACY, NRMSE, Recipe, SequenceNetwork
from lyapsk.tasks._store import network_files
from lyapsk.tasks._training import train_network

RECIPE = Recipe("LSTM", hidden_size=4, half_width=0.3, learning_rate=0.01, seed=5)


@pytest.fixture(scope="module")
def network(small_task):
    return train_network(small_task, RECIPE, max_epochs=1, checkpoints=(0, 1))


def file_of(directory, task, recipe=RECIPE, max_epochs=1, checkpoints=(0, 1)):
    return network_files(directory, task, [recipe], max_epochs, checkpoints)[0]


@pytest.fixture
def file(tmp_path, small_task, network):
    file = file_of(tmp_path, small_task)
    file.write(network)
    return file


def test_what_was_written_is_read(file, network):
    again = file.read()
    assert again.curves.keys() == network.curves.keys()
    for name, curve in network.curves.items():
        np.testing.assert_array_equal(again.curves[name], curve)
    assert again.weights.keys() == network.weights.keys()
    for epoch, state in network.weights.items():
        for name, array in state.items():
            np.testing.assert_array_equal(again.weights[epoch][name], array)


def test_file_tells_where_its_network_comes_from(file):
    assert file.path.name.startswith("LSTM-4-")
    with safe_open(file.path, framework="np") as opened:
        description = json.loads(opened.metadata()["lyapsk"])
    assert description["recipe"]["half_width"] == 0.3
    assert description["task"] == "digits by rows"
    assert description["checkpoints"] == [0, 1]


def test_missing_file_holds_nothing(tmp_path, small_task):
    assert file_of(tmp_path, small_task).read() is None


@pytest.mark.parametrize("share", [0, 0.001, 0.05, 0.5, 0.999])
def test_shortened_file_is_told_and_holds_nothing(file, share):
    content = file.path.read_bytes()
    file.path.write_bytes(content[: int(share * len(content))])
    with pytest.warns(LyapskWarning, match="LSTM-4-.* is damaged: its network is trained again"):
        assert file.read() is None


@pytest.mark.parametrize("place", [0, 9, 100, 2000, -1000, -1])
def test_file_with_one_wrong_bit_is_told_and_holds_nothing(file, place):
    content = bytearray(file.path.read_bytes())
    content[place] ^= 1
    file.path.write_bytes(content)
    with pytest.warns(LyapskWarning, match="is damaged"):
        assert file.read() is None


def test_file_under_the_name_of_another_is_told(file, tmp_path, small_task):
    other = file_of(tmp_path, small_task, replace(RECIPE, seed=6))
    file.path.rename(other.path)
    with pytest.warns(LyapskWarning, match="is damaged"):
        assert other.read() is None


def test_whatever_changes_the_numbers_changes_the_name(tmp_path, small_task):
    X_train = small_task.X_train.copy()
    X_train[0, 0, 0] += 1
    tasks = [small_task, replace(small_task, X_train=X_train)]
    files = [file_of(tmp_path, task) for task in tasks]
    files += [
        file_of(tmp_path, small_task, replace(RECIPE, learning_rate=0.02)),
        file_of(tmp_path, small_task, max_epochs=2),
        file_of(tmp_path, small_task, checkpoints=(0,)),
    ]
    assert len({file.path for file in files}) == len(files)
    assert file_of(tmp_path, small_task).path == files[0].path


class Quiet(SequenceNetwork):
    """Shows no more of itself than its base."""

    def __init__(self, gain=1.0, n_inputs=8, n_outputs=10, **sizes):
        super().__init__(n_inputs=n_inputs, n_outputs=n_outputs, **sizes)
        self.gain = gain

    def _get_name(self):
        return "SequenceNetwork"


class CrossEntropyLoss(nn.CrossEntropyLoss):
    pass


def other_share_of_hits(y_true, output):
    return np.mean(output.argmax(axis=-1) != y_true)


def weighted(weight):
    return partial(nn.CrossEntropyLoss, weight=torch.tensor([weight] * 10))


MODULES = [
    partial(SequenceNetwork, n_inputs=8, n_outputs=10),
    partial(SequenceNetwork, n_inputs=8, n_outputs=10, read_from=-1),
    Quiet,
    partial(Quiet, gain=2.0),
    partial(Quiet, 2.0),
    partial(partial(Quiet, gain=3.0), n_outputs=10),
]
CRITERIA = [
    nn.CrossEntropyLoss,
    nn.MSELoss,
    CrossEntropyLoss,
    partial(nn.CrossEntropyLoss, label_smoothing=0.1),
    nn.CrossEntropyLoss(label_smoothing=0.2),
    weighted(1.0),
    weighted(1.0 + 1e-6),
]
METRICS = [
    ACCURACY,
    NRMSE,
    replace(ACCURACY, function=other_share_of_hits),
    replace(ACCURACY, function=partial(other_share_of_hits, output=0)),
]


def amplified(gain):
    def make(**sizes):
        return Quiet(gain, **sizes)

    return make


def decayed(kind, decay):
    class Decayed(kind):
        def net(self, *args, **parameters):
            return super().net(*args, optimizer__weight_decay=decay, **parameters)

    return Decayed


def test_what_names_do_not_tell_makes_a_difference(tmp_path, small_task):
    tasks = [
        replace(small_task, module=amplified(1.0)),
        replace(small_task, module=amplified(2.0)),
        replace(small_task, metric=replace(ACCURACY, function=lambda y, output: 0.0)),
        replace(small_task, metric=replace(ACCURACY, function=lambda y, output: 1.0)),
        *(decayed(type(small_task), decay)(**vars(small_task)) for decay in (0, 10)),
    ]
    paths = [file_of(tmp_path, task).path for task in tasks]
    assert len(set(paths)) == len(paths)
    assert paths[0] == file_of(tmp_path, replace(small_task, module=amplified(1.0))).path


@pytest.mark.parametrize(
    ("attribute", "choices"),
    [("module", MODULES), ("criterion", CRITERIA), ("metric", METRICS)],
)
def test_tasks_that_train_differently_share_no_networks(tmp_path, small_task, attribute, choices):
    tasks = [replace(small_task, **{attribute: choice}) for choice in choices]
    paths = [file_of(tmp_path, task).path for task in tasks]
    assert len(set(paths)) == len(paths)
    assert paths == [file_of(tmp_path, pickle.loads(pickle.dumps(task))).path for task in tasks]


def test_code_is_told_by_its_digest_alone(tmp_path, small_task):
    assert (
        "return Quiet"
        not in file_of(tmp_path, replace(small_task, module=amplified(1.0))).description
    )
