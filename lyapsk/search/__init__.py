"""Searches that read spectra, and so spend their epochs on the networks that promise most."""

from ._search import LyapunovSearchCV

_WITH_OPTUNA = ("LyapunovPruner", "LyapunovSampler", "OptunaSpectra")

__all__ = ["LyapunovSearchCV", *_WITH_OPTUNA]


def __getattr__(name):
    """Import what needs Optuna on first use: it is an extra."""
    if name not in _WITH_OPTUNA:
        raise AttributeError(f"module 'lyapsk.search' has no attribute {name!r}")
    from . import _optuna

    return getattr(_optuna, name)
