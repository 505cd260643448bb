"""Trained networks on disk: one safetensors file for each, whole and checked."""

import json
import warnings
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import FunctionType

import joblib
import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from .._files import write_atomically
from ..exceptions import LyapskWarning
from ._training import TrainedNetwork, make_net

FORMAT = 1


@dataclass(frozen=True)
class NetworkFile:
    """Where one trained network is, or will be.

    Attributes
    ----------
    path : Path
        Its name follows from the description, so that populations of any kind may share a
        directory.
    description : str
        All that the network comes from, as JSON.
    """

    path: Path
    description: str

    def write(self, network):
        """Keep a network; its file is there as a whole or not at all."""
        arrays = {f"curves/{name}": curve for name, curve in network.curves.items()}
        for epoch, state in network.weights.items():
            arrays |= {f"weights/{epoch}/{name}": array for name, array in state.items()}
        write_atomically(self.path, save(arrays, metadata=self._metadata(arrays)))

    def read(self):
        """The network, or None where there is no file or, with a warning, a damaged one."""
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, framework="np") as file:
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                intact = file.metadata() == self._metadata(arrays)
        except SafetensorError:
            intact = False
        if intact:
            return _network(arrays)
        warnings.warn(
            f"{self.path} is damaged: its network is trained again.", LyapskWarning, stacklevel=3
        )
        return None

    def _metadata(self, arrays):
        return {"lyapsk": self.description, "sha256": _digest(arrays)}


def network_files(directory, task, recipes, max_epochs, checkpoints):
    """A :class:`NetworkFile` for each recipe."""
    data = _digest(
        {name: getattr(task, name) for name in ("X_train", "y_train", "X_valid", "y_valid")}
    )
    settings = {
        "format": FORMAT,
        "task": task.name,
        "data": data,
        "module": task.module,
        "criterion": task.criterion,
        "metric": [task.metric.name, task.metric.function],
        "max_epochs": max_epochs,
        "checkpoints": checkpoints,
    }
    return [_network_file(directory, task, recipe, settings) for recipe in recipes]


def _network_file(directory, task, recipe, settings):
    net = make_net(task, recipe)
    description = json.dumps(
        {
            **settings,
            "network": repr(net.module_),
            "optimizer": net.optimizer,
            "batch_size": net.batch_size,
            "recipe": asdict(recipe),
        },
        sort_keys=True,
        default=_told,
    )
    key = sha256(description.encode()).hexdigest()[:16]
    name = f"{recipe.kind}-{recipe.hidden_size}-{key}.safetensors"
    return NetworkFile(directory / name, description)


def _told(part):
    """What JSON has no word for: code by its qualified name, all else by what it holds."""
    if isinstance(part, partial):
        return {"function": part.func, "arguments": part.args, "keywords": part.keywords}
    if isinstance(part, type | FunctionType):
        return f"{part.__module__}.{part.__qualname__}"
    return part.tolist() if torch.is_tensor(part) else joblib.hash(part)


def _network(arrays):
    """A trained network from arrays by the names under which they were written."""
    curves, weights = {}, {}
    for name, array in arrays.items():
        part, _, rest = name.partition("/")
        if part == "curves":
            curves[rest] = array
        else:
            epoch, _, parameter = rest.partition("/")
            weights.setdefault(int(epoch), {})[parameter] = array
    return TrainedNetwork(curves, weights)


def _digest(arrays):
    """A fingerprint of arrays by name."""
    digest = sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()
