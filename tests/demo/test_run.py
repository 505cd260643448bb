import re
from dataclasses import replace
from functools import partial
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from lyapsk import AeLLERegressor, LyapunovSpectrumTransformer
from lyapsk.demo import _evaluation, _run
from lyapsk.demo._outcome import Outcome
from lyapsk.demo._run import run_demo
from lyapsk.demo._tables import as_text, prediction_column
from lyapsk.exceptions import InvalidInputError, NumericalError
from lyapsk.tasks import digits_by_pixels, make_population

N_NETWORKS = 12


def small_demo(out, **options):
    """A demo with one epoch on few images, and few epochs of the autoencoder."""
    options = {"n_networks": N_NETWORKS, "max_epochs": 1, "n_jobs": 1, **options}
    quick_aelle = partial(AeLLERegressor, max_epochs=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_run, "digits_by_pixels", few_digits)
        patch.setattr(_run, "AeLLERegressor", quick_aelle)
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


@pytest.fixture(scope="module")
def page(outcome, out):
    return (out / "report.html").read_text()


def test_files(outcome, out):
    names = {path.name for path in out.iterdir()}
    assert names == {"report.html", "overview.png", "results.csv", "spectra.csv", "scores.csv"}


def test_spectra_are_those_of_the_untrained_networks(outcome):
    task = few_digits(random_state=0)
    untrained = make_population(task, N_NETWORKS, max_epochs=0, verbose=0).nets(epoch=0)
    transformer = LyapunovSpectrumTransformer(task.X_valid[: _run.N_SEQUENCES])
    for expected, spectrum in zip(
        transformer.fit(untrained).spectra(untrained), outcome.spectra, strict=True
    ):
        np.testing.assert_allclose(spectrum, expected.exponents, rtol=1e-9)


def test_number_of_processes_changes_nothing(outcome, tmp_path):
    parallel = small_demo(tmp_path, n_jobs=2)
    np.testing.assert_array_equal(parallel.loss_final, outcome.loss_final)
    np.testing.assert_allclose(parallel.latent, outcome.latent, atol=1e-4)
    for one, other in zip(outcome.scores, parallel.scores, strict=True):
        np.testing.assert_allclose(one.out_of_fold, other.out_of_fold, atol=1e-4)
    assert as_text(parallel.scores) == as_text(outcome.scores)


def test_seed_decides_the_files(outcome, out, tmp_path):
    small_demo(tmp_path / "same")
    small_demo(tmp_path / "other", seed=1)
    for path in out.iterdir():
        assert (tmp_path / "same" / path.name).read_bytes() == path.read_bytes()
        assert (tmp_path / "other" / path.name).read_bytes() != path.read_bytes()


def test_results_file(outcome, out):
    results = pd.read_csv(out / "results.csv", index_col="network")
    assert list(results.index) == list(range(N_NETWORKS))
    assert list(results.architecture[:3]) == ["RNN", "GRU", "LSTM"]
    np.testing.assert_allclose(results.loss_final, outcome.loss_final)
    for score in outcome.scores:
        predicted = results[prediction_column(score)]
        np.testing.assert_allclose(predicted, score.out_of_fold.mean(axis=0))


def test_spectra_file(outcome, out):
    spectra = pd.read_csv(out / "spectra.csv", index_col="network")
    for (_, row), spectrum in zip(spectra.iterrows(), outcome.spectra, strict=True):
        np.testing.assert_allclose(row.dropna(), spectrum)


def test_scores_file(outcome, out):
    scores = pd.read_csv(out / "scores.csv")
    np.testing.assert_allclose(scores.r2, [score.r2 for score in outcome.scores])
    assert np.isnan(scores.spearman[0])


class References(HTMLParser):
    """All that a browser would fetch or show in place of a picture."""

    def __init__(self, page):
        super().__init__()
        self.sources, self.texts, self.tags = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        self.sources += [attributes[name] for name in ("src", "href") if name in attributes]
        if tag == "img":
            self.texts.append(attributes.get("alt"))


def test_report_refers_to_nothing_outside_itself(page):
    references = References(page)
    assert len(references.sources) == 4
    assert all(source.startswith("data:image/png;base64,") for source in references.sources)
    assert not {"script", "link", "iframe"} & set(references.tags)
    assert not any(word in page for word in ("http:", "https:", "url(", "@import"))


def test_report_is_readable_without_pictures_and_on_a_phone(page):
    assert all(len(text) > 15 for text in References(page).texts)
    assert 'name="viewport"' in page
    assert re.search(r"img {[^}]*max-width: min\(100%", page)


def test_report_holds_the_table(page, outcome):
    for score in outcome.scores:
        assert f'<th scope="row">{score.predictor}</th><td>{score.r2:.2f}</td>' in page


def population_that_lost(task, n_networks, lost, **options):
    """A population in which some networks diverged."""
    population = make_population(task, n_networks, **options)
    for i in lost:
        population.networks[i].curves["valid_loss"][1:] = np.nan
    return population


def test_diverged_networks_do_not_lose_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(_run, "make_population", partial(population_that_lost, lost=[4]))
    small_demo(tmp_path)
    results = pd.read_csv(tmp_path / "results.csv")
    diverged = np.arange(N_NETWORKS) == 4
    np.testing.assert_array_equal(results.loss_final.isna(), diverged)
    np.testing.assert_array_equal(results["log_loss_by_spectrum_with_AeLLE"].isna(), diverged)
    assert len(pd.read_csv(tmp_path / "spectra.csv")) == N_NETWORKS
    assert (
        f"networks that diverged</dt><dd>{diverged.sum()}<"
        in (tmp_path / "report.html").read_text()
    )


def test_too_many_diverged_networks_are_an_error(tmp_path, monkeypatch):
    lost = partial(population_that_lost, lost=range(N_NETWORKS))
    monkeypatch.setattr(_run, "make_population", lost)
    with pytest.raises(NumericalError, match="12 of 12 networks diverged, and 10 are needed"):
        small_demo(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_too_few_networks_are_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="n_networks=9: take at least 10"):
        run_demo(tmp_path / "new", n_networks=9)
    assert not (tmp_path / "new").exists()


def test_outcome_knows_who_finished():
    outcome = Outcome([], [], None, np.array([1, np.nan, 2, np.inf]), [], None, {})
    np.testing.assert_array_equal(outcome.finished, [0, 2])
