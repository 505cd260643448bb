import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from lyapsk import lyapunov_spectrum
from lyapsk.aelle import Improvement
from lyapsk.scorers import FrameGradient, GradientAlignment, InputSensitivity

mpl.use("Agg")


@pytest.fixture
def ax():
    return Figure().subplots()


@pytest.fixture(scope="session")
def spectrum():
    """Of six exponents, along three sequences of 30 steps, with its growth."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return lyapunov_spectrum(torch.nn.RNN(2, 6), torch.randn(3, 30, 2), keep="growth")


@pytest.fixture
def improvement():
    """From one spectrum of four exponents to two others, in a code of one dimension."""
    start = np.array([0.1, -0.2, -0.9, -2.0])
    codes = np.array([[0.0], [0.5], [1.0]])
    rows = start + codes * [0.3, 0.1, -0.5, -1.0]
    return Improvement(start, codes, rows, np.array([0.9, 0.7, 0.6]), np.array([0.1, 0.1, 0.2]))


@pytest.fixture
def ordinates():
    """Lower and upper ordinate of a band at each abscissa that it covers, (n_points, 2)."""

    def of(band):
        columns = {}
        for x, y in np.concatenate([path.vertices for path in band.get_paths()]):
            columns.setdefault(x, []).append(y)
        return np.array([(min(ys), max(ys)) for _, ys in sorted(columns.items())])

    return of


@pytest.fixture
def sensitivity():
    """Of three sequences of 5, 5 and 4 steps, sampled with 6 draws."""
    rng = np.random.default_rng(0)
    draws = rng.exponential(size=(6, 3, 5))
    first_order, exponent, singular, step = rng.normal(size=(4, 3, 5))
    first_order = np.exp(first_order)
    exponent[:, -1] = exponent[2, 3] = np.nan
    for values in (*draws, first_order, exponent, singular, step):
        values[2, 4] = np.nan
    growths = {"finite_time_exponent": exponent, "singular_value": singular, "step_growth": step}
    return InputSensitivity.from_changes(draws, first_order, growths, "finite_time_exponent")


@pytest.fixture
def alignment():
    """Of three sequences of 6 steps: two singular vectors, two of four directions."""
    overlaps = torch.rand(3, 6, 2, 2, generator=torch.Generator().manual_seed(0)) / 2
    adjoint = np.ones((3, 7, 4))
    gradient = FrameGradient(
        weights={},
        adjoint=adjoint,
        coordinates=adjoint,
        share=np.array([0.5, 0.7, 1.1, 1]),
        share_error=np.array([0.1, 0.2, 0.1, 0]),
        share_per_step=np.ones((7, 4)),
        error=0,
    )
    return GradientAlignment.from_overlaps(overlaps, 4, gradient)
