"""Sequence tasks with bundled or generated data, for the demo, the tests and the benchmarks."""

from ._base import SequenceTask
from ._characters import characters
from ._delayed_copy import delayed_copy
from ._digits import digits_by_pixels, digits_by_rows
from ._losses import StepCrossEntropy
from ._metrics import ACCURACY, NRMSE, Metric
from ._modules import SequenceNetwork
from ._narma import narma10
from ._population import Population, make_population
from ._recipes import Recipe
from ._sines import four_sines

TASKS = {
    task.__name__: task
    for task in (characters, delayed_copy, digits_by_pixels, digits_by_rows, four_sines, narma10)
}
"""Every task by name; each function can be called without arguments."""

__all__ = [
    "ACCURACY",
    "NRMSE",
    "TASKS",
    "Metric",
    "Population",
    "Recipe",
    "SequenceNetwork",
    "SequenceTask",
    "StepCrossEntropy",
    "make_population",
    *TASKS,
]
