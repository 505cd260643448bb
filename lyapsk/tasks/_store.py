"""Trained networks on disk: one safetensors file for each, whole and checked."""

import json
import marshal
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from inspect import getsource
from pathlib import Path
from types import FunctionType
from uuid import uuid4

import joblib
import torch

from .._array_file import ArrayFile, digest
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
        self._file.write(arrays)

    def read(self):
        """The network, or None where there is no file or, with a warning, a damaged one."""
        arrays = self._file.read("its network is trained again")
        return None if arrays is None else _network(arrays)

    @property
    def _file(self):
        return ArrayFile(self.path, self.description)


def network_files(directory, task, recipes, max_epochs, checkpoints):
    """A :class:`NetworkFile` for each recipe."""
    data = digest(
        {name: getattr(task, name) for name in ("X_train", "y_train", "X_valid", "y_valid")}
    )
    parts = (task.module, task.criterion, task.metric.function, type(task))
    code = [_code(part) for part in parts]
    settings = {
        "format": FORMAT,
        "task": task.name,
        "data": data,
        "module": task.module,
        "criterion": task.criterion,
        "metric": [task.metric.name, task.metric.function],
        "code": sha256(json.dumps(code, default=_told).encode()).hexdigest(),
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
            "settings": {
                name: value
                for name, value in net.get_params(deep=False).items()
                if "__" in name and not name.startswith("module__")
            },
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
    if torch.is_tensor(part):
        return part.tolist()
    try:
        return joblib.hash(part)
    except Exception:  # what cannot be told is never the same
        return uuid4().hex


def _code(part):
    """What a function or a class of a user's does; None where its name tells.

    Lists of what JSON knows, or ``_told`` tells.
    """
    if isinstance(part, partial):
        return _code(part.func)
    if not isinstance(part, type | FunctionType):
        return None
    if part.__module__.partition(".")[0] in ("lyapsk", "torch", "builtins"):
        return None
    try:
        told = [getsource(part)]
    except (OSError, TypeError):
        told = [marshal.dumps(part.__code__).hex()] if isinstance(part, FunctionType) else []
    if isinstance(part, FunctionType):
        held = [cell.cell_contents for cell in part.__closure__ or ()]
        told += [held, [_code(value) for value in held], part.__defaults__, part.__kwdefaults__]
    return told


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
