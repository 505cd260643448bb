"""Populations of trained networks."""

import warnings
from dataclasses import dataclass

import numpy as np
import torch

from .._checks import check_count
from .._files import writable_directory
from .._message import message_of
from .._parallel import in_parallel
from ..exceptions import InvalidInputError, InvalidTypeError, LyapskWarning, NumericalError
from ._base import SequenceTask
from ._recipes import Recipe, draw_recipes
from ._store import network_files
from ._training import RECORDED, TrainedNetwork, make_net, train_network


@dataclass(frozen=True)
class Population:
    """Networks trained on one task, as :func:`~lyapsk.tasks.make_population` returns them.

    Attributes
    ----------
    task : SequenceTask
        What they were trained on.
    recipes : list of Recipe
        What each was made from.
    networks : list of TrainedNetwork
        The curves and the kept weights of each.
    """

    task: SequenceTask
    recipes: list[Recipe]
    networks: list[TrainedNetwork]

    def __len__(self):
        """Number of networks."""
        return len(self.recipes)

    @property
    def losses(self):
        """Validation loss (n_networks, max_epochs + 1), before training and after each epoch."""
        return self.learning_curves["valid_loss"]

    @property
    def metrics(self):
        """Metric of the task (n_networks, max_epochs + 1), as `losses`."""
        return self.learning_curves[self.task.metric.name]

    @property
    def learning_curves(self):
        """Arrays (n_networks, max_epochs + 1) by the names that skorch's history has for them.

        The training loss, which is NaN before training, the validation loss and the metric.
        """
        return {
            name: np.stack([network.curves[name] for network in self.networks])
            for name in ("train_loss", "valid_loss", self.task.metric.name)
        }

    @property
    def final_loss(self):
        """Validation loss after training (n_networks,); not finite where a network diverged."""
        return self.losses[:, -1]

    @property
    def finished(self):
        """Mask (n_networks,) of the networks that did not diverge."""
        return np.isfinite(self.final_loss)

    def nets(self, epoch):
        """The networks as they were after so many epochs.

        Parameters
        ----------
        epoch : int
            One of the checkpoints; 0 is before training.

        Returns
        -------
        list of NeuralNet
            Initialised skorch nets. The history of each ends with this epoch; its optimizer
            starts afresh.
        """
        kept = self.networks[0].weights
        if epoch not in kept:
            epochs = ", ".join(map(str, kept)) or "none"
            raise InvalidInputError(
                f"epoch: got {epoch!r}. Weights were kept at {epochs}: ask for one of these, or "
                "make the population with other checkpoints."
            )
        pairs = zip(self.recipes, self.networks, strict=True)
        return [_net(self.task, recipe, network, epoch) for recipe, network in pairs]

    def hyper_parameters(self):
        """What the recipes say, in numbers.

        Returns
        -------
        values : ndarray of shape (n_networks, n_kinds + 3)
        names : list of str
            One-hot kind, of those that there are, then logarithms of hidden size, half-width and
            learning rate.
        """
        kinds = list(dict.fromkeys(recipe.kind for recipe in self.recipes))
        names = [f"kind_{kind}" for kind in kinds]
        names += ["log_hidden_size", "log_half_width", "log_learning_rate"]
        return np.array([_numbers(recipe, kinds) for recipe in self.recipes]), names


