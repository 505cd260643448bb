"""All faults by name.

Each is a function ``fault(n_cases, directory, seed)`` that gives an ``Outcome``. It may write to
the directory, which is empty.
"""

from .files import FILES
from .inputs import INPUTS
from .networks import NETWORKS
from .processes import PROCESSES

FAULTS = INPUTS | FILES | NETWORKS | PROCESSES

CASES = {
    "options": (100, 4000),
    "inputs of lyapunov_spectrum": (40, 1200),
    "inputs of LyapunovSpectrumTransformer": (40, 800),
    "inputs of SpectrumStatistics": (60, 5000),
    "inputs of LearningCurveTransformer": (60, 5000),
    "inputs of AeLLERegressor.fit": (20, 500),
    "inputs of AeLLERegressor.predict": (40, 3000),
    "inputs of AeLLEClassifier.fit": (20, 500),
    "inputs of AeLLEClassifier.predict": (40, 2000),
    "inputs of GradientAlignmentScorer": (60, 2000),
    "files of a population": (10, 300),
    "files of kept spectra": (20, 1200),
    "networks in safetensors": (20, 1200),
    "networks in torch's files": (20, 1200),
    "files of lyapsk.save": (20, 600),
    "bad networks": (20, 600),
    "short of memory": (10, 400),
    "killed while keeping spectra": (2, 60),
    "killed while training a population": (2, 40),
    "two processes, one directory": (2, 40),
    "two threads": (10, 300),
    "loky, fork and spawn": (3, 21),
    "Dask worker killed": (1, 12),
}
"""How many of each kind are few, for the tests, and many, for the benchmark."""
