"""AeLLE: autoencoders that read spectra and predict how well their networks will do."""

from ._classifier import AeLLEClassifier
from ._improvement import Improvement
from ._regressor import AeLLERegressor

__all__ = ["AeLLEClassifier", "AeLLERegressor", "Improvement"]
