import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from lyapsk import lyapunov_spectrum, plotting
from lyapsk.exceptions import InvalidInputError
from lyapsk.plotting import (
    GradientAlignmentDisplay,
    InputSensitivityDisplay,
    LatentDisplay,
    PredictionDisplay,
    SpectrumDisplay,
    check_matplotlib,
)

SPECTRA = [np.array([0.2, -0.5, -3.0]), np.array([-0.1, -np.inf]), np.array([-1.0, -1.5])]
LATENT = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])


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
        np.testing.assert_array_equal(spectrum, lyapunov_spectrum(layer, sequences).exponents)
    one = SpectrumDisplay.from_estimator(layers[0], sequences, ax=ax)
    np.testing.assert_array_equal(one.spectra[0], display.spectra[0])


def test_latent_points_take_colour_and_shape(ax):
    display = LatentDisplay.from_predictions(
        LATENT, values=[3, 1, 2], categories=["b", "a", "b"], value_name="loss", ax=ax
    )
    b, a = display.points_
    np.testing.assert_array_equal(b.get_offsets(), LATENT[[0, 2]])
    np.testing.assert_array_equal(a.get_array(), [1])
    assert a.get_clim() == b.get_clim() == (1, 3)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["b", "a"]
    assert display.colorbar_.ax.get_ylabel() == "loss"


def test_latent_points_alone_have_no_legend(ax):
    display = LatentDisplay.from_predictions(LATENT, ax=ax)
    assert len(display.points_) == 1
    assert display.colorbar_ is ax.get_legend() is None


def test_latent_code_comes_from_the_transformer(ax):
    X = np.random.default_rng(0).normal(size=(6, 4))
    pca = PCA(2).fit(X)
    display = LatentDisplay.from_estimator(pca, X, values=X[:, 0], ax=ax)
    np.testing.assert_array_equal(display.latent, pca.transform(X))


DISPLAYS = [name for name in plotting.__all__ if name.endswith("Display")]


@pytest.fixture(params=[*DISPLAYS, "GradientAlignmentDisplay of kind share"])
def display(request, sensitivity, alignment):
    """Each display, with nothing drawn: one that is missing here fails every test below."""
    return {
        "SpectrumDisplay": SpectrumDisplay(SPECTRA),
        "LatentDisplay": LatentDisplay(LATENT),
        "InputSensitivityDisplay": InputSensitivityDisplay(sensitivity),
        "GradientAlignmentDisplay": GradientAlignmentDisplay(alignment),
        "GradientAlignmentDisplay of kind share": GradientAlignmentDisplay(alignment, kind="share"),
        "PredictionDisplay": PredictionDisplay([1, 2, 3], [1, 3, 2], y_std=[1, 1, 0.1]),
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


@pytest.mark.parametrize(
    ("display", "message"),
    [
        (SpectrumDisplay(SPECTRA, values=[1, 2]), r"values has shape \(2,\) for 3 networks"),
        (LatentDisplay(LATENT, values=[[1, 2, 3]]), r"values has shape \(1, 3\) for 3 networks"),
        (LatentDisplay(LATENT, categories=["a"]), r"categories has shape \(1,\)"),
        (LatentDisplay(LATENT[:, :1]), r"latent has shape \(3, 1\).*latent_dim=2"),
        (LatentDisplay(np.zeros((8, 2)), categories=range(8)), "8 different entries: at most 7"),
    ],
)
def test_misfits_are_refused(display, message, ax):
    with pytest.raises(InvalidInputError, match=message):
        display.plot(ax)


def test_missing_matplotlib_says_what_to_install(display, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install "lyapsk\[plots\]"'):
        display.plot()
    with pytest.raises(ImportError, match="The report draws with"):
        check_matplotlib("The report")


def test_matplotlib_is_not_imported_with_the_displays():
    code = "import sys, lyapsk.plotting; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
