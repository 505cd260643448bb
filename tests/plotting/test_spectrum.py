from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgba

from lyapsk import lyapunov_spectrum
from lyapsk.exceptions import InvalidInputError, InvalidTypeError
from lyapsk.plotting import SpectrumDisplay

SPECTRA = [np.array([0.2, -0.5, -3.0]), np.array([-0.1, -np.inf]), np.array([-1.0, -1.5])]

draw = SpectrumDisplay.from_predictions


@pytest.fixture(scope="module")
def computed():
    return lyapunov_spectrum(torch.nn.RNN(1, 5), torch.randn(3, 20, 1))


def points(display):
    """Of each line, (n_points, 2), with NaN in gaps."""
    return [path.vertices for path in display.lines_.get_paths()]


def colours(lines):
    lines.update_scalarmappable()
    return lines.get_colors()


def test_each_spectrum_is_a_line_over_relative_rank(ax):
    display = SpectrumDisplay.from_predictions(SPECTRA, ax=ax)
    lines = display.lines_.get_segments()
    np.testing.assert_array_equal(lines[0], [[0, 0.2], [0.5, -0.5], [1, -3]])
    assert len(lines) == 3
    assert display.ax_ is ax
    assert display.colorbar_ is None
    assert ax.get_ylabel() == "Exponent (nats per step)"
    assert np.isfinite(ax.get_ylim()).all()


def test_spectra_take_the_colour_of_their_value(ax):
    display = SpectrumDisplay.from_predictions(SPECTRA, values=[3, 1, 2], value_name="loss", ax=ax)
    np.testing.assert_array_equal(display.lines_.get_array(), [3, 1, 2])
    assert display.colorbar_.ax.get_ylabel() == "loss"


def test_spectra_of_networks_are_computed(ax):
    layers, sequences = [torch.nn.GRU(1, 3), torch.nn.RNN(1, 2)], torch.randn(2, 9, 1)
    display = SpectrumDisplay.from_estimator(layers, sequences, ax=ax)
    for layer, spectrum in zip(layers, display.spectra, strict=True):
        expected = lyapunov_spectrum(layer, sequences)
        np.testing.assert_array_equal(spectrum.exponents, expected.exponents)
        np.testing.assert_array_equal(spectrum.standard_error, expected.standard_error)
    one = SpectrumDisplay.from_estimator(layers[0], sequences, ax=ax)
    np.testing.assert_array_equal(one.spectra[0].exponents, display.spectra[0].exponents)


