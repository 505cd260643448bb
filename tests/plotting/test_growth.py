from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from lyapsk import lyapunov_spectrum
from lyapsk.exceptions import InvalidInputError, InvalidTypeError
from lyapsk.plotting import GrowthDisplay
from lyapsk.tasks import digits_by_rows

draw = GrowthDisplay.from_predictions


@pytest.mark.parametrize("n_directions", [1, 2, 3])
def test_the_line_is_the_growth_of_the_volume_that_leading_directions_span(n_directions, ax):
    layer, x = torch.nn.RNN(2, 3).double(), torch.randn(1, 8, 2).double()
    spectrum = lyapunov_spectrum(layer, x, keep=("growth", "frames"))
    display = draw(spectrum, n_directions=n_directions, ax=ax)
    states, frames = layer(x[0])[0].detach(), torch.tensor(spectrum.frames[0, ..., :n_directions])
    for t in range(1, 8):
        jacobian = torch.autograd.functional.jacobian(
            lambda h, t=t: layer(x[0, t : t + 1], h[None])[0][0], states[t - 1]
        )
        pushed = jacobian @ frames[t - 1]
        expected = torch.linalg.slogdet(pushed.T @ pushed)[1].item() / 2
        assert display.line_.get_ydata()[t] == pytest.approx(expected)
    assert display.zero_.get_ydata()[0] == 0


def test_of_frames_side_by_side_the_largest_exponents_lead(ax):
    layers, x = torch.nn.RNN(2, 3, 2), torch.randn(2, 40, 2)
    for n_exponents in (2, 6):
        options = {"keep": "growth", "coupling": "layers", "n_exponents": n_exponents}
        spectrum = lyapunov_spectrum(layers, x, **options)
        display = draw(spectrum, sequence=1, n_directions=2, ax=ax)
        expected = spectrum.per_sequence[1, :2].sum()
        assert display.line_.get_ydata().mean() == pytest.approx(expected)


@pytest.mark.parametrize("window", [1, 2, 5, 30])
def test_a_window_takes_a_centred_mean(spectrum, window, ax):
    growth = spectrum.growth[0, :, 0]
    display = draw(spectrum, window=window, ax=ax)
    before = window // 2
    expected = [growth[max(0, t - before) : t - before + window].mean() for t in range(30)]
    np.testing.assert_allclose(display.line_.get_ydata(), expected)


def test_growth_and_decay_have_colours_of_their_own(spectrum, ax):
    growth = np.where(np.arange(30)[:, None] < 10, 0.5, -0.25) * np.ones((3, 30, 6))
    display = draw(replace(spectrum, growth=growth), ax=ax)
    up, down = (fill.get_paths()[0].get_extents() for fill in display.fills_)
    zero = 9 + 2 / 3
    np.testing.assert_allclose(up.extents, [0, 0, zero, 0.5], atol=1e-9)
    np.testing.assert_allclose(down.extents, [zero, -0.25, 29, 0], atol=1e-9)


def test_steps_that_kill_a_direction_leave_a_gap(spectrum, ax):
    growth = spectrum.growth.copy()
    growth[0, 7] = -np.inf
    display = draw(replace(spectrum, growth=growth), ax=ax)
    np.testing.assert_array_equal(np.isnan(display.line_.get_ydata()), np.arange(30) == 7)
    display = draw(replace(spectrum, growth=np.full((3, 30, 6), -np.inf)), window=3, ax=ax)
    assert np.isnan(display.line_.get_ydata()).all()
    display.figure_.draw_without_rendering()


@pytest.mark.parametrize("as_kind", [np.asarray, list, pd.Series, lambda x: x[:, None]])
def test_a_single_input_is_a_line_behind_with_its_own_axis(spectrum, as_kind, ax):
    inputs = np.sin(np.arange(30))
    display = draw(spectrum, inputs=as_kind(inputs), ax=ax)
    np.testing.assert_array_equal(display.input_line_.get_ydata(), inputs)
    assert display.input_line_.axes.get_ylabel() == "Input"
    assert display.input_line_.axes.get_zorder() < ax.get_zorder()
    assert display.image_ is None
    assert ax.get_xlabel() == "Step"


def test_several_inputs_are_shades_behind(spectrum, ax):
    inputs = np.arange(90).reshape(30, 3)
    display = draw(spectrum, inputs=inputs, ax=ax)
    np.testing.assert_array_equal(display.image_.get_array(), inputs.T)
    assert display.image_.get_extent() == [-0.5, 29.5, 0, 1]
    assert display.image_.axes.get_zorder() < display.line_.get_zorder()
    assert display.input_line_ is None
    assert ax.get_xlabel() == "Step (in grey: the inputs)"


def test_labels_say_what_is_drawn(spectrum, ax):
    draw(spectrum, ax=ax)
    assert ax.get_ylabel() == "Growth of the leading direction\n(nats per step)"
    draw(spectrum, n_directions=2, window=4, ax=ax)
    assert ax.get_ylabel() == "Growth of 2 directions\n(nats per step, mean of 4)"


