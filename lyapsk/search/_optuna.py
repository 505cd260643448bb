"""Optuna's callback, pruner and sampler; they, and only they, need Optuna."""

try:
    import optuna  # noqa: F401
except ImportError as error:
    raise ImportError(
        "OptunaSpectra, LyapunovPruner and LyapunovSampler work with Optuna: "
        'pip install "lyapsk[optuna]"'
    ) from error

from ._optuna_pruner import LyapunovPruner
from ._optuna_sampler import LyapunovSampler
from ._optuna_spectra import OptunaSpectra

__all__ = ["LyapunovPruner", "LyapunovSampler", "OptunaSpectra"]
