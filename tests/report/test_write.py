import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from lyapsk.report._figures import _losses
from lyapsk.report._html import _middle_half, render
from lyapsk.report._study import study
from lyapsk.report._tables import as_text, prediction_column
from lyapsk.report._training import Training
from lyapsk.report._write import write_report


@pytest.fixture(scope="module")
def outcomes(quick, digits, own_task):
    """Of two tasks with other layers; on the second, losses are told as they are."""
    one = Training.of_population(digits, 0, 2)
    kinds = ("LRU", "CoRNN", "RNN", "GRU", "LSTM", "MinGRU", "IndRNN", "RateRNN")
    sines = quick(own_task, 10, kinds=kinds)
    other = Training.of_population(sines, 1, 2)
    curves = one.losses.copy()
    curves[4, 1:] = np.nan
    one = replace(one, losses=curves, title='digits & "rows"')
    other = replace(other, losses=other.losses - 5)
    return [study(training, verbose=0) for training in (one, other)]


@pytest.fixture(scope="module")
def out(outcomes, tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    write_report(outcomes, out, 3, left_out=["2 files <damaged>"])
    return out


@pytest.fixture(scope="module")
def page(out):
    return (out / "report.html").read_text()


def test_files(out):
    names = {path.name for path in out.iterdir()}
    assert names == {"report.html", "overview.png", "results.csv", "spectra.csv", "scores.csv"}


def test_results_file(outcomes, out):
    results = pd.read_csv(out / "results.csv")
    assert len(results) == 21
    for outcome, (_, rows) in zip(outcomes, results.groupby("task", sort=False), strict=True):
        training = outcome.training
        np.testing.assert_allclose(rows.loss_final, training.loss_final)
        assert list(rows.architecture) == [recipe.kind for recipe in training.recipes]
        for score in outcome.scores:
            column = rows[prediction_column(outcome, score)]
            np.testing.assert_allclose(column.iloc[outcome.used], score.mean)
            assert column.notna().sum() == len(outcome.used)
    assert results.accuracy_final.notna().sum() == 11
    assert results.nrmse_final.notna().sum() == 10
    assert results.loss_after_1_epochs.notna().sum() == 10


def test_spectra_file(outcomes, out):
    spectra = pd.read_csv(out / "spectra.csv").drop(columns=["task", "network"])
    expected = [spectrum.exponents for outcome in outcomes for spectrum in outcome.spectra]
    for (_, row), exponents in zip(spectra.iterrows(), expected, strict=True):
        np.testing.assert_allclose(row.dropna(), exponents)


def test_scores_file_and_text(outcomes, out):
    scores = pd.read_csv(out / "scores.csv")
    told = [score for outcome in outcomes for score in outcome.scores]
    np.testing.assert_allclose(scores.r2, [score.r2 for score in told])
    lines = as_text(outcomes).splitlines()
    assert lines[0] == 'digits & "rows", 10 networks'
    assert lines[1].split() == ["predictor", "R2", "Spearman"]
    assert lines[2].split()[-1] == "-"
    assert lines[4].split()[-2:] == [f"{told[2].r2:.2f}", f"{told[2].spearman:.2f}"]
    assert as_text(outcomes[:1]).splitlines()[0].split() == ["predictor", "R2", "Spearman"]


class References(HTMLParser):
    """All that a browser would fetch or show in place of a picture, and the headings."""

    def __init__(self, page):
        super().__init__()
        self.sources, self.texts, self.tags, self.open = [], [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        self.sources += [attributes[name] for name in ("src", "href") if name in attributes]
        if tag == "img":
            self.texts.append(attributes.get("alt"))
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_page_refers_to_nothing_outside_itself(page):
    references = References(page)
    assert len(references.sources) == 8
    assert all(source.startswith("data:image/png;base64,") for source in references.sources)
    assert not {"script", "link", "iframe"} & set(references.tags)
    text = re.sub(r"base64,[^\"]*", "", page)
    assert not any(word in text for word in ("http:", "https:", "url(", "@import"))


def test_page_is_readable_without_pictures_and_on_a_phone(page):
    assert all(len(text) > 15 for text in References(page).texts)
    assert '<html lang="en">' in page
    assert 'name="viewport"' in page
    assert re.search(r"img {[^}]*max-width: min\(100%", page)
    assert page.count("<caption>") == page.count("<table>") == 2


@pytest.mark.parametrize("n", [1, 2])
def test_headings_never_skip_a_level(outcomes, n):
    page = render(outcomes[:n], 0).decode()
    levels = [int(tag[1]) for tag in References(page).tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_page_holds_the_tables_and_what_was_left_out(page, outcomes):
    for outcome in outcomes:
        for score in outcome.scores:
            assert f'<th scope="row">{score.predictor}</th><td>{score.r2:.2f}</td>' in page
    assert "<li>2 files &lt;damaged&gt;</li>" in page
    assert "Left out" not in render(outcomes, 0).decode()


def test_words_follow_from_the_data(outcomes):
    digits, sines = (render([outcome], 3).decode() for outcome in outcomes)
    assert "11 recurrent networks (RNN, GRU and LSTM) were measured before any training" in digits
    assert "on the task: digits by rows" in digits
    assert "digits &amp; &quot;rows&quot;" in digits
    assert "differences in the log of the loss after training" in digits
    assert "networks that diverged</dt><dd>1<" in digits
    assert "accuracy after training</dt>" in digits
    assert "8 steps" in digits
    assert "10 networks, 5-fold" in digits
    assert "were measured after 1 epoch, and trained for 2 epochs" in sines
    assert "LRU, CoRNN, RNN, GRU, LSTM, MinGRU, IndRNN and RateRNN" in sines
    assert "Predicting the loss after training" in sines
    assert "nrmse after training</dt>" in sines
    assert "loss MSELoss" in sines
    assert "loss after 1 epoch</th>" in sines
    assert "handwritten" not in digits + sines


def test_names_of_any_kind_are_shown_as_they_are(outcomes, tmp_path):
    hostile = [r"<script>alert(1)</script> $\bad$", 'a"b & $x']
    renamed = []
    for outcome, name in zip(outcomes, hostile, strict=True):
        recipes = [replace(recipe, kind=name) for recipe in outcome.training.recipes]
        names = {"title": name, "task": name, "metric": name, "criterion": name}
        training = replace(outcome.training, recipes=recipes, driven_by=name, **names)
        renamed.append(replace(outcome, training=training))
    write_report(renamed, tmp_path, 0)
    page = (tmp_path / "report.html").read_text()
    tags = References(page).tags
    assert not {"script", "x"} & set(tags)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; $\\bad$" in page
    assert hostile[0] in set(pd.read_csv(tmp_path / "results.csv").architecture)


def test_words_tell_where_good_and_bad_networks_lie(outcomes):
    outcome = outcomes[1]
    n = len(outcome.used)
    rank = np.random.default_rng(0).permutation(n)
    losses = outcome.training.losses.copy()
    losses[outcome.used, -1] = rank
    spectra = list(outcome.spectra)
    for index, own in zip(outcome.used, rank, strict=True):
        spectra[index] = replace(spectra[index], exponents=np.array([own / 10, -5.0]))
    training = replace(outcome.training, losses=losses)
    page = render([replace(outcome, spectra=spectra, training=training)], 0).decode()
    assert n == 10
    assert "best quarter have their largest exponent between 0.00 and 0.10 nats" in page
    assert "worst quarter between 0.80 and 0.90." in page


@pytest.mark.parametrize(
    ("n", "half"), [(4, "1.00 and 2.00"), (5, "1.00 and 3.00"), (8, "2.00 and 5.00")]
)
def test_the_middle_half_holds_half(n, half):
    assert _middle_half(np.arange(n)) == half
    dead = np.append(np.full(n, -np.inf), np.arange(n))
    assert "nan" not in _middle_half(dead)


def test_networks_whose_directions_all_die_are_drawn(outcomes, tmp_path):
    outcome = outcomes[0]
    dead = [replace(s, exponents=np.full_like(s.exponents, -np.inf)) for s in outcome.spectra]
    write_report([replace(outcome, spectra=dead)], tmp_path, 0)
    page = (tmp_path / "report.html").read_text()
    assert "between -inf and -inf nats" in page


@pytest.mark.parametrize(
    ("low", "high"), [(0.0096, 0.033), (0.6, 0.61), (0.3, 2.2), (1e-7, 3.0), (1e-12, 1e9)]
)
def test_marks_are_round_and_few(low, high):
    ticks = _losses(np.log(low), np.log(high))
    assert 2 <= len(ticks) <= 9
    assert (ticks >= low).all()
    assert (ticks <= high).all()
