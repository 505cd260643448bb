"""The features that comparison.py asks about, how an answer is found, and cases for the probes.

A probe, a method of a package's class with the name of a feature, runs the package, checks what
comes out and returns "yes" or a few words; where a class has no probe, :func:`answer` looks through
the public names and arguments of the package for the feature's words.
"""

import importlib
import inspect
import re
from importlib.metadata import version

import numpy as np
import torch
from spectrum import textbook
from torch import nn

HENON = (0.41922, np.log(0.3))  # leading exponent; sum
LORENZ = 0.906
SINGULAR = np.random.default_rng(0).normal(size=(4, 4)) * [[1], [1], [1], [0]]

NETWORK_FEATURES = {
    "layers": ("reads torch's recurrent layers from a fitted net", "torch|layer|rnn"),
    "cell": ("LSTM with its cell", "lstm"),
    "driven": ("driven by data", "sequence|input|drive"),
    "ragged": ("sequences of unequal length in one call", "sequence|length"),
    "population": ("many networks in one call", "network|nets|batch"),
    "gpu": ("runs on a GPU", "gpu|cuda|device"),
    "errors": ("standard errors of the exponents", "standard|error|stderr|confidence"),
    "running": ("exponents against time", "history|time_exponents"),
    "dead": ("a direction that dies has minus infinity", "$^"),
    "leading": ("the k leading exponents alone", "n_exponents"),
    "jacobian": ("needs no Jacobian from the user", "autograd|automatic_j|finite_diff"),
    "gradient": ("a loss's gradient in the frame's coordinates", "gradient|loss"),
    "estimator": ("estimators that pass `check_estimator`", "^fit$|estimator"),
}
SYSTEM_FEATURES = {
    "maps": ("maps", "discrete|mapping"),
    "odes": ("integrates ordinary differential equations", "(^|_)odes?(_|$)|integrator|continuous"),
    "hamiltonian": ("symplectic integrators", "hamilton|symplectic"),
    "delays": ("delay differential equations", "delay|(^|_)dde"),
    "vectors": ("covariant Lyapunov vectors", "clv|covariant"),
    "indicators": ("SALI, GALI and other indicators of chaos", "sali|gali|indicator"),
    "measured": ("from a measured series alone", "lyap.*(series|data)"),
}
FEATURES = NETWORK_FEATURES | SYSTEM_FEATURES


def load(name):
    """The module, or in words why there is none."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return f"{name} not installed (`pip install {name}`)"
    except Exception as error:
        return f"{name} {version(name)} fails to import: {error}"


def public_names(module):
    """Names and arguments of what a module offers, of its classes also the methods'."""
    for name in dir(module):
        thing = getattr(module, name)
        home = getattr(thing, "__module__", None) or ""
        if name.startswith("_") or not home.startswith(module.__name__.split(".")[0]):
            continue
        methods = inspect.getmembers(thing, callable) if inspect.isclass(thing) else []
        for own, function in [(name, thing), *methods]:
            if own.startswith("_"):
                continue
            yield own
            try:
                yield from inspect.signature(function).parameters
            except (TypeError, ValueError):
                continue


def answer(rival, feature):
    """What a rival's probe says, else "no" after a look at what it offers."""
    if probe := getattr(rival, feature, None):
        return probe()
    words = FEATURES[feature][1]
    names = {name for module in rival.modules for name in public_names(module)}
    found = sorted(name for name in names if re.search(words, name.lower()))
    return f"no (not what {', '.join(found)} do)" if found else "no"


def said(condition, otherwise="no"):
    return "yes" if condition else otherwise


def close(found, expected, tolerance):
    return bool(np.abs(np.asarray(found) - expected).max() < tolerance)


def driven_layer(n_units, n_sequences, n_steps, seed=0, kind=nn.RNN):
    """A layer with torch's weights, and sequences that drive it."""
    torch.manual_seed(seed)
    layer = kind(4, n_units, batch_first=True)
    return layer, np.random.default_rng(seed).normal(size=(n_sequences, n_steps, 4))


def elman_arrays(layer, sequence):
    """Recurrent weights and what each step adds to them."""
    V, W, b, c = (weight.detach().double().numpy() for weight in layer.parameters())
    return W, sequence @ V.T + b + c


def driven_agrees(rival):
    layer, X = driven_layer(3, 1, 4000)
    return close(rival.elman([layer], X)[0], textbook(layer, X), 0.01)
