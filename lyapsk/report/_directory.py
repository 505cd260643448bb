"""The trained networks in a directory that ``make_population`` wrote."""

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from .._array_file import ArrayFile, digest
from .._message import counted, message_of
from .._random import seeded
from ..exceptions import InvalidInputError, LyapskWarning
from ..tasks import TASKS, Recipe, SequenceNetwork
from ..tasks._store import FORMAT
from ._training import Training

_SEQUENCE_NETWORK = f"{SequenceNetwork.__module__}.{SequenceNetwork.__qualname__}"
_RECIPE = {
    "kind": str,
    "hidden_size": int,
    "half_width": float,
    "learning_rate": float,
    "seed": int,
}
_TRAINING = ("task", "data", "module", "criterion", "metric", "max_epochs")
"""What networks have in common whose losses can be compared."""


@dataclass(frozen=True)
class Request:
    """What is asked of a directory.

    Attributes
    ----------
    epoch : int
        After which the spectra are to be taken.
    n_sequences : int
        Driving sequences.
    seed : int
        Of tasks of lyapsk that were made with it.
    sequences : ndarray, optional
        Driving sequences for all networks, in place of their tasks' own.
    module : callable, optional
        ``module(kind=..., hidden_size=..., half_width=...)`` makes networks that are no
        ``SequenceNetwork``.
    """

    epoch: int = 0
    n_sequences: int = 4
    seed: int = 0
    sequences: np.ndarray | None = None
    module: Callable | None = None


@dataclass(frozen=True)
class _Kept:
    """One network as its file tells."""

    name: str
    description: dict
    recipe: Recipe
    losses: np.ndarray
    metrics: np.ndarray
    weights: dict | None
    training: str


def read_trainings(directory, request):
    """Trainings of the networks in a directory.

    Parameters
    ----------
    directory : Path
    request : Request

    Returns
    -------
    trainings : list of Training
        Networks of different tasks, or trained differently, apart from each other.
    left_out : list of str
        What could not be used, and why.

    Raises
    ------
    InvalidInputError
        If there is nothing to report on.

    Warns
    -----
    LyapskWarning
        Of each damaged file.
    """
    if not Path(directory).is_dir():
        raise InvalidInputError(f"{directory}: there is no such directory.")
    paths = sorted(Path(directory).glob("*.safetensors"))
    if not paths:
        raise InvalidInputError(
            f"{directory} holds no trained network (*.safetensors). Give the directory that "
            "make_population(..., directory=...) wrote."
        )
    read = [_read(path, request.epoch) for path in paths]
    kept = [network for network in read if network is not None]
    left_out = []
    if len(kept) < len(read):
        n_lost = counted(len(read) - len(kept), "file")
        left_out.append(f"{n_lost}, damaged or of no trained network")
    trainings = []
    for networks in _grouped(kept):
        try:
            trainings.append(_training(networks, request, left_out))
        except InvalidInputError as error:
            left_out.append(str(error))
    if not trainings:
        raise InvalidInputError(f"{directory}: nothing to report on. Left out: {_joined(left_out)}")
    return _with_own_titles(trainings), left_out


def _read(path, epoch):
    """The network in a file, or None, with a warning where it is damaged."""
    try:
        with safe_open(path, framework="np") as file:
            description = (file.metadata() or {})["lyapsk"]
        arrays = ArrayFile(path, description).read("it is left out")
        return None if arrays is None else _kept(path.stem, json.loads(description), arrays, epoch)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        warnings.warn(
            f"{path} is damaged or no trained network ({type(error).__name__}): it is left out.",
            LyapskWarning,
            stacklevel=4,
        )
        return None


def _kept(name, description, arrays, epoch):
    metric, _ = description["metric"]
    start = f"weights/{epoch}/"
    weights = {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)}
    if description["format"] != FORMAT:
        raise ValueError(f"of format {description['format']!r}")
    description["task"] = str(description["task"])
    description["checkpoints"] = [int(kept_epoch) for kept_epoch in description["checkpoints"]]
    kept = _Kept(
        name=name,
        description=description,
        recipe=Recipe(
            **{part: kind(description["recipe"][part]) for part, kind in _RECIPE.items()}
        ),
        losses=arrays["curves/valid_loss"],
        metrics=arrays[f"curves/{metric}"],
        weights=weights or None,
        training=json.dumps([description[part] for part in _TRAINING], sort_keys=True),
    )
    if {kept.losses.shape, kept.metrics.shape} != {(description["max_epochs"] + 1,)}:
        raise ValueError("its curves have another length")
    return kept


def _grouped(kept):
    """Networks of one training each; of twins, kept at other epochs, the one with weights."""
    groups = {}
    for network in sorted(kept, key=lambda network: network.weights is None):
        groups.setdefault(network.training, {}).setdefault(network.recipe, network)
    by_name = [sorted(own.values(), key=lambda network: network.name) for own in groups.values()]
    return sorted(by_name, key=lambda own: (own[0].description["task"], -len(own), own[0].name))


