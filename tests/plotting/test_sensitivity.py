from dataclasses import replace

import numpy as np
import pytest

from lyapsk import InputSensitivityScorer
from lyapsk.exceptions import InvalidInputError, InvalidTypeError
from lyapsk.plotting import InputSensitivityDisplay
from lyapsk.tasks import digits_by_rows

draw = InputSensitivityDisplay.from_predictions


def test_means_are_lines_with_bands_of_their_errors(sensitivity, ordinates, ax):
    display = draw(sensitivity, ax=ax)
    for line, band, name in (
        (display.line_, display.band_, "sampled"),
        (display.growth_line_, display.growth_band_, "finite_time_exponent"),
    ):
        mean, error = sensitivity.profile(name)
        within = np.isfinite(mean)
        np.testing.assert_array_equal(line.get_xdata(), range(5))
        np.testing.assert_array_equal(line.get_ydata(), mean)
        edges = np.column_stack([mean - error, mean + error])[within]
        np.testing.assert_allclose(ordinates(band), edges)
    assert display.image_ is None
    assert display.line_.axes is display.ax_ is ax
    assert display.growth_line_.axes is display.growth_ax_
    assert (ax.get_yscale(), display.growth_ax_.get_yscale()) == ("log", "linear")


def test_labels_and_title_say_what_is_drawn(sensitivity, ax):
    display = draw(sensitivity, ax=ax)
    assert ax.get_xlabel() == "Step"
    assert ax.get_ylabel() == "Sensitivity to the input, sampled"
    assert display.growth_ax_.get_ylabel() == "Mean growth that follows\n(nats per step)"
    assert ax.yaxis.label.get_color() == display.line_.get_color()
    assert display.growth_ax_.yaxis.label.get_color() == display.growth_line_.get_color()
    assert ax.get_title().replace("\N{MINUS SIGN}", "-") == (
        f"Rank correlation with growth {sensitivity.score:.3f},\n"
        f"with the position alone {sensitivity.control:.3f}"
    )


def test_without_samples_the_first_order_is_drawn(sensitivity, ax):
    sensitivity = replace(sensitivity, sampled=None, sampling_error=None, growth="singular_value")
    display = draw(sensitivity, ax=ax)
    np.testing.assert_array_equal(display.line_.get_ydata(), sensitivity.profile("first_order")[0])
    assert ax.get_ylabel() == "Sensitivity to the input, first order"
    assert display.growth_ax_.get_ylabel() == "Log of the largest\nsingular value (nats)"
    one = draw(sensitivity, sequence=0, ax=ax)
    np.testing.assert_array_equal(one.line_.get_ydata(), sensitivity.first_order[0])
    assert not one.band_.get_paths()


def test_one_sequence_has_the_error_of_its_draws(sensitivity, ordinates, ax):
    display = draw(sensitivity, sequence=1, ax=ax)
    mean, error = sensitivity.sampled[1], sensitivity.sampling_error[1]
    np.testing.assert_array_equal(display.line_.get_ydata(), mean)
    edges = np.column_stack([mean - error, mean + error])
    np.testing.assert_allclose(ordinates(display.band_), edges)
    growth = sensitivity.finite_time_exponent[1]
    np.testing.assert_array_equal(display.growth_line_.get_ydata(), growth)
    assert not display.growth_band_.get_paths()
    correlation = sensitivity.correlation("position")[1]
    assert f"with the position alone {correlation:.3f}" in ax.get_title().replace(
        "\N{MINUS SIGN}", "-"
    )


@pytest.mark.parametrize("shape", [(4,), (4, 2), (5,), (5, 3)])
def test_inputs_lie_behind_their_own_steps(sensitivity, shape, ax):
    inputs = np.arange(np.prod(shape)).reshape(shape)
    display = draw(sensitivity, sequence=2, inputs=inputs.tolist(), ax=ax)
    np.testing.assert_array_equal(display.image_.get_array(), np.atleast_2d(inputs.T)[:, :4])
    assert display.image_.get_extent() == [-0.5, 3.5, 0, 1]
    assert display.image_.axes.get_zorder() < display.line_.get_zorder()
    assert display.image_.axes.get_xlim() == ax.get_xlim() == display.growth_ax_.get_xlim()
    assert ax.get_xlabel() == "Step (in grey: the inputs)"


def test_a_net_that_ignores_its_inputs_is_drawn_on_a_linear_axis(sensitivity, ax):
    nothing = np.zeros_like(sensitivity.sampled)
    draw(replace(sensitivity, sampled=nothing, sampling_error=nothing), ax=ax)
    assert ax.get_yscale() == "linear"


def test_a_single_draw_has_no_band(sensitivity, ax):
    error = np.full_like(sensitivity.sampled, np.inf)
    display = draw(replace(sensitivity, sampling_error=error), sequence=0, ax=ax)
    assert not display.band_.get_paths()
    assert np.isfinite(ax.get_ylim()).all()


def test_the_line_takes_the_look_that_is_asked_for(sensitivity, ax):
    display = draw(sensitivity, ax=ax, color="black", linewidth=3)
    assert display.line_.get_color() == ax.yaxis.label.get_color() == "black"
    assert display.line_.get_linewidth() == 3


def test_sensitivity_of_a_net_is_computed(ax):
    task = digits_by_rows()
    net, X = task.net("GRU", hidden_size=4).initialize(), task.X_valid[:3]
    display = InputSensitivityDisplay.from_estimator(net, X, ax=ax)
    expected = InputSensitivityScorer().analyze(net, X).sampled
    np.testing.assert_array_equal(display.sensitivity.sampled, expected)
    scorer = InputSensitivityScorer(n_draws=0, growth="singular_value", output="loss")
    display = InputSensitivityDisplay.from_estimator(
        net, X, task.y_valid[:3], scorer=scorer, sequence=1, inputs=X[1], ax=ax
    )
    expected = scorer.analyze(net, X, task.y_valid[:3]).first_order[1]
    np.testing.assert_array_equal(display.line_.get_ydata(), expected)
    assert display.image_.get_array().shape == (8, 8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sequence": 3}, "sequence: got 3. It must be a whole number from 0 to 2, or None"),
        ({"sequence": -1}, "sequence: got -1"),
        ({"sequence": True}, "sequence: got True"),
        ({"sequence": 1.0}, "sequence: got 1.0"),
        ({"inputs": [1, 2, 3, 4, 5]}, r"inputs has shape \(5,\), but sequence is None: pass the"),
        (
            {"sequence": 2, "inputs": [[1, 2, 3]]},
            r"inputs has shape \(1, 3\), but sequence 2 has 4 steps: pass \(4,\) or \(4, n_inputs",
        ),
        ({"sequence": 0, "inputs": np.ones((5, 1, 1))}, r"inputs has shape \(5, 1, 1\)"),
        ({"sequence": 0, "inputs": 1}, r"inputs has shape \(\)"),
    ],
)
def test_misfits_are_refused(sensitivity, arguments, message, ax):
    with pytest.raises(InvalidInputError, match=message):
        InputSensitivityDisplay(sensitivity, **arguments).plot(ax)
    assert not ax.lines


def test_a_score_is_no_sensitivity(ax):
    with pytest.raises(InvalidTypeError, match=r"sensitivity: got float.*Scorer\.analyze"):
        InputSensitivityDisplay(0.5).plot(ax)
