"""Lyapunov spectra of recurrent networks, and what they say about performance."""

from importlib import import_module

from ._version import __version__

_ROOM_OF = {
    "Diagnosis": "spectrum",
    "LyapunovSpectrum": "spectrum",
    "diagnose": "spectrum",
    "lyapunov_spectrum": "nets",
    "LearningCurveTransformer": "transformers",
    "LyapunovSpectrumTransformer": "transformers",
    "SpectrumStatistics": "transformers",
    "AeLLERegressor": "aelle",
    "AeLLEClassifier": "aelle",
    "GradientAlignmentScorer": "scorers",
    "InputSensitivityScorer": "scorers",
    "frame_gradient": "scorers",
    "LayerDynamics": "tangent",
    "register_layer": "tangent",
    "load": "_persistence",
    "save": "_persistence",
}

__all__ = ["__version__", *_ROOM_OF]


def __getattr__(name):
    """Import a public name on first use, so that ``import lyapsk`` stays quick."""
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'lyapsk' has no attribute {name!r}")
    return getattr(import_module(f"lyapsk.{_ROOM_OF[name]}"), name)


def __dir__():
    return sorted(__all__)
