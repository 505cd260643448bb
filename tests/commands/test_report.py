"""``python -m lyapsk report``."""

import sys
from functools import partial

import numpy as np
import pandas as pd
import pytest

from lyapsk import AeLLERegressor
from lyapsk.report import _evaluation, _study
from lyapsk.tasks import digits_by_rows, four_sines, make_population


@pytest.fixture(autouse=True)
def _quick_aelle(monkeypatch):
    for room in (_study, _evaluation):
        monkeypatch.setattr(room, "AeLLERegressor", partial(AeLLERegressor, max_epochs=5))


def quick(task, directory, n_networks=10, **options):
    defaults = {"max_epochs": 2, "checkpoints": (0, 1), "hidden_sizes": (3, 6), "verbose": 0}
    return make_population(task, n_networks, directory=directory, **(defaults | options))


@pytest.fixture(scope="module")
def population(tmp_path_factory):
    directory = tmp_path_factory.mktemp("population")
    quick(digits_by_rows(), directory)
    return directory


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A directory of their own for what commands write."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_prints_a_table_and_writes_a_page(run, population, here):
    code, out, err = run("report", population, "--jobs", 1, "--sequences", 2)
    assert code == 0
    assert out.splitlines()[0].split() == ["predictor", "R2", "Spearman"]
    assert len(out.splitlines()) == 5
    assert "the report is report-output/report.html" in err
    page = (here / "report-output" / "report.html").read_text()
    assert "before training, along 2 validation sequences" in page
    assert "With fewer than 30 networks these scores are guesses." in err
    assert "With fewer than 30 networks these scores are guesses." in page


def test_epoch_and_quiet_and_out(run, population, here):
    code, out, err = run(
        "report", population, "--epoch", 1, "--out", "new/own", "--quiet", "--jobs", 1
    )
    assert (code, err) == (0, "")
    assert "loss after 1 epoch" in out
    assert "Spectra after 1 epoch" in (here / "new" / "own" / "report.html").read_text()


def test_the_seed_draws_the_folds(run, population, here):
    for seed in (0, 1, 0):
        run("report", population, "--seed", seed, "--out", f"own-{seed}", "--jobs", 1, "--quiet")
        scores = here / f"own-{seed}" / "scores.csv"
        scores.rename(here / f"{len(list(here.glob('*.csv')))}.csv")
    first, other, again = (pd.read_csv(here / f"{i}.csv") for i in range(3))
    pd.testing.assert_frame_equal(first, again)
    assert (first.r2 != other.r2).all()


def test_several_tasks_and_what_is_left_out(run, population, here):
    task = four_sines(n_train=64, n_valid=16)
    directory = here / "population"
    quick(digits_by_rows(), directory)
    quick(task, directory)
    quick(digits_by_rows(random_state=4), directory, 3)
    sines = directory, "--jobs", 1, "--seed", 4
    code, out, err = run("report", *sines)
    assert code == 0
    assert "left out four sines: its data are not kept" in err
    assert (
        "left out digits by rows (2 epochs), no. 2: 0 of 3 networks diverged, and 10 are needed"
        in err
    )
    assert len(out.splitlines()) == 5
    assert "Left out" in (here / "report-output" / "report.html").read_text()


def test_own_sequences(run, here):
    task = four_sines(n_train=64, n_valid=16)
    quick(task, here / "population")
    np.save("x.npy", task.X_valid[:3])
    code, _, err = run("report", "population", "--jobs", 1)
    assert code == 1
    assert "Give driving sequences with --data" in err
    assert len(err.splitlines()) == 1
    assert run("report", "population", "--jobs", 1, "--data", "x.npy")[0] == 0
    page = (here / "report-output" / "report.html").read_text()
    assert "along 3 sequences that were given" in page
    table = pd.read_csv(here / "report-output" / "results.csv")
    assert list(table.columns[-5:]) == [
        "nrmse_final",
        *(f"log_loss_by_{name}" for name in ("always_the_mean", "loss_before_training")),
        *(f"log_loss_by_spectrum_with_{name}" for name in ("ridge", "AeLLE")),
    ]


@pytest.mark.filterwarnings("ignore::lyapsk.exceptions.LyapskWarning")
def test_sequences_that_do_not_fit_are_an_error(run, population, here):
    np.save("x.npy", np.zeros((2, 9, 3)))
    code, out, err = run("report", population, "--jobs", 1, "--data", "x.npy", "--quiet")
    assert (code, out) == (1, "")
    assert "the spectra of 10 of 10 networks could not be taken" in err


def test_own_modules(run, here, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    (here / "own_nets.py").write_text(
        "from lyapsk.tasks import SequenceNetwork\n"
        "class Own(SequenceNetwork):\n"
        "    def __init__(self, **sizes):\n"
        "        super().__init__(n_inputs=8, n_outputs=10, **sizes)\n"
    )
    sys.path.insert(0, str(here))
    from dataclasses import replace
    from importlib import import_module

    own = import_module("own_nets").Own
    quick(replace(digits_by_rows(), module=own), here / "population")
    code, _, err = run("report", "population", "--jobs", 1)
    assert code == 1
    assert "its module is Own, not of lyapsk.tasks" in err
    assert run("report", "population", "--jobs", 1, "--module", "own_nets:Own")[0] == 0


def test_refusals(run, population, here):
    (here / "empty").mkdir()
    np.save("flat.npy", 3.0)
    for arguments, message in [
        (["gone"], "gone: there is no such directory"),
        (["empty"], "empty holds no trained network"),
        ([population, "--epoch", 2], "epoch 2 was asked for, of which no weights were kept"),
        ([population, "--data", "gone.npy"], "gone.npy: there is no such file"),
        ([population, "--data", "flat.npy"], "flat.npy: its array has shape (). It must be"),
        ([population, "--module", "gone:make"], "importing gone failed"),
    ]:
        code, out, err = run("report", *arguments)
        assert (code, out) == (1, "")
        assert message in err
        assert len(err.splitlines()) == 1
        assert not (here / "report-output").exists()
    with pytest.raises(SystemExit, match=r"^2$"):
        run("report", population, "--epoch", "-1")


def test_missing_matplotlib_is_told_before_anything_is_done(run, population, here, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, _, err = run("report", population)
    assert code == 1
    assert 'pip install "lyapsk[plots]"' in err
    assert not (here / "report-output").exists()
