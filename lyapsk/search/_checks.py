"""Refuse what a search cannot work with, before anything is made."""

import pickle

from joblib import effective_n_jobs
from joblib.parallel import get_active_backend
from skorch import NeuralNet
from skorch.callbacks import Checkpoint
from torch import nn

from .._checks import is_count, refusal
from .._message import message_of
from ..exceptions import InvalidInputError, InvalidTypeError


def check_net(net, param_distributions):
    """A net must be one that can be trained, scored and told from others."""
    if not isinstance(net, NeuralNet):
        raise InvalidTypeError(
            f"net: got {type(net).__name__}. It must be a skorch net, such as "
            "NeuralNetClassifier(MyModule)."
        )
    if not net.train_split:
        raise InvalidInputError(
            f"net: its train_split is {net.train_split!r}, so that there is nothing to score "
            "networks on. Give it one, such as skorch.dataset.ValidSplit(5), or "
            "skorch.helper.predefined_split(dataset) for validation data of your own."
        )
    if not is_count(net.max_epochs):
        raise refusal("net: its max_epochs", net.max_epochs, "a whole number of at least 1")
    made_already = isinstance(net.module, nn.Module) and not net.get_params_for("module")
    if made_already and not param_distributions:
        raise InvalidInputError(
            "net: its module is an instance, whose weights all candidates would share, and "
            "param_distributions is empty. Give the net the module's class."
        )
    _check_callbacks(net.callbacks)


def check_budget(budget, n_first, rungs):
    """There must be epochs for the first set, and to finish one of it."""
    least = (n_first - 1) * rungs[0] + rungs[-1]
    if budget < least:
        raise InvalidInputError(
            f"n_epochs_budget: got {budget}. The first set of n_first={n_first} networks takes "
            f"{rungs[0]} epochs each, and one of them must reach max_epochs={rungs[-1]}: that "
            f"makes {least} at least. Raise the budget, or lower n_first."
        )


def check_picklable(name, value):
    """What candidates are made of must go to disk and to other processes."""
    try:
        pickle.dumps(value)
    except Exception as error:
        raise InvalidInputError(
            f"{name}: it cannot be pickled: {message_of(error)}. "
            "Networks are kept on disk while they wait: "
            "define modules, callbacks and functions at the top level of a file, and use no "
            "lambda."
        ) from error


def check_known_to_workers(net, n_jobs):
    """Worker processes can import what stands in a file, but not the main script."""
    if effective_n_jobs(n_jobs) == 1 or getattr(get_active_backend()[0], "uses_threads", False):
        return
    for name, value in net.get_params(deep=False).items():
        kind = value if hasattr(value, "__qualname__") else type(value)
        if kind.__module__ == "__main__":
            raise InvalidInputError(
                f"net: its {name} is {kind.__qualname__} of the main script or a notebook, which "
                f"the worker processes of n_jobs={n_jobs} do not know. Put it into a file that is "
                "imported, or pass n_jobs=None."
            )


def _check_callbacks(callbacks):
    if isinstance(callbacks, str):
        raise InvalidInputError(
            f"net: its callbacks are {callbacks!r}, so that it keeps no record of its scores. Give "
            "it a list of callbacks, or None."
        )
    for item in callbacks or []:
        callback = item[1] if isinstance(item, tuple | list) else item
        if isinstance(callback, Checkpoint) and callback.load_best:
            raise InvalidInputError(
                "net: its Checkpoint has load_best=True, and would load what another network "
                "wrote to the same file. Take skorch.callbacks.EarlyStopping(load_best=True)."
            )
