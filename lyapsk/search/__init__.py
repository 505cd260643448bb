"""Searches that read spectra, and so spend their epochs on the networks that promise most."""

from ._search import LyapunovSearchCV

__all__ = ["LyapunovSearchCV"]
