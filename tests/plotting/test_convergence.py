from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import sem

from lyapsk import lyapunov_spectrum
from lyapsk.exceptions import InvalidInputError, InvalidTypeError
from lyapsk.plotting import ConvergenceDisplay

draw = ConvergenceDisplay.from_predictions


def test_running_means_have_bands_over_sequences(spectrum, ordinates, ax):
    display = draw(spectrum, indices=[5, 0], ax=ax)
    growth = spectrum.growth[..., spectrum.order]
    for index, line, band in zip([5, 0], display.lines_, display.bands_, strict=True):
        running = [growth[:, : n + 1, index].mean(1) for n in range(30)]
        mean, error = np.mean(running, axis=1), sem(running, axis=1)
        np.testing.assert_array_equal(line.get_xdata(), range(1, 31))
        np.testing.assert_allclose(line.get_ydata(), mean)
        np.testing.assert_allclose(ordinates(band), np.c_[mean - error, mean + error])
    assert ax.get_xlabel() == "Steps averaged over"
    assert ax.get_ylabel() == "Mean growth (nats per step)"
    assert display.ax_ is ax


def test_dashes_lead_to_the_exponents(spectrum, ax):
    display = draw(spectrum, indices=6, ax=ax)
    for exponent, line, level in zip(
        spectrum.exponents, display.lines_, display.levels_, strict=True
    ):
        np.testing.assert_array_equal(level.get_ydata(), [exponent] * 2)
        np.testing.assert_array_equal(level.get_color(), line.get_color())
        assert line.get_ydata()[-1] == pytest.approx(exponent)


@pytest.mark.parametrize(
    ("indices", "drawn"),
    [(5, [0, 1, 2, 4, 5]), (1, [0]), (9, [0, 1, 2, 3, 4, 5]), ((3, 1), [3, 1]), (range(2), [0, 1])],
)
def test_exponents_are_chosen(spectrum, indices, drawn, ax):
    display = draw(spectrum, indices=indices, ax=ax)
    assert display.indices_ == drawn
    assert len({tuple(line.get_color()) for line in display.lines_}) == len(drawn)
    labels = [label.get_text() for label in display.colorbar_.ax.get_yticklabels()]
    assert labels == list(map(str, drawn))
    for place, line in enumerate(display.lines_):
        assert tuple(display.colorbar_.mappable.to_rgba(place)) == tuple(line.get_color())


def test_a_single_sequence_has_no_band(ax):
    alone = lyapunov_spectrum(torch.nn.GRU(1, 3), torch.randn(1, 9, 1), keep="growth")
    assert not any(band.get_paths() for band in draw(alone, ax=ax).bands_)


def test_dead_directions_have_no_line(spectrum, ax):
    growth = spectrum.growth.copy()
    growth[1, 10:, spectrum.order[-1]] = -np.inf
    exponents = np.r_[spectrum.exponents[:-1], -np.inf]
    display = draw(replace(spectrum, growth=growth, exponents=exponents), indices=2, ax=ax)
    np.testing.assert_array_equal(np.isfinite(display.lines_[1].get_ydata()), np.arange(30) < 10)
    assert np.isnan(display.levels_[1].get_ydata()).all()
    assert display.colorbar_.ax.get_yticklabels()[1].get_text() == "5, dead"
    display.figure_.draw_without_rendering()


def test_growth_of_a_model_is_computed_and_kept(ax):
    layer, sequences = torch.nn.GRU(2, 4), torch.randn(2, 12, 2)
    options = {"warmup": 3, "n_exponents": 2}
    display = ConvergenceDisplay.from_estimator(layer, sequences, ax=ax, **options)
    expected = lyapunov_spectrum(layer, sequences, keep="growth", **options)
    assert display.spectrum.growth.shape == (2, 9, 2)
    np.testing.assert_array_equal(display.spectrum.growth, expected.growth)


def test_lines_take_the_look_that_is_asked_for(spectrum, ax):
    display = draw(spectrum, cmap="cividis", linestyle=":", ax=ax)
    assert {line.get_linestyle() for line in display.lines_} == {":"}


@pytest.mark.parametrize("indices", [0, -1, True, 2.0, "all", None, [], [6], [-1], [0.5], ["0"]])
def test_indices_that_are_none_are_refused(spectrum, indices, ax):
    with pytest.raises(InvalidInputError, match=r"indices: got .* whole numbers from 0 to 5"):
        draw(spectrum, indices=indices, ax=ax)
    assert not ax.lines


def test_without_growth_it_says_how_to_keep_it(spectrum, ax):
    with pytest.raises(InvalidInputError, match=r'spectrum: .* not kept.*keep=\("growth",\)\)'):
        draw(replace(spectrum, growth=None), ax=ax)


@pytest.mark.parametrize("spectrum", [None, [0.1, -0.2], "spectrum"])
def test_what_is_no_spectrum_is_refused(spectrum, ax):
    with pytest.raises(InvalidTypeError, match=r"spectrum: got .*It must be a LyapunovSpectrum"):
        draw(spectrum, ax=ax)
