"""State dicts, also as training loops save them among other things."""

from collections import Counter
from collections.abc import Mapping

import torch

from ..exceptions import InvalidInputError

SHOWN = 3
"""Names that an error shows of each kind."""


def weights_by_name(state):
    """Tensors by name, of a state dict or of one among other things, as training loops save it."""
    found = {}
    for name, part in state.items():
        if torch.is_tensor(part):
            found[str(name)] = part
        elif isinstance(part, Mapping):
            found |= {f"{name}.{rest}": tensor for rest, tensor in weights_by_name(part).items()}
    return found


def load_weights(module, state, path):
    """Give a module its weights.

    Parameters
    ----------
    module : nn.Module
    state : dict
        Its state dict; or one thing among others that holds it, its names perhaps behind a
        prefix, as wrappers for several devices or compilation put it there.
    path : Path
        What errors call the file.

    Raises
    ------
    InvalidInputError
        If they are not this module's, or are there more than once.
    """
    if not isinstance(state, Mapping):
        raise InvalidInputError(
            f"X: {path} holds {type(state).__name__}, no state dict. Save its state_dict(), or "
            "leave module out and pass trusted=True where you trust the file."
        )
    expected, given = module.state_dict(), weights_by_name(state)
    n_found = _n_found_behind(expected, given)
    fitting = [p for p in n_found if _behind(p, given).keys() == expected.keys()]
    if len(fitting) > 1:
        raise InvalidInputError(
            f"X: {path} holds weights of module more than once, each name behind one of "
            f"{_listed(list(map(repr, fitting)))}. Save one of them by itself."
        )
    prefix = fitting[0] if fitting else max(n_found, key=n_found.get, default="")
    own = _behind(prefix, given)
    try:
        module.load_state_dict(own if prefix else state)
    except RuntimeError as error:
        raise InvalidInputError(
            f"X: the weights in {path} are not those of the {type(module).__name__} that module "
            f"gave: {_differences(expected, own) or error}. Let module give the one they "
            "were saved from."
        ) from error


def _n_found_behind(expected, given):
    """For each prefix of names that are given, how many expected ones stand behind it."""
    found = (
        name.removesuffix(own)
        for own in expected
        for name in given
        if name == own or name.endswith(f".{own}")
    )
    return Counter(found)


def _behind(prefix, given):
    return {k.removeprefix(prefix): w for k, w in given.items() if k.startswith(prefix)}


def _differences(expected, given):
    """How names and shapes differ, in few words."""
    shapes = [
        f"{name} {tuple(given[name].shape)} for {tuple(weight.shape)}"
        for name, weight in expected.items()
        if name in given and given[name].shape != weight.shape
    ]
    kinds = {
        "missing": [repr(name) for name in expected if name not in given],
        "unexpected": [repr(name) for name in given if name not in expected],
        "of another shape": shapes,
    }
    return "; ".join(f"{len(n)} {kind} ({_listed(n)})" for kind, n in kinds.items() if n)


def _listed(names):
    return ", ".join([*names[:SHOWN], "..."] if len(names) > SHOWN else names)
