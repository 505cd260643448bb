from dataclasses import replace

import numpy as np
import pytest

from lyapsk import GradientAlignmentScorer
from lyapsk.exceptions import InvalidInputError, InvalidTypeError
from lyapsk.plotting import GradientAlignmentDisplay
from lyapsk.tasks import digits_by_rows

draw = GradientAlignmentDisplay.from_predictions


def test_scores_lie_between_chance_and_containment(alignment, ax):
    display = draw(alignment, ax=ax)
    score, error = alignment.per_step, alignment.per_step_error
    np.testing.assert_array_equal(display.line_.get_xdata(), range(6))
    np.testing.assert_array_equal(display.line_.get_ydata(), score)
    (path,) = display.band_.get_paths()
    assert path.get_extents().y0 == pytest.approx((score - error).min())
    assert path.get_extents().y1 == pytest.approx((score + error).max())
    assert [line.get_ydata()[0] for line in display.references_] == [0, 1]
    assert [(text.get_text(), text.xy[1]) for text in ax.texts] == [
        ("chance", 0),
        ("containment", 1),
    ]
    assert ax.get_xlabel() == "Step (without the warm-up)"
    assert ax.get_ylabel() == "Alignment score"
    assert display.ax_ is ax


def test_names_of_levels_stay_within_the_axes(alignment, ax):
    display = draw(alignment, ax=ax)
    display.figure_.draw_without_rendering()
    frame = ax.get_window_extent()
    for text in ax.texts:
        assert frame.y0 <= text.get_window_extent().y0 < text.get_window_extent().y1 <= frame.y1


def test_share_is_held_against_random_directions(alignment, ax):
    display = draw(alignment, kind="share", ax=ax)
    np.testing.assert_array_equal(display.line_.get_xdata(), [1, 2, 3, 4])
    np.testing.assert_array_equal(display.line_.get_ydata(), [0.5, 0.7, 1.1, 1])
    assert display.band_.get_paths()[0].get_extents().y1 == pytest.approx(1.2)
    (random,) = display.references_
    np.testing.assert_array_equal(random.get_ydata(), [0.25, 0.5, 0.75, 1])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "as many random directions"
    ]
    assert ax.get_xlabel() == "Leading directions"
    assert ax.get_ylabel() == "Share of the gradient"


def test_a_truncated_gradient_is_held_against_as_few_random_directions(alignment, ax):
    gradient = replace(
        alignment.gradient, share=np.array([0.5, 0.7]), share_error=np.array([0.1, 0.2])
    )
    display = draw(replace(alignment, gradient=gradient), kind="share", ax=ax)
    np.testing.assert_array_equal(display.references_[0].get_ydata(), [0.25, 0.5])


def test_a_single_sequence_has_no_band(alignment, ax):
    alone = replace(alignment, per_step_error=np.full(6, np.inf))
    assert not draw(alone, ax=ax).band_.get_paths()
    assert np.isfinite(ax.get_ylim()).all()


def test_the_line_takes_the_look_that_is_asked_for(alignment, ax):
    assert draw(alignment, ax=ax, color="red").line_.get_color() == "red"


def test_alignment_of_a_net_is_computed(ax):
    task = digits_by_rows()
    net, X, y = task.net("GRU", hidden_size=8).initialize(), task.X_valid[:3], task.y_valid[:3]
    display = GradientAlignmentDisplay.from_estimator(net, X, y, ax=ax)
    expected = GradientAlignmentScorer().analyze(net, X, y).per_step
    np.testing.assert_array_equal(display.line_.get_ydata(), expected)
    scorer = GradientAlignmentScorer(side="adjoint", n_directions=2)
    display = GradientAlignmentDisplay.from_estimator(net, X, y, scorer=scorer, kind="share", ax=ax)
    expected = scorer.analyze(net, X, y)
    np.testing.assert_array_equal(display.alignment.per_step, expected.per_step)
    np.testing.assert_array_equal(display.line_.get_ydata(), expected.gradient.share)


def test_an_unknown_kind_is_refused(alignment, ax):
    with pytest.raises(InvalidInputError, match=r"kind: got 'step'\. It must be 'steps' or 'sha"):
        GradientAlignmentDisplay(alignment, kind="step").plot(ax)


def test_there_is_no_share_without_a_gradient(alignment, ax):
    bare = replace(alignment, gradient=None)
    assert draw(bare, ax=ax).line_ in ax.lines
    with pytest.raises(InvalidInputError, match=r"gradient is None.*analyze returns, or kind='st"):
        draw(bare, kind="share", ax=ax)


def test_a_score_is_no_alignment(ax):
    with pytest.raises(InvalidTypeError, match=r"alignment: got float.*Scorer\.analyze"):
        GradientAlignmentDisplay(0.5).plot(ax)
