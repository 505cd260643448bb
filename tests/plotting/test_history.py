import numpy as np
import pytest
import torch
from skorch import NeuralNet

from lyapsk.callbacks import AlignmentMonitor, LyapunovMonitor
from lyapsk.exceptions import InvalidInputError, InvalidTypeError
from lyapsk.plotting import HistoryDisplay
from lyapsk.tasks import digits_by_rows

SCORES = ["alignment_state", "alignment_adjoint", "gradient_share", "input_sensitivity"]

draw = HistoryDisplay.from_predictions


@pytest.fixture(scope="module")
def net():
    """Trained for three epochs, of which the second alone was read for alignment."""
    task = digits_by_rows()
    callbacks = [LyapunovMonitor(), AlignmentMonitor(n_sequences=4, epochs=[2])]
    net = task.net("GRU", hidden_size=6, max_epochs=3, callbacks=callbacks)
    return net.fit(task.X_train[:64], task.y_train[:64])


def test_each_number_is_a_line_through_what_was_read(ax):
    values = {"one": [0.1, np.nan, 0.3, -np.inf], "two": [np.nan, 2, 3, 4]}
    display = draw([0, 1, 2, 5], values, ax=ax)
    one, two = display.lines_
    np.testing.assert_array_equal(one.get_data(), [[0, 2, 5], [0.1, 0.3, np.nan]])
    np.testing.assert_array_equal(two.get_data(), [[1, 2, 5], [2, 3, 4]])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "two"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Epochs", "One, two")
    assert display.references_ == []
    assert display.ax_ is ax


def test_alignment_of_a_net_begins_before_its_training(net, ax):
    display = HistoryDisplay.from_estimator(net, ax=ax)
    monitor = dict(net.callbacks_)["AlignmentMonitor"]
    assert [line.get_label() for line in display.lines_] == SCORES
    for name, line in zip(SCORES, display.lines_, strict=True):
        read = [monitor.before_[name], net.history[1, name]]
        np.testing.assert_array_equal(line.get_data(), [[0, 2], read])
    assert [line.get_ydata()[0] for line in display.references_] == [0, 1]
    assert [text.get_text() for text in ax.texts] == ["chance", "containment"]
    display.figure_.draw_without_rendering()
    frame = ax.get_window_extent()
    assert all(frame.y1 >= text.get_window_extent().y1 for text in ax.texts)
    assert ax.get_ylabel() == "Score, share, rank correlation"


def test_names_choose_from_the_history(net, ax):
    names = ["lyapunov_largest", "valid_loss"]
    display = HistoryDisplay.from_estimator(net, names=names, ax=ax)
    largest, loss = display.lines_
    spectra = dict(net.callbacks_)["LyapunovMonitor"].spectra_
    np.testing.assert_array_equal(largest.get_xdata(), list(spectra))
    np.testing.assert_array_equal(
        largest.get_ydata(), [spectrum.exponents[0] for spectrum in spectra.values()]
    )
    np.testing.assert_array_equal(loss.get_data(), [[1, 2, 3], net.history[:, "valid_loss"]])
    assert [text.get_text() for text in ax.texts] == ["edge of chaos"]
    assert ax.get_ylabel() == "Nats per step, valid_loss"


def test_exponents_are_drawn_where_alignment_was_not_read(net, ax):
    task = digits_by_rows()
    net = task.net("GRU", hidden_size=4, max_epochs=1, callbacks=[LyapunovMonitor()])
    net.fit(task.X_train[:64], task.y_train[:64])
    display = HistoryDisplay.from_estimator(net, ax=ax)
    assert list(display.values) == ["lyapunov_largest", "lyapunov_entropy_rate"]
    assert ax.get_ylabel() == "Nats per step"


def test_one_number_has_no_legend_and_may_have_any_label(ax):
    draw([1, 2], {"loss": [0.1, 0.2]}, value_name="Loss (nats)", linestyle=":", ax=ax)
    assert ax.get_legend() is None
    assert ax.get_ylabel() == "Loss (nats)"
    assert ax.lines[0].get_linestyle() == ":"
    assert all(float(tick).is_integer() for tick in ax.get_xticks())


def test_names_need_not_be_words(ax):
    assert draw([1, 2], {0: [1, 2], 1: [2, 3]}, ax=ax).ax_.get_ylabel() == "0, 1"


def test_nets_that_tell_nothing_are_refused(ax):
    task = digits_by_rows()
    net = task.net("GRU", hidden_size=4, max_epochs=1)
    for unfitted in (net, net.initialize()):
        with pytest.raises(InvalidInputError, match=r"net: its history is empty. Fit it first"):
            HistoryDisplay.from_estimator(unfitted, ax=ax)
    net.fit(task.X_train[:64], task.y_train[:64])
    with pytest.raises(InvalidInputError, match=r"names: got None, but none of the callbacks"):
        HistoryDisplay.from_estimator(net, ax=ax)
    for names in (["train_los"], "train_loss", 3):
        with pytest.raises(InvalidInputError, match=r"names: got .*train_loss, .*valid_loss"):
            HistoryDisplay.from_estimator(net, names=names, ax=ax)
    with pytest.raises(InvalidTypeError, match=r"values\['batches'\]: got list that is no array"):
        HistoryDisplay.from_estimator(net, names=["batches"], ax=ax)
    with pytest.raises(InvalidTypeError, match=r"net: got GRU. It must be a fitted skorch net"):
        HistoryDisplay.from_estimator(torch.nn.GRU(1, 2), ax=ax)
    assert isinstance(net, NeuralNet)
    assert not ax.lines


@pytest.mark.parametrize(
    ("epochs", "values", "message"),
    [
        ([], {"a": []}, r"epochs has shape \(0,\)"),
        ([1, 2], {}, "values: got 0 entries. It must hold 1 to 8"),
        ([1], {name: [1] for name in "abcdefghi"}, "values: got 9"),
        ([1, 2], {"a": [1]}, r"values\['a'\] has shape \(1,\). It must be \(2,\)"),
        ([1, 2], {"a": [np.nan, np.nan]}, r"values\['a'\]: all of its 2 entries are NaN"),
        ([1, np.inf], {"a": [1, 2]}, "epochs: entry 1 is inf"),
    ],
)
def test_misfits_are_refused(epochs, values, message, ax):
    with pytest.raises(InvalidInputError, match=message):
        draw(epochs, values, ax=ax)
    assert not ax.lines


@pytest.mark.parametrize(
    ("epochs", "values", "message"),
    [
        ([1, 2], [[1, 2]], "values: got list. It must be a dict of names to arrays"),
        (["a"], {"a": [1]}, "epochs: got list that is no array of real numbers"),
        ([1], {"a": ["x"]}, r"values\['a'\]: got list that is no array"),
    ],
)
def test_what_holds_no_numbers_is_refused(epochs, values, message, ax):
    with pytest.raises(InvalidTypeError, match=message):
        draw(epochs, values, ax=ax)


def test_numbers_with_a_prefix_have_their_units_and_levels(ax):
    display = HistoryDisplay.from_predictions(
        [0, 1], {"encoder_lyapunov_largest": [-0.5, -0.2]}, ax=ax
    )
    assert ax.get_ylabel() == "Nats per step"
    assert len(display.references_) == 1
