import subprocess
import sys

import numpy as np
import pytest
from torch import nn

import lyapsk
from lyapsk import plotting
from lyapsk.exceptions import InvalidTypeError
from lyapsk.plotting import (
    BetterSpectrumDisplay,
    ConvergenceDisplay,
    GradientAlignmentDisplay,
    GrowthDisplay,
    HistoryDisplay,
    InputSensitivityDisplay,
    LatentDisplay,
    PredictionDisplay,
    SearchDisplay,
    SpectrumDisplay,
    check_matplotlib,
)

SPECTRA = [np.array([0.2, -0.5, -3.0]), np.array([-0.1, -np.inf]), np.array([-1.0, -1.5])]
LATENT = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])


DISPLAYS = [name for name in plotting.__all__ if name.endswith("Display")]


@pytest.fixture(params=[*DISPLAYS, "GradientAlignmentDisplay of kind share"])
def display(request, spectrum, improvement, sensitivity, alignment):
    """Each display, with nothing drawn: one that is missing here fails every test below."""
    return {
        "BetterSpectrumDisplay": BetterSpectrumDisplay(improvement),
        "SpectrumDisplay": SpectrumDisplay(SPECTRA),
        "LatentDisplay": LatentDisplay(LATENT),
        "InputSensitivityDisplay": InputSensitivityDisplay(sensitivity),
        "GradientAlignmentDisplay": GradientAlignmentDisplay(alignment),
        "GradientAlignmentDisplay of kind share": GradientAlignmentDisplay(alignment, kind="share"),
        "ConvergenceDisplay": ConvergenceDisplay(spectrum),
        "GrowthDisplay": GrowthDisplay(spectrum, inputs=np.ones(30)),
        "PredictionDisplay": PredictionDisplay([1, 2, 3], [1, 3, 2], y_std=[1, 1, 0.1]),
        "HistoryDisplay": HistoryDisplay(
            [0, 1, 2], {"alignment_state": [0.1, 0.3, np.nan], "gradient_share": [0.4, 0.5, 0.7]}
        ),
        "SearchDisplay": SearchDisplay({"random": ([4, 8], [0.1, 0.3]), "ours": ([4], [0.2])}),
    }[request.param]


def test_displays_are_made_in_both_ways():
    for name in DISPLAYS:
        display = getattr(plotting, name)
        assert display.from_estimator.__self__ is display.from_predictions.__self__ is display


def test_without_axes_a_new_figure_is_made(display):
    import matplotlib.pyplot as plt

    assert display.plot() is display
    assert display.figure_.axes[0] is display.ax_
    assert plt.get_fignums() == [display.figure_.number]
    plt.close(display.figure_)


def test_a_display_draws_nothing_before_plot(display, ax):
    import matplotlib.pyplot as plt

    assert not plt.get_fignums()
    assert not hasattr(display, "ax_")
    assert display.plot(ax).figure_ is ax.figure
    assert not plt.get_fignums()


@pytest.mark.parametrize("look", [{"lw": 3}, {"linewidth": 3}])
def test_looks_go_by_any_of_their_names(display, look, ax):
    display.plot(ax, **look)
    drawn = [*ax.lines, *ax.collections]
    assert any(np.all(np.equal(artist.get_linewidth(), 3)) for artist in drawn)


def test_labels_stay_inside_a_new_figure(display):
    import matplotlib.pyplot as plt

    figure = display.plot().figure_
    figure.draw_without_rendering()
    box = figure.get_tightbbox()
    plt.close(figure)
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= figure.get_figwidth()
    assert box.y1 <= figure.get_figheight()


def test_missing_matplotlib_says_what_to_install(display, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install "lyapsk\[plots\]"'):
        display.plot()
    with pytest.raises(ImportError, match="The report draws with"):
        check_matplotlib("The report")


def test_matplotlib_is_not_imported_with_the_displays():
    code = "import sys, lyapsk.plotting; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("wrong", [[None], "left", 3])
def test_what_is_no_axes_is_refused(display, wrong):
    with pytest.raises(InvalidTypeError, match=rf"ax: got {type(wrong).__name__}.*axes\[0\]"):
        display.plot(wrong)


@pytest.mark.parametrize("name", ["SpectrumDisplay", "ConvergenceDisplay", "GrowthDisplay"])
def test_and_before_anything_is_computed(name, monkeypatch):
    monkeypatch.setattr(lyapsk, "lyapunov_spectrum", None)
    with pytest.raises(InvalidTypeError, match="ax: got list"):
        getattr(plotting, name).from_estimator(nn.GRU(1, 2), np.zeros((1, 3, 1)), ax=[None])


@pytest.mark.parametrize("name", ["GradientAlignmentDisplay", "InputSensitivityDisplay"])
def test_and_before_anything_is_scored(name):
    with pytest.raises(InvalidTypeError, match="ax: got list"):
        getattr(plotting, name).from_estimator(None, None, None, ax=[None])