def make_population(
    task,
    n_networks,
    *,
    kinds=("RNN", "GRU", "LSTM"),
    hidden_sizes=(8, 48),
    half_widths=(0.03, 2.0),
    learning_rates=0.005,
    max_epochs=12,
    checkpoints=(0,),
    directory=None,
    n_jobs=None,
    random_state=0,
    verbose=1,
):
    """Train networks that differ in architecture, size, initial weights and learning rate.

    Parameters
    ----------
    task : SequenceTask
        What they learn.
    n_networks : int
        How many. The first of them are the same in a larger population.
    kinds : sequence of str, default=("RNN", "GRU", "LSTM")
        Recurrent layers, in turn, by the names that :class:`SequenceNetwork` has for them.
    hidden_sizes : int or (low, high), default=(8, 48)
        Hidden units, drawn uniformly, both bounds included.
    half_widths : float or (low, high), default=(0.03, 2.0)
        Bound of the recurrent weights before training, drawn log-uniformly.
    learning_rates : float or (low, high), default=0.005
        Step size of the optimizer, drawn log-uniformly.
    max_epochs : int, default=12
        Epochs of training.
    checkpoints : sequence of int, default=(0,)
        After how many epochs weights are kept, for :meth:`Population.nets`.
    directory : str or Path, optional
        Where each network is kept as soon as it is trained; made if missing. Networks that are
        there are not trained again: a run that was stopped goes on where it was. Populations of
        any kind may share a directory.
    n_jobs : int, optional
        Processes, as in joblib. The results do not depend on their number.
    random_state : int, default=0
        Draws the recipes.
    verbose : int, default=1
        Above 0, progress is shown.

    Returns
    -------
    population : Population

    Raises
    ------
    InvalidInputError
        Naming the argument that is not allowed.
    NumericalError
        If a network fails, other than by diverging, with its recipe.
    OSError
        If `directory` cannot be made or written to.

    Warns
    -----
    LyapskWarning
        Of networks that diverged, and of damaged files, which are made anew.

    Examples
    --------
    >>> from lyapsk.tasks import digits_by_rows, make_population
    >>> population = make_population(
    ...     digits_by_rows(), 3, max_epochs=2, checkpoints=(0, 2), verbose=0
    ... )
    >>> [recipe.kind for recipe in population.recipes]
    ['RNN', 'GRU', 'LSTM']
    >>> population.losses.shape
    (3, 3)
    >>> len(population.nets(2)[0].history)
    2
    """
    _check_task(task)
    recipes = draw_recipes(
        n_networks, kinds, hidden_sizes, half_widths, learning_rates, random_state
    )
    check_count("max_epochs", max_epochs, least=0)
    checkpoints = _checked_checkpoints(checkpoints, max_epochs)
    files = _files(directory, task, recipes, max_epochs, checkpoints)
    networks = [file and file.read() for file in files]
    missing = [i for i, network in enumerate(networks) if network is None]
    jobs = [(task, recipes[i], max_epochs, checkpoints, files[i]) for i in missing]
    trained = in_parallel(_train_and_keep, jobs, n_jobs, "training networks", verbose)
    for i, network in zip(missing, trained, strict=True):
        networks[i] = network
    population = Population(task, recipes, networks)
    _tell_diverged(population)
    return population


def _check_task(task):
    if not isinstance(task, SequenceTask):
        raise InvalidTypeError(
            f"task: got {type(task).__name__}. It must be a SequenceTask, as digits_by_rows() "
            "returns it."
        )
    if task.metric.name in RECORDED:
        raise InvalidInputError(
            f"task: its metric is named {task.metric.name!r}, as what every net records of its own "
            "training. Give it another name."
        )


def _checked_checkpoints(checkpoints, max_epochs):
    """Epochs in order, each once."""
    epochs = tuple(checkpoints) if np.iterable(checkpoints) else (checkpoints,)
    for epoch in epochs:
        if check_count("checkpoints", epoch, least=0) > max_epochs:
            raise InvalidInputError(
                f"checkpoints: got {checkpoints!r}. None can be above max_epochs={max_epochs}."
            )
    return tuple(sorted({int(epoch) for epoch in epochs}))


def _files(directory, task, recipes, max_epochs, checkpoints):
    """Where to keep each network; None for each where there is no directory."""
    if directory is None:
        return [None] * len(recipes)
    directory = writable_directory("directory", directory)
    return network_files(directory, task, recipes, max_epochs, checkpoints)


def _train_and_keep(task, recipe, max_epochs, checkpoints, file):
    try:
        network = train_network(task, recipe, max_epochs, checkpoints)
    except Exception as error:
        raise NumericalError(
            f"a network could not be trained: {recipe} failed with {type(error).__name__}: "
            f"{message_of(error)}. Mend the task, or leave such networks out; with directory= "
            "those that are trained already are kept."
        ) from error
    if file is not None:
        file.write(network)
    return network


def _tell_diverged(population):
    diverged = np.flatnonzero(~population.finished)
    if len(diverged):
        warnings.warn(
            f"{len(diverged)} of {len(population)} networks diverged: "
            f"{', '.join(map(str, diverged))}. Their final loss is not finite; `finished` tells "
            "them from the others.",
            LyapskWarning,
            stacklevel=3,
        )


def _net(task, recipe, network, epoch):
    """A net with the weights and the history of an epoch."""
    net = make_net(task, recipe)
    weights = network.weights[epoch]
    net.module_.load_state_dict({name: torch.as_tensor(weights[name]) for name in weights})
    for done in range(1, epoch + 1):
        net.history.new_epoch()
        net.history.record("epoch", done)
        for name, curve in sorted(network.curves.items()):
            net.history.record(name, float(curve[done]))
    return net


def _numbers(recipe, kinds):
    one_hot = [float(recipe.kind == kind) for kind in kinds]
    return one_hot + list(np.log([recipe.hidden_size, recipe.half_width, recipe.learning_rate]))
