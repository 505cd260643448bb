"""Nested holders of tensors: dataclasses, dicts and tuples of them."""

from dataclasses import fields, is_dataclass, replace

import torch


def concatenate(parts):
    """Join equal-shaped holders of weights along their networks."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if torch.is_tensor(first):
        return torch.cat(parts)
    if isinstance(first, dict):
        return {name: concatenate([part[name] for part in parts]) for name in first}
    if is_dataclass(first):
        columns = {f.name: [getattr(part, f.name) for part in parts] for f in fields(first)}
        return replace(first, **{name: concatenate(column) for name, column in columns.items()})
    return first


def map_tensors(function, holder):
    """The same holder of weights with ``function`` of each of its tensors in place of it."""
    if torch.is_tensor(holder):
        return function(holder)
    if isinstance(holder, tuple | list):
        return type(holder)(map_tensors(function, part) for part in holder)
    if isinstance(holder, dict):
        return {name: map_tensors(function, part) for name, part in holder.items()}
    if is_dataclass(holder):
        parts = {f.name: map_tensors(function, getattr(holder, f.name)) for f in fields(holder)}
        return replace(holder, **parts)
    return holder


def tensors_of(holder):
    """List the tensors of a holder, in the order in which ``map_tensors`` meets them."""
    found = []
    map_tensors(lambda tensor: found.append(tensor) or tensor, holder)
    return found


def shape_of(holder):
    """Hashable; holders of equal shape may be joined by ``concatenate``."""
    if torch.is_tensor(holder):
        return tuple(holder.shape[1:])
    if isinstance(holder, dict):
        return tuple((name, shape_of(part)) for name, part in holder.items())
    if is_dataclass(holder):
        parts = (shape_of(getattr(holder, f.name)) for f in fields(holder) if f.compare)
        return type(holder), *parts
    return holder