@pytest.mark.parametrize(
    ("options", "read"),
    [
        ({}, range(8)),
        ({"warmup": 3}, range(3, 8)),
        ({"n_steps": 5}, range(5)),
        ({"n_steps": 11, "warmup": 2}, [*range(2, 8), 0, 1, 2]),
    ],
)
@pytest.mark.parametrize("as_kind", [np.asarray, torch.tensor, np.ndarray.tolist])
def test_growth_of_a_model_is_drawn_over_what_it_read(as_kind, options, read, ax):
    layer, inputs = torch.nn.GRU(2, 4), np.random.default_rng(0).normal(size=(8, 2))
    display = GrowthDisplay.from_estimator(layer, as_kind(inputs), window=2, ax=ax, **options)
    expected = lyapunov_spectrum(layer, inputs[None], keep="growth", **options)
    np.testing.assert_allclose(display.spectrum.growth[0, :, 0], expected.growth[0, :, 0])
    np.testing.assert_array_equal(display.image_.get_array(), inputs[list(read)].T)


def test_growth_of_a_net_is_computed(ax):
    task = digits_by_rows()
    net = task.net("LSTM", hidden_size=4).initialize()
    display = GrowthDisplay.from_estimator(net, task.X_valid[2], ax=ax)
    expected = lyapunov_spectrum(net, task.X_valid[2:3], n_exponents=1).exponents[0]
    assert display.line_.get_ydata().mean() == pytest.approx(expected)


def test_the_line_takes_the_look_that_is_asked_for(spectrum, ax):
    display = draw(spectrum, color="gray", linewidth=3, ax=ax)
    assert (display.line_.get_color(), display.line_.get_linewidth()) == ("gray", 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sequence": 3}, "sequence: got 3. It must be a whole number from 0 to 2"),
        ({"sequence": None}, "sequence: got None"),
        ({"n_directions": 0}, "n_directions: got 0.*at least 1 and at most the number of exp.* 6"),
        ({"n_directions": 7}, "n_directions: got 7"),
        ({"window": 31}, "window: got 31.*at most the number of steps, 30"),
        ({"window": 2.0}, "window: got 2.0"),
        ({"inputs": []}, r"inputs has shape \(0,\). It must be \(30,\), what the network read"),
        ({"inputs": np.ones((3, 30))}, r"inputs has shape \(3, 30\). It must be \(30, n_inputs\)"),
        ({"inputs": np.ones((30, 2, 2))}, r"inputs has shape \(30, 2, 2\)"),
        ({"inputs": 1.0}, r"inputs has shape \(\)"),
        ({"inputs": np.full(30, np.nan)}, "inputs: entry 0 is nan"),
    ],
)
def test_misfits_are_refused(spectrum, arguments, message, ax):
    with pytest.raises(InvalidInputError, match=message):
        draw(spectrum, **arguments, ax=ax)
    assert not ax.lines


def test_what_holds_no_numbers_is_refused(spectrum, ax):
    with pytest.raises(InvalidTypeError, match="inputs: got list that is no array of real"):
        draw(spectrum, inputs=["a"] * 30, ax=ax)
    with pytest.raises(InvalidTypeError, match="inputs: got str that is no array of real"):
        GrowthDisplay.from_estimator(torch.nn.GRU(1, 2), "sequence", ax=ax)
    with pytest.raises(InvalidInputError, match="sequences: got"):
        GrowthDisplay.from_estimator(torch.nn.GRU(1, 2), [], ax=ax)


@pytest.mark.parametrize(
    ("inputs", "arguments", "told"),
    [
        (np.zeros((2, 5, 1)), {}, r"inputs: got shape \(2, 5, 1\).*pass sequences\[0\]"),
        (np.zeros((5, 1)), {"n_directions": 0}, "n_directions: got 0"),
        (np.zeros((5, 1)), {"window": 0}, "window: got 0"),
    ],
)
def test_what_is_wrong_is_told_before_growth_is_computed(inputs, arguments, told, ax):
    with pytest.raises(InvalidInputError, match=told):
        GrowthDisplay.from_estimator(torch.nn.GRU(1, 2), inputs, **arguments, ax=ax)


def test_without_growth_it_says_how_to_keep_it(spectrum, ax):
    with pytest.raises(InvalidInputError, match=r'spectrum: .* not kept.*keep=\("growth",\)\)'):
        draw(replace(spectrum, growth=None), ax=ax)
    with pytest.raises(InvalidInputError, match=r"spectrum: its growth was not kept"):
        GrowthDisplay.from_estimator(torch.nn.GRU(1, 2), np.zeros((5, 1)), keep=(), ax=ax)
    with pytest.raises(InvalidTypeError, match="spectrum: got ndarray"):
        draw(np.ones(3), ax=ax)
