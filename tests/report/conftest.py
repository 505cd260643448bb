from functools import partial
from pathlib import Path
from shutil import copytree

import pytest

from lyapsk import AeLLERegressor
from lyapsk.report import _evaluation, _study
from lyapsk.tasks import digits_by_rows, four_sines, make_population


@pytest.fixture(scope="session")
def quick():
    """Makes small populations, quickly trained."""

    def quick(task, n_networks=11, **options):
        defaults = {"max_epochs": 2, "checkpoints": (0, 1), "hidden_sizes": (3, 6), "verbose": 0}
        return make_population(task, n_networks, **(defaults | options))

    return quick


@pytest.fixture(scope="module", autouse=True)
def _quick_aelle():
    """Few epochs of the autoencoder."""
    with pytest.MonkeyPatch.context() as patch:
        for room in (_study, _evaluation):
            patch.setattr(room, "AeLLERegressor", partial(AeLLERegressor, max_epochs=5))
        yield


@pytest.fixture(scope="session")
def digits(quick):
    """A population of a task of lyapsk."""
    return quick(digits_by_rows())


@pytest.fixture(scope="session")
def _written(quick, tmp_path_factory):
    directory = tmp_path_factory.mktemp("population")
    quick(digits_by_rows(), directory=directory)
    return directory


@pytest.fixture
def directory(_written, tmp_path):
    """The same on disk."""
    return Path(copytree(_written, tmp_path / "population"))


@pytest.fixture(scope="session")
def own_task():
    """A task whose data lyapsk cannot make again."""
    return four_sines(n_train=64, n_valid=16)
