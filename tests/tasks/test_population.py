import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from lyapsk import LyapunovSpectrumTransformer
from lyapsk.exceptions import InvalidInputError, InvalidTypeError, LyapskWarning, NumericalError
from lyapsk.tasks import NRMSE, digits_by_rows, four_sines, make_population
from lyapsk.tasks import _population as room

CURVES = ("train_loss", "valid_loss", "accuracy")


def quick(task, n_networks=4, **options):
    defaults = {"max_epochs": 2, "checkpoints": (0, 2), "hidden_sizes": (4, 8), "verbose": 0}
    return make_population(task, n_networks, **(defaults | options))


def assert_same(one, other, n_networks=None):
    """The first networks of two populations are the same to the last bit."""
    assert one.recipes[:n_networks] == other.recipes[:n_networks]
    for name in CURVES:
        curves = (p.learning_curves[name][:n_networks] for p in (one, other))
        np.testing.assert_array_equal(*curves)
    for epoch in (0, 2):
        for net, twin in list(zip(one.nets(epoch), other.nets(epoch), strict=False))[:n_networks]:
            for name, tensor in net.module_.state_dict().items():
                assert torch.equal(tensor, twin.module_.state_dict()[name])


@pytest.fixture
def trained(monkeypatch):
    """The recipes that are trained from here on."""
    recipes, train = [], room.train_network

    def counting(task, recipe, *settings):
        recipes.append(recipe)
        return train(task, recipe, *settings)

    monkeypatch.setattr(room, "train_network", counting)
    return recipes


@pytest.fixture(scope="module")
def population(small_task):
    return quick(small_task)


def test_arrays_have_one_row_for_each_network(population):
    assert len(population) == 4
    assert population.losses.shape == population.metrics.shape == (4, 3)
    assert set(population.learning_curves) == set(CURVES)
    np.testing.assert_array_equal(population.final_loss, population.losses[:, 2])
    assert population.finished.all()
    assert (population.final_loss < population.losses[:, 0]).all()


@pytest.mark.parametrize("epoch", [0, 2])
def test_nets_are_those_of_the_checkpoint(population, small_task, epoch):
    y = torch.as_tensor(small_task.y_valid)
    for i, net in enumerate(population.nets(epoch)):
        loss = net.criterion_(net.forward(small_task.X_valid), y).item()
        assert loss == pytest.approx(population.losses[i, epoch], rel=1e-5)
        assert [row["epoch"] for row in net.history] == list(range(1, epoch + 1))
        if epoch:
            np.testing.assert_array_equal(
                net.history[:, "valid_loss"], population.losses[i, 1 : epoch + 1]
            )


def test_nets_go_into_a_transformer_and_on_with_training(population, small_task):
    nets = population.nets(2)
    transformer = LyapunovSpectrumTransformer(small_task.X_valid[:2])
    assert np.isfinite(transformer.fit_transform(nets)).all()
    net = nets[0].set_params(max_epochs=1)
    with torch.random.fork_rng():
        net.partial_fit(small_task.X_train, small_task.y_train)
    assert net.history[:, "epoch"] == [1, 2, 3]
    assert all(duration > 0 for duration in net.history[:, "dur"])


def test_hyper_parameters_are_numbers_with_names(small_task):
    population = quick(small_task, max_epochs=0, checkpoints=0, learning_rates=(0.001, 0.1))
    values, names = population.hyper_parameters()
    assert names[:3] == ["kind_RNN", "kind_GRU", "kind_LSTM"]
    np.testing.assert_array_equal(values[:, :3], np.eye(3)[[0, 1, 2, 0]])
    for row, recipe in zip(values, population.recipes, strict=True):
        expected = recipe.hidden_size, recipe.half_width, recipe.learning_rate
        np.testing.assert_allclose(np.exp(row[3:]), expected)


def test_layers_of_our_own_join_populations(small_task):
    population = quick(small_task, kinds=("LRU", "CoRNN"), max_epochs=1, checkpoints=(0, 1))
    values, names = population.hyper_parameters()
    assert names[:2] == ["kind_LRU", "kind_CoRNN"]
    assert LyapunovSpectrumTransformer(small_task.X_valid[:2]).fit_transform(
        population.nets(1)
    ).shape == (len(values), 90)


def test_regression_at_every_step():
    task = four_sines(n_train=64, n_valid=16)
    population = quick(task, 2)
    assert task.metric == NRMSE
    assert population.metrics.shape == (2, 3)
    mse = population.losses[:, 2] / np.var(task.y_valid)
    np.testing.assert_allclose(population.metrics[:, 2], np.sqrt(mse), rtol=1e-5)


def test_number_of_processes_changes_nothing(population, small_task):
    assert_same(quick(small_task, n_jobs=2), population)


def test_global_generators_are_left_alone(small_task):
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    quick(small_task, 1).nets(0)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])


@pytest.mark.parametrize(("verbose", "shown"), [(0, ""), (1, "training networks: 100%")])
def test_progress_is_silent_on_request(small_task, verbose, shown, capsys):
    quick(small_task, 1, verbose=verbose)
    err = capsys.readouterr().err
    assert shown in err
    assert bool(err) == bool(verbose)


def test_directory_gives_the_same_and_trains_nothing_twice(
    population, small_task, tmp_path, trained
):
    for directory in (tmp_path / "new", str(tmp_path / "new")):
        assert_same(quick(small_task, directory=directory), population)
        assert trained == population.recipes
    assert len(list((tmp_path / "new").iterdir())) == 4