def test_a_spectrum_has_a_band_of_its_standard_error(computed, ax):
    display = draw(computed, ax=ax)
    (line,) = display.lines_.get_segments()
    np.testing.assert_array_equal(line[:, 0], [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_array_equal(line[:, 1], computed.exponents)
    (band,) = display.bands_
    vertices = band.get_paths()[0].vertices
    for x, exponent, error in zip(
        line[:, 0], computed.exponents, computed.standard_error, strict=True
    ):
        edges = np.unique(vertices[vertices[:, 0] == x, 1])
        np.testing.assert_allclose(edges, [exponent - error, exponent + error])
    np.testing.assert_array_equal(band.get_facecolor()[0, :3], colours(display.lines_)[0, :3])


def test_a_partial_spectrum_keeps_its_ranks_among_all(computed, ax):
    sequences = torch.randn(3, 20, 1)
    partial = lyapunov_spectrum(torch.nn.RNN(1, 5), sequences, n_exponents=2)
    one, two = draw([computed, partial], ax=ax).lines_.get_segments()
    np.testing.assert_array_equal(two[:, 0], one[:2, 0])


def test_kinds_of_spectra_mix_and_failed_networks_have_no_line(computed, ax):
    spectra = [computed, None, [-1, -2], np.array([-3])]
    display = draw(spectra, values=[1, np.nan, 2, 3], ax=ax)
    lengths = [np.isfinite(line).all(1).sum() for line in points(display)]
    assert lengths == [5, 0, 2, 1]
    assert [band is None for band in display.bands_] == [False, True, True, True]
    assert display.dots_.get_offsets().tolist() == [[0, -3]]
    assert display.spectra is spectra


def test_errors_of_arrays_can_be_given(ax):
    errors = [[0.1, np.inf, 0.2], None, np.array([np.nan, 0.5])]
    display = draw(SPECTRA, errors=errors, ax=ax)
    first, second, third = display.bands_
    assert second is None
    assert np.isfinite(ax.get_ylim()).all()
    alone = [path.vertices for path in third.get_paths()]
    assert all((vertices[:, 0] == 1).all() for vertices in alone)
    assert {0.5} & set(np.concatenate([p.vertices[:, 0] for p in first.get_paths()])) == set()


def test_given_errors_take_the_place_of_a_spectrums_own(computed, ax):
    (band,) = draw([computed], errors=[np.ones(5)], ax=ax).bands_
    assert band.get_datalim(ax.transData).y1 == pytest.approx(computed.exponents[0] + 1)


def test_dead_directions_leave_gaps_and_dots_between_them(ax):
    dead = [0.3, -np.inf, -2, -3, -np.inf, -5]
    display = draw([dead], ax=ax)
    (line,) = points(display)
    np.testing.assert_array_equal(np.isnan(line).any(1), np.isneginf(dead))
    assert display.dots_.get_offsets().tolist() == [[0, 0.3], [1, -5]]


def test_a_dead_network_is_no_error(computed, ax):
    dead = replace(computed, exponents=np.full(5, -np.inf), standard_error=np.zeros(5))
    display = draw([dead, dead], values=[1, 2], ax=ax)
    assert np.isnan(points(display)[0][:, 1]).all()
    display.figure_.draw_without_rendering()


@pytest.mark.parametrize("n_networks", [1, 2, 3])
def test_each_name_has_a_colour_of_its_own(n_networks, ax):
    display = draw(SPECTRA[:n_networks], names=list("abc"[:n_networks]), ax=ax)
    assert len({tuple(colour) for colour in display.lines_.get_colors()}) == n_networks


def test_names_stand_in_a_legend_in_the_colours_of_the_lines(ax):
    display = draw(SPECTRA, names=["RNN", "GRU", "LSTM"], ax=ax)
    legend = ax.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["RNN", "GRU", "LSTM"]
    of_lines = [tuple(colour) for colour in colours(display.lines_)]
    assert [to_rgba(line.get_color()) for line in legend.get_lines()] == of_lines
    assert len(set(of_lines)) == 3
    assert display.dots_.get_facecolor()[0, :3].tolist() == list(of_lines[1][:3])


def test_names_keep_the_colours_of_values(ax):
    display = draw(SPECTRA, names=["a", "b", "c"], values=[0, 1, 2], ax=ax)
    expected = mpl.colormaps["viridis"]([0.0, 0.5, 1.0])[:, :3]
    np.testing.assert_array_equal(colours(display.lines_)[:, :3], expected)
    of_legend = [to_rgba(line.get_color())[:3] for line in ax.get_legend().get_lines()]
    np.testing.assert_array_equal(of_legend, expected)


def test_lines_without_a_finite_value_are_grey(ax):
    display = draw(SPECTRA, values=[np.inf, 1, np.nan], ax=ax)
    grey = to_rgba("lightgray")[:3]
    assert [tuple(c[:3]) == grey for c in colours(display.lines_)] == [True, False, True]


def test_lines_take_the_look_that_is_asked_for(computed, ax):
    display = draw(computed, color="black", linewidth=3, ax=ax)
    assert display.lines_.get_linewidth() == 3
    assert display.bands_[0].get_facecolor()[0].tolist() == [0, 0, 0, 0.25]


@pytest.mark.parametrize(
    ("spectra", "others", "message"),
    [
        ([], {}, "spectra: got 0, none of which holds a number"),
        ([[np.nan, np.nan], None], {}, "spectra: got 2, none of which holds a number"),
        ([0.1, -0.2], {}, r"spectra\[0\] has shape \(\). It must be \(n_exponents,\), not empty"),
        ([[1], []], {}, r"spectra\[1\] has shape \(0,\)"),
        (SPECTRA, {"values": [1, 2]}, r"values has shape \(2,\) for 3 networks"),
        (SPECTRA, {"values": [np.inf] * 3}, "values: none of the 3 is finite"),
        (SPECTRA, {"names": "abc"}, r"names has shape \(\) for 3 networks"),
        (SPECTRA * 3, {"names": list("abcdefghi")}, "names has 9 entries: at most 8 colours"),
        (SPECTRA, {"errors": 0.1}, "errors: got 0.1. It must be a list with one entry for each"),
        (SPECTRA, {"errors": iter([None] * 3)}, "errors: got .*of the 3 spectra"),
        (SPECTRA, {"errors": [None]}, "errors: got .*of the 3 spectra"),
        (
            SPECTRA,
            {"errors": [None, [1], None]},
            r"errors\[1\] has shape \(1,\). It must be \(2,\)",
        ),
        (SPECTRA, {"errors": [None, None, [1, -2]]}, r"errors\[2\]: its smallest entry is -2"),
    ],
)
def test_misfits_are_refused(spectra, others, message, ax):
    with pytest.raises(InvalidInputError, match=message):
        SpectrumDisplay(spectra, **others).plot(ax)
    assert not ax.collections


@pytest.mark.parametrize(
    ("spectra", "others", "message"),
    [
        (0.5, {}, "spectra: got float. It must be a LyapunovSpectrum, or a list"),
        (None, {}, "spectra: got NoneType"),
        (iter(SPECTRA), {}, "spectra: got list_iterator"),
        ("spectra", {}, r"spectra\[0\]: got str that is no array of real numbers"),
        ([["a"]], {}, r"spectra\[0\]: got list that is no array"),
        (SPECTRA, {"values": list("abc")}, "values: got list that is no array"),
        (SPECTRA, {"errors": [["a", "b", "c"], None, None]}, r"errors\[0\]: got list"),
    ],
)
def test_what_is_no_spectrum_is_refused(spectra, others, message, ax):
    with pytest.raises(InvalidTypeError, match=message):
        SpectrumDisplay(spectra, **others).plot(ax)


def test_dead_directions_are_triangles_at_their_ranks(ax):
    spectra = [np.array([0.5, -1.0, -np.inf, -np.inf, -np.inf]), np.array([0.0, np.nan, -np.inf])]
    display = SpectrumDisplay.from_predictions(spectra, names=["a", "b"], ax=ax)
    np.testing.assert_allclose(display.dead_.get_offsets()[:, 0], [0.5, 0.75, 1, 1])
    colours = display.lines_.get_colors()[[0, 0, 0, 1]]
    np.testing.assert_allclose(display.dead_.get_facecolors()[:, :3], colours[:, :3])
    assert ax.get_xlim()[1] > 1
    assert "▼" in ax.get_xlabel()
    alive = SpectrumDisplay.from_predictions([np.array([0.5, -1.0])], ax=ax)
    assert alive.dead_ is None
