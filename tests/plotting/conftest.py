import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from lyapsk.scorers import FrameGradient, GradientAlignment, InputSensitivity

mpl.use("Agg")


@pytest.fixture
def ax():
    return Figure().subplots()


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
