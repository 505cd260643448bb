from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest

from lyapsk import AeLLERegressor, LyapunovSpectrumTransformer, demo
from lyapsk.demo import run_demo
from lyapsk.exceptions import InvalidInputError, NumericalError
from lyapsk.report import _evaluation, _study
from lyapsk.report._tables import as_text
from lyapsk.tasks import digits_by_pixels, make_population

N_NETWORKS = 12


def small_demo(out, **options):
    """A demo with one epoch on few images, and few epochs of the autoencoder."""
    options = {"n_networks": N_NETWORKS, "max_epochs": 1, "n_jobs": 1, **options}
    quick_aelle = partial(AeLLERegressor, max_epochs=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "digits_by_pixels", few_digits)
        patch.setattr(_study, "AeLLERegressor", quick_aelle)
        patch.setattr(_evaluation, "AeLLERegressor", quick_aelle)
        return run_demo(out, **options)


def few_digits(random_state):
    task = digits_by_pixels(random_state=random_state)
    few = {name: getattr(task, name)[:100] for name in ("X_train", "y_train", "X_valid", "y_valid")}
    return replace(task, **few)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("demo") / "made" / "by the demo"


@pytest.fixture(scope="module")
def outcome(out):
    return small_demo(out)


def test_spectra_are_those_of_the_untrained_networks(outcome):
    task = few_digits(random_state=0)
    untrained = make_population(task, N_NETWORKS, max_epochs=0, verbose=0).nets(epoch=0)
    transformer = LyapunovSpectrumTransformer(task.X_valid[: demo.N_SEQUENCES])
    for expected, spectrum in zip(
        transformer.fit(untrained).spectra(untrained), outcome.spectra, strict=True
    ):
        np.testing.assert_allclose(spectrum.exponents, expected.exponents, rtol=1e-9)


def test_number_of_processes_changes_nothing(outcome, tmp_path):
    parallel = small_demo(tmp_path, n_jobs=2)
    np.testing.assert_array_equal(parallel.loss, outcome.loss)
    np.testing.assert_allclose(parallel.latent, outcome.latent, atol=1e-4)
    assert as_text([parallel]) == as_text([outcome])


def test_seed_decides_the_files(outcome, out, tmp_path):
    small_demo(tmp_path / "same")
    small_demo(tmp_path / "other", seed=1)
    for path in out.iterdir():
        assert (tmp_path / "same" / path.name).read_bytes() == path.read_bytes()
        assert (tmp_path / "other" / path.name).read_bytes() != path.read_bytes()


def test_files_tell_of_every_network(outcome, out):
    results = pd.read_csv(out / "results.csv", index_col="network")
    assert list(results.index) == list(range(N_NETWORKS))
    assert list(results.architecture[:3]) == ["RNN", "GRU", "LSTM"]
    np.testing.assert_allclose(results.loss_final, outcome.training.loss_final)
    page = (out / "report.html").read_text()
    assert "12 recurrent networks (RNN, GRU and LSTM) were measured before any training" in page
    assert "digits by pixels, 64 steps" in page
    assert "1 epoch on 100 sequences" in page


def test_progress_is_silent_on_request(tmp_path, capsys):
    small_demo(tmp_path, verbose=0)
    assert capsys.readouterr() == ("", "")


def population_that_lost(task, n_networks, lost, **options):
    """A population in which some networks diverged."""
    population = make_population(task, n_networks, **options)
    for i in lost:
        population.networks[i].curves["valid_loss"][1:] = np.nan
    return population


@pytest.mark.parametrize("n_lost", [1, N_NETWORKS])
def test_diverged_networks(n_lost, tmp_path, monkeypatch):
    lost = partial(population_that_lost, lost=range(n_lost))
    monkeypatch.setattr(demo, "make_population", lost)
    if n_lost == N_NETWORKS:
        with pytest.raises(NumericalError, match="12 of 12 networks diverged, and 10 are needed"):
            small_demo(tmp_path)
        assert list(tmp_path.iterdir()) == []
    else:
        assert small_demo(tmp_path).used.tolist() == list(range(1, N_NETWORKS))
        assert "networks that diverged</dt><dd>1<" in (tmp_path / "report.html").read_text()


def test_too_few_networks_are_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="n_networks=9: take at least 10"):
        run_demo(tmp_path / "new", n_networks=9)
    assert not (tmp_path / "new").exists()