def test_populations_grow(population, small_task, tmp_path, trained):
    quick(small_task, 2, directory=tmp_path)
    grown = quick(small_task, 4, directory=tmp_path)
    assert trained == population.recipes
    assert_same(grown, population)
    assert_same(quick(small_task, 3, directory=tmp_path), population, n_networks=3)
    assert len(trained) == 4


def test_other_settings_share_a_directory_and_never_mix(population, small_task, tmp_path):
    quick(small_task, directory=tmp_path)
    quick(small_task, directory=tmp_path, max_epochs=3)
    quick(small_task, directory=tmp_path, learning_rates=0.1)
    quick(digits_by_rows(valid_size=0.9, random_state=1), directory=tmp_path)
    assert len(list(tmp_path.iterdir())) == 16
    assert_same(quick(small_task, directory=tmp_path), population)


def test_damaged_file_is_told_and_made_anew(population, small_task, tmp_path, trained):
    quick(small_task, directory=tmp_path)
    path = sorted(tmp_path.iterdir())[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-50])
    trained.clear()
    with pytest.warns(LyapskWarning, match=f"{path.name} is damaged"):
        assert_same(quick(small_task, directory=tmp_path), population)
    assert len(trained) == 1
    assert len(path.read_bytes()) == len(whole)


def test_killed_run_goes_on_where_it_was(population, small_task, tmp_path, trained):
    code = (
        "import time; from lyapsk.tasks import digits_by_rows, make_population, _population\n"
        "train = _population.train_network\n"
        "def slowly(task, recipe, *settings):\n"
        "    time.sleep(0.3)\n"
        "    return train(task, recipe, *settings)\n"
        "_population.train_network = slowly\n"
        "make_population(digits_by_rows(valid_size=0.9), 40, max_epochs=2, checkpoints=(0, 2),\n"
        f"    hidden_sizes=(4, 8), directory={str(tmp_path)!r}, n_jobs=1)"
    )
    run = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("*.safetensors"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    n_kept = len(list(tmp_path.glob("*.safetensors")))
    assert 2 <= n_kept < 4
    assert_same(quick(small_task, directory=tmp_path), population)
    assert trained == population.recipes[n_kept:]


def test_interrupted_processes_leave_what_they_finished(population, small_task, tmp_path, trained):
    """A network that cannot be trained stops the run; the others are kept."""
    *_, last = population.recipes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "train_network", _all_but(last, room.train_network))
        with pytest.raises(NumericalError, match="ZeroDivisionError"):
            quick(small_task, directory=tmp_path)
    assert_same(quick(small_task, directory=tmp_path), population)
    assert trained == population.recipes


def _all_but(lost, train):
    def fail(task, recipe, *settings):
        return 1 / 0 if recipe == lost else train(task, recipe, *settings)

    return fail


def test_diverged_network_is_told_and_does_not_lose_the_others(tmp_path):
    """Steps that are far too long drive the squared error beyond single precision."""
    task = four_sines(n_train=64, n_valid=16)
    options = {"learning_rates": (1e-3, 1e37), "directory": tmp_path}
    with pytest.warns(LyapskWarning, match=r"\d of 8 networks diverged: \d.* `finished` tells"):
        population = quick(task, 8, **options)
    assert 0 < population.finished.sum() < 8
    assert np.isfinite(population.final_loss[population.finished]).all()
    assert np.isfinite(population.losses[:, 0]).all()
    with pytest.warns(LyapskWarning, match="diverged"):
        again = quick(task, 8, **options)
    np.testing.assert_array_equal(again.losses, population.losses)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_networks": 0}, "n_networks: got 0"),
        ({"half_widths": (2, 1)}, r"half_widths: got \(2, 1\)"),
        ({"max_epochs": -1}, "max_epochs: got -1. It must be a whole number of at least 0"),
        ({"checkpoints": (0, 3)}, r"checkpoints: got \(0, 3\). None can be above max_epochs=2"),
        ({"checkpoints": -1}, "checkpoints: got -1"),
        ({"checkpoints": (0.5,)}, "checkpoints: got 0.5"),
    ],
)
def test_bad_input_is_refused_before_anything_is_done(small_task, options, message, tmp_path):
    with pytest.raises(InvalidInputError, match=message):
        quick(small_task, **options, directory=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_function_in_place_of_its_task_is_refused():
    with pytest.raises(InvalidTypeError, match=r"task: got function. It must be a SequenceTask"):
        make_population(digits_by_rows, 3)


def test_directory_that_cannot_be_made_is_told(small_task):
    with pytest.raises(OSError, match=r"directory: .* cannot be made or written to"):
        quick(small_task, directory=f"{__file__}/below")


def test_epoch_that_was_not_kept_is_refused(population):
    with pytest.raises(InvalidInputError, match=r"epoch: got 1. Weights were kept at 0, 2: ask"):
        population.nets(1)


def test_metrics_have_names_of_their_own(small_task):
    task = replace(small_task, metric=replace(small_task.metric, name="valid_loss"))
    with pytest.raises(InvalidInputError, match="metric is named 'valid_loss'"):
        make_population(task, 3, verbose=0)


def failing(kind, hidden_size, half_width):
    raise RuntimeError("no such module")


def test_a_network_that_fails_is_named(small_task):
    with pytest.raises(NumericalError, match=r"Recipe\(.*RuntimeError: no such module"):
        make_population(replace(small_task, module=failing), 3, verbose=0)
