"""Torch's recurrent layers, made from nothing but their weights."""

import re
import warnings

import torch
from torch import nn

from .._message import counted
from ..exceptions import LyapskWarning, RecurrentLayerError

LAYERS = {1: nn.RNN, 3: nn.GRU, 4: nn.LSTM}
CELLS = {1: nn.RNNCell, 3: nn.GRUCell, 4: nn.LSTMCell}
"""By the number of blocks that are stacked in their matrices."""

_RECURRENT = re.compile(r"(?P<prefix>.*\.|)weight_hh(_l\d+(_reverse)?)?")


def infer_layer(weights, prefix=None, nonlinearity=None):
    """The recurrent layer or cell of torch that weights are those of.

    Parameters
    ----------
    weights : dict of str to Tensor
    prefix : str, optional
        Name of the layer, where there are several.
    nonlinearity : {"tanh", "relu"}, optional
        Of a ``torch.nn.RNN``, whose weights do not tell; by default "tanh".

    Returns
    -------
    name : str
        Its prefix; empty for weights of a bare layer.
    layer : torch.nn.Module

    Raises
    ------
    RecurrentLayerError
        If there is none, more than one and no prefix, none of that name, or one that is not
        torch's.

    Warns
    -----
    LyapskWarning
        If the weights are as much those of another layer of lyapsk.
    """
    name = _chosen(_prefixes(weights), prefix)
    start = f"{name}." if name else ""
    own = {k.removeprefix(start): w for k, w in weights.items() if k.startswith(start)}
    if not name:
        # A module that is a layer itself, or one with other parts.
        own = {k: w for k, w in own.items() if "." not in k or k.startswith("parametrizations.")}
    return name, _made(name, own, nonlinearity)


def _prefixes(weights):
    matches = map(_RECURRENT.fullmatch, weights)
    return list(dict.fromkeys(m["prefix"].removesuffix(".") for m in matches if m))


def _chosen(prefixes, wanted):
    told = ", ".join(map(repr, prefixes))
    if not prefixes:
        raise RecurrentLayerError(
            "these weights hold no recurrent layer of torch, which has weight_ih_l0 and "
            f"weight_hh_l0 or, as a cell, weight_ih and weight_hh. {_ADVICE}"
        )
    if wanted is not None and wanted not in prefixes:
        raise RecurrentLayerError(f"--layer {wanted}: the recurrent layers are {told}.")
    if wanted is None and len(prefixes) > 1:
        raise RecurrentLayerError(
            f"these weights hold {len(prefixes)} recurrent layers: {told}. Say which one with "
            f"--layer, for example --layer {prefixes[0]}."
        )
    return prefixes[0] if wanted is None else wanted


_ADVICE = (
    "Name what makes the module, with --module package.module:function: layers of lyapsk.nn, "
    "layers of your own, and weights that hooks make are read that way."
)


_ON_BIASES = (
    "weights without biases are taken for those of a torch.nn.RNN. Those of an AntisymmetricRNN "
    "or a RateRNN of lyapsk.nn look the same: if they are, name what makes the module, with "
    "--module package.module:function; if not, say --nonlinearity."
)


def _made(name, weights, nonlinearity):
    """The layer, if its own weights are just these."""
    shape = _shape(weights)
    layer = None
    if shape is not None:
        kind, arguments = shape
        if kind in (nn.RNN, nn.RNNCell):
            arguments["nonlinearity"] = nonlinearity or "tanh"
        elif nonlinearity is not None:
            raise RecurrentLayerError(
                f"--nonlinearity {nonlinearity}: that is for a torch.nn.RNN, and these are the "
                f"weights of a {kind.__name__}. Leave it out."
            )
        layer = kind(**arguments, dtype=_dtype(weights))
    expected = {} if layer is None else {k: w.shape for k, w in layer.state_dict().items()}
    if layer is None or expected != {k: w.shape for k, w in weights.items()}:
        raise RecurrentLayerError(
            f"the weights{f' of {name!r}' if name else ''}, {_listed(weights)}, are not those of a "
            f"torch.nn.RNN, GRU, LSTM or one of their cells. {_ADVICE}"
        )
    if nonlinearity is None and _is_ambiguous(layer):
        warnings.warn(_ON_BIASES, LyapskWarning, stacklevel=2)
    layer.load_state_dict(weights)
    return layer.eval()


def _is_ambiguous(layer):
    return isinstance(layer, nn.RNN) and not (layer.bias or layer.bidirectional)


def _listed(weights):
    shapes = [f"{name} {tuple(weight.shape)}" for name, weight in weights.items()]
    return ", ".join([*shapes[:6], "..."] if len(shapes) > 6 else shapes)


def _shape(weights):
    """Class and arguments that weights suggest, or None."""
    layered = "weight_hh_l0" in weights
    end = "_l0" if layered else ""
    inputs, recurrent = weights.get(f"weight_ih{end}"), weights.get(f"weight_hh{end}")
    projection = weights.get(f"weight_hr{end}")
    matrices = [inputs, recurrent] if projection is None else [inputs, recurrent, projection]
    if any(matrix is None or matrix.ndim != 2 for matrix in matrices):
        return None
    if not all(map(_is_plain, weights.values())):
        return None
    n_units = recurrent.shape[1] if projection is None else projection.shape[-1]
    n_blocks, rest = divmod(len(recurrent), max(n_units, 1))
    if rest or n_blocks not in LAYERS:
        return None
    arguments = {
        "input_size": inputs.shape[1],
        "hidden_size": n_units,
        "bias": f"bias_ih{end}" in weights,
    }
    if not layered:
        return CELLS[n_blocks], arguments
    arguments["num_layers"] = sum(bool(re.fullmatch(r"weight_hh_l\d+", k)) for k in weights)
    arguments["bidirectional"] = "weight_hh_l0_reverse" in weights
    if projection is not None:
        arguments["proj_size"] = len(projection)
    return (LAYERS[n_blocks], arguments) if projection is None or n_blocks == 4 else None


def _is_plain(weight):
    """Whether a layer of torch can hold it."""
    return weight.is_floating_point() and weight.layout == torch.strided and not weight.is_meta


def _dtype(weights):
    """That of the weights, but for short ones, which torch cannot run everywhere."""
    dtype = next(iter(weights.values())).dtype
    return dtype if dtype.itemsize >= 4 else torch.float32


def in_words(layer):
    """A recurrent layer or cell, as in "GRU, 2 layers of 64 units, 28 inputs"."""
    kind = type(layer).__name__
    if isinstance(layer, nn.RNN | nn.RNNCell):
        kind += f" ({layer.nonlinearity})"
    parts = [kind]
    if hasattr(layer, "hidden_size"):
        n_layers = counted(getattr(layer, "num_layers", 1), "layer")
        parts.append(f"{n_layers} of {counted(layer.hidden_size, 'unit')}")
    if getattr(layer, "proj_size", 0):
        parts.append(f"projected to {layer.proj_size}")
    if getattr(layer, "bidirectional", False):
        parts.append("two directions")
    if hasattr(layer, "input_size"):
        parts.append(counted(layer.input_size, "input"))
    return ", ".join(parts)
