"""The bridge to skorch: find the recurrent layer of a fitted net, record what drives it."""

from ._entry import lyapunov_spectrum
from ._locate import state_size
from ._many import failed, many_spectra
from ._options import Options
from ._problem import Problem, pose
from ._solve import solve

__all__ = [
    "Options",
    "Problem",
    "failed",
    "lyapunov_spectrum",
    "many_spectra",
    "pose",
    "solve",
    "state_size",
]
