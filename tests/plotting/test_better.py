import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline, make_union

from lyapsk import AeLLERegressor, LyapunovSpectrumTransformer
from lyapsk.exceptions import InvalidInputError, InvalidTypeError
from lyapsk.plotting import BetterSpectrumDisplay

RNG = np.random.default_rng(0)
DECAY, RANK = RNG.uniform(0.2, 2, size=(60, 1)), np.linspace(0, 1, 12)
SPECTRA, LOSS = -DECAY * RANK, np.abs(DECAY[:, 0] - 1)

draw = BetterSpectrumDisplay.from_predictions


@pytest.fixture(scope="module")
def aelle():
    return AeLLERegressor(max_epochs=40, random_state=0).fit(SPECTRA, LOSS)


def test_decoded_spectra_take_the_colour_of_their_predictions(improvement, ax):
    display = draw(improvement, value_name="Loss (nats)", ax=ax)
    for line, row in zip(display.lines_.get_segments(), improvement.rows, strict=True):
        np.testing.assert_array_equal(line, np.c_[[0, 1 / 3, 2 / 3, 1], row])
    np.testing.assert_array_equal(display.lines_.get_array(), [0.9, 0.7, 0.6])
    np.testing.assert_array_equal(display.start_.get_ydata(), improvement.start)
    assert display.colorbar_.ax.get_ylabel() == "Loss (nats)"
    assert ax.get_title() == "Predicted: from 0.9 to 0.6 ± 0.2"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["as it is"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "Relative rank of the exponent",
        "Exponent (nats per step)",
    )
    assert display.ax_ is ax


def test_columns_choose_the_exponents(improvement, ax):
    display = draw(improvement, columns=(1, 3), ax=ax)
    segments = [line[:, 1] for line in display.lines_.get_segments()]
    np.testing.assert_array_equal(segments, improvement.rows[:, [1, 3]])
    np.testing.assert_array_equal(display.start_.get_data(), [[0, 1], [-0.2, -2]])


def test_bare_spectra_are_drawn_whole(aelle, ax):
    display = BetterSpectrumDisplay.from_estimator(
        *(aelle, SPECTRA[:1]), larger_is_better=False, n_steps=3, reach=0.5, ax=ax
    )
    expected = aelle.improve(SPECTRA[:1], larger_is_better=False, n_steps=3, reach=0.5)
    np.testing.assert_array_equal(display.improvement.codes, expected.codes)
    np.testing.assert_array_equal(display.lines_.get_array(), expected.predictions)
    np.testing.assert_array_equal(display.start_.get_ydata(), SPECTRA[0])


def test_the_best_spectrum_is_nearer_to_those_that_are_truly_best(aelle, ax):
    worst = SPECTRA[[np.argmax(DECAY)]]
    display = BetterSpectrumDisplay.from_estimator(aelle, worst, larger_is_better=False, ax=ax)
    first, *_, last = (line[:, 1] for line in display.lines_.get_segments())
    assert np.abs(last + RANK).max() < 0.6 * np.abs(first + RANK).max()


@pytest.mark.parametrize("first", [[], ["union"]])
def test_of_networks_the_quantiles_are_drawn(first, ax):
    networks = [torch.nn.GRU(1, size) for size in [3, 4, 5, 6, 7, 8, 9] * 2]
    spectra = LyapunovSpectrumTransformer(torch.randn(2, 12, 1), n_points=5)
    before = make_union(spectra) if first else spectra
    pipe = make_pipeline(before, AeLLERegressor(2, max_epochs=2, random_state=0))
    pipe.fit(networks, RNG.normal(size=14))
    display = BetterSpectrumDisplay.from_estimator(pipe, networks[:2], larger_is_better=True, ax=ax)
    rows = spectra.fit(networks).transform(networks[:2])
    assert rows.shape[1] > 5
    np.testing.assert_allclose(display.start_.get_ydata(), rows[:, :5].mean(axis=0))


def test_named_columns_of_a_table_are_found(ax):
    names = [f"quantile_{i:02d}" for i in range(12)]
    table = pd.DataFrame(SPECTRA, columns=names).assign(change_quantile_00=LOSS, size=1.0)
    table = table[["size", *names, "change_quantile_00"]]
    aelle = AeLLERegressor(2, max_epochs=2, random_state=0).fit(table, LOSS)
    display = BetterSpectrumDisplay.from_estimator(aelle, table[:1], larger_is_better=False, ax=ax)
    assert display.columns == list(range(1, 13))
    chosen = BetterSpectrumDisplay.from_estimator(
        *(aelle, table[:1]), larger_is_better=False, columns=range(1, 4), ax=ax
    )
    assert len(chosen.start_.get_ydata()) == 3
    odd = table.rename(columns=lambda name: f"my_{name}")
    aelle = AeLLERegressor(2, max_epochs=2, random_state=0).fit(odd, LOSS)
    with pytest.raises(InvalidInputError, match="columns: got None, but none of the 14 is called"):
        BetterSpectrumDisplay.from_estimator(aelle, odd[:1], larger_is_better=False, ax=ax)


def test_lines_take_the_look_that_is_asked_for(improvement, ax):
    assert draw(improvement, cmap="cividis", linewidth=3, ax=ax).lines_.get_linewidth() == 3


def test_columns_that_hold_no_exponents_are_refused(ax):
    rows = np.c_[SPECTRA, LOSS]
    aelle = AeLLERegressor(2, max_epochs=2, random_state=0).fit(rows, LOSS)
    with pytest.raises(InvalidInputError, match=r"columns: got None, but not all 13 .*range\(64\)"):
        BetterSpectrumDisplay.from_estimator(aelle, rows[:1], larger_is_better=False, ax=ax)


@pytest.mark.parametrize("columns", [[], [4], [-1], [0.5], 2, "quantiles", [True]])
def test_columns_that_are_none_are_refused(improvement, columns, ax):
    with pytest.raises(InvalidInputError, match=r"columns: got .* whole numbers from 0 to 3"):
        draw(improvement, columns=columns, ax=ax)
    assert not ax.lines


def test_what_has_no_code_is_refused(ax):
    for estimator in (Ridge(), make_pipeline(Ridge()), None):
        with pytest.raises(InvalidTypeError, match=r"estimator: got .*a fitted AeLLERegressor"):
            BetterSpectrumDisplay.from_estimator(estimator, SPECTRA, larger_is_better=True, ax=ax)
    with pytest.raises(
        InvalidTypeError, match=r"improvement: got ndarray.*AeLLERegressor\.improve"
    ):
        draw(SPECTRA, ax=ax)
