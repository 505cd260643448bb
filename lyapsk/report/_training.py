"""Networks that can be compared with each other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .._message import counted
from ..tasks import Recipe


@dataclass(frozen=True)
class Training:
    """Networks that were trained on one task in one way, and what is to be asked of them.

    Attributes
    ----------
    task : str
        In words.
    title : str
        What tells it from other trainings: the task, where that is enough.
    names : list of str
        Of the networks, for the tables.
    recipes : list of Recipe
        What each network was made from.
    losses, metrics : ndarray of shape (n_networks, max_epochs + 1)
        On the validation data before training and after each epoch; not finite from where a
        network diverged.
    metric : str
        Name of the metric.
    criterion : str
        Name of the loss.
    epoch : int
        Epochs after which the spectra are taken; 0 is before training.
    networks : sequence
        The networks as they were then.
    sequences : ndarray of shape (n_sequences, n_steps, n_inputs)
        What drives them.
    driven_by : str
        These in words.
    n_train : int or None
        Sequences that they were trained on, where that is known.
    """

    task: str
    title: str
    names: list[str]
    recipes: list[Recipe]
    losses: np.ndarray
    metrics: np.ndarray
    metric: str
    criterion: str
    epoch: int
    networks: Sequence
    sequences: np.ndarray
    driven_by: str
    n_train: int | None = None

    @classmethod
    def of_population(cls, population, epoch, n_sequences):
        """That of all networks of a population, read along validation sequences."""
        task = population.task
        return cls(
            task=task.name,
            title=task.name,
            names=[str(index) for index in range(len(population))],
            recipes=population.recipes,
            losses=population.losses,
            metrics=population.metrics,
            metric=task.metric.name,
            criterion=getattr(task.criterion, "__name__", "its own"),
            epoch=epoch,
            networks=population.nets(epoch),
            sequences=task.X_valid[:n_sequences],
            driven_by="validation sequences",
            n_train=len(task.X_train),
        )

    def __len__(self):
        """Number of networks."""
        return len(self.names)

    @property
    def max_epochs(self):
        """Epochs of the whole training."""
        return self.losses.shape[1] - 1

    @property
    def loss_early(self):
        """Validation loss when the spectra are taken (n_networks,)."""
        return self.losses[:, self.epoch]

    @property
    def loss_final(self):
        """Validation loss after training (n_networks,)."""
        return self.losses[:, -1]

    @property
    def moment(self):
        """When the spectra are taken, in words."""
        return "before training" if self.epoch == 0 else f"after {counted(self.epoch, 'epoch')}"