def _training(networks, request, left_out):
    """The training of networks that can be compared; what it lacks is added to `left_out`.

    Raises
    ------
    InvalidInputError
        If it cannot be used, with the reason.
    """
    description = networks[0].description
    title, max_epochs = description["task"], description["max_epochs"]
    there = [network for network in networks if network.weights is not None]
    if request.epoch >= max_epochs or not there:
        epochs = sorted({e for own in networks for e in own.description["checkpoints"]})
        epochs = [str(epoch) for epoch in epochs if epoch < max_epochs]
        raise InvalidInputError(
            f"{title}: epoch {request.epoch} was asked for, of which no weights were kept of its "
            f"{counted(len(networks), 'network')}, or which is the last of {max_epochs}. Kept are "
            f"those of epochs {', '.join(epochs) or 'none'}: ask for one of these, or keep "
            "others by checkpoints= of make_population."
        )
    if len(there) < len(networks):
        left_out.append(
            f"{title}: {len(networks) - len(there)} of {len(networks)} networks, without weights "
            f"of epoch {request.epoch}"
        )
    sequences, driven_by, n_train = _driving(description, request)
    return Training(
        task=title,
        title=title,
        names=[network.name for network in there],
        recipes=[network.recipe for network in there],
        losses=np.stack([network.losses for network in there]),
        metrics=np.stack([network.metrics for network in there]),
        metric=str(description["metric"][0]),
        criterion=_short(description["criterion"]),
        epoch=request.epoch,
        networks=[_made(network, request) for network in there],
        sequences=sequences[: request.n_sequences],
        driven_by=driven_by,
        n_train=n_train,
    )


def _driving(description, request):
    """Driving sequences, what they are, and how many the networks were trained on."""
    task = _task(description, request.seed)
    n_train = None if task is None else len(task.X_train)
    if request.sequences is not None:
        return request.sequences, "sequences that were given", n_train
    if task is None:
        raise InvalidInputError(
            f"{description['task']}: its data are not kept with the networks, and are none that "
            "lyapsk.tasks makes by itself. Give driving sequences with --data, or the random_state "
            "of its task with --seed."
        )
    return task.X_valid, "validation sequences", n_train


def _task(description, seed):
    """The task of lyapsk with the very data, or None."""
    for make in TASKS.values():
        for random_state in dict.fromkeys((0, seed)):
            task = make(random_state=random_state)
            if task.name != description["task"]:
                break
            names = ("X_train", "y_train", "X_valid", "y_valid")
            if digest({name: getattr(task, name) for name in names}) == description["data"]:
                return task
    return None


def _made(network, request):
    """The network itself, in eval mode."""
    recipe = network.recipe
    sizes = {name: getattr(recipe, name) for name in ("kind", "hidden_size", "half_width")}
    try:
        module = request.module or _maker(network.description["module"])
        with seeded(recipe.seed):
            made = module(**sizes)
        made.load_state_dict({k: torch.as_tensor(v) for k, v in network.weights.items()})
        return made.eval()
    except Exception as error:
        raise InvalidInputError(
            f"{network.description['task']}: {network.name} cannot be made again: "
            f"{type(error).__name__}: {message_of(error)}. "
            "Give what makes its module with --module, called "
            "with kind, hidden_size and half_width."
        ) from error


def _maker(told):
    """What makes the module, as the description of a network tells; nothing else is called."""
    call = told if isinstance(told, dict) else {"function": told, "arguments": [], "keywords": {}}
    if call["function"] != _SEQUENCE_NETWORK:
        raise InvalidInputError(f"its module is {_short(told)}, not of lyapsk.tasks")
    return partial(SequenceNetwork, *call["arguments"], **call["keywords"])


def _short(told):
    """A class or function by its last name."""
    while isinstance(told, dict):
        told = told.get("function")
    return str(told).rpartition(".")[2]


def _with_own_titles(trainings):
    """Trainings whose titles tell them apart: by their epochs or, failing that, by numbers."""
    titles = [training.title for training in trainings]
    titles = [
        f"{title} ({counted(training.max_epochs, 'epoch')})" if titles.count(title) > 1 else title
        for title, training in zip(titles, trainings, strict=True)
    ]
    return [replace(training, title=_numbered(titles, i)) for i, training in enumerate(trainings)]


def _numbered(titles, i):
    """One of several titles, with a number where others are the same."""
    if titles.count(titles[i]) == 1:
        return titles[i]
    return f"{titles[i]}, no. {titles[: i + 1].count(titles[i])}"


def _joined(reasons):
    return "; ".join(reason.rstrip(".") for reason in reasons) + "."
