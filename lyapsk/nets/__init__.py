"""The bridge to skorch: find the recurrent layer of a fitted net, record what drives it."""

from ._agreement import check_agreement
from ._check import check_sequences, check_weights
from ._entry import lyapunov_spectrum
from ._locate import find_layer, module_of, state_size, unwrapped
from ._many import failed, many_spectra, state_sizes
from ._options import Options
from ._problem import Problem, pose
from ._record import (
    around,
    arranged,
    check_order,
    made_once,
    read_calls,
    recorded_calls,
    refresh_weights,
)
from ._sequences import Sequences
from ._solve import solve
from ._undisturbed import undisturbed

__all__ = [
    "Options",
    "Problem",
    "Sequences",
    "around",
    "arranged",
    "check_agreement",
    "check_order",
    "check_sequences",
    "check_weights",
    "failed",
    "find_layer",
    "lyapunov_spectrum",
    "made_once",
    "many_spectra",
    "module_of",
    "pose",
    "read_calls",
    "recorded_calls",
    "refresh_weights",
    "solve",
    "state_size",
    "state_sizes",
    "undisturbed",
    "unwrapped",
]
