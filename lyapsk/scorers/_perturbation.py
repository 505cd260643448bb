"""Perturb what reaches a recurrent layer, and see how far the net's answer moves."""

import inspect
from contextlib import contextmanager

import numpy as np
import torch
from skorch.utils import multi_indexing
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_sequence
from tqdm.auto import tqdm

from ..nets import arranged
from ..tangent import kind_of
from ._readings import infer, with_backward

ROWS_AT_ONCE = 1024
"""Perturbed sequences that go through the net as one batch."""


def sampled_changes(source, change, recording, X, y, draws, *, verbose):
    """Change of the net's answer as each step is perturbed by itself, by each draw.

    Parameters
    ----------
    source : Source
    change : Change
    recording : Recording
        Of the batch.
    X, y
        The batch, as the net's iterator collates it.
    draws : Tensor of shape (n_draws, n_sequences, n_inputs)
        Perturbations, the same for every step.
    verbose : int
        Above 0, a progress bar.

    Returns
    -------
    Tensor of shape (n_draws, n_sequences, n_steps)
    """
    n_draws, n_sequences, _ = draws.shape
    n_steps = recording.inputs.shape[1]
    before = change.viewed(infer(source.net, X), X, y)
    # One job perturbs one step of all sequences by one draw.
    draw, step = torch.cartesian_prod(torch.arange(n_draws), torch.arange(n_steps)).T
    jobs = torch.arange(len(draw)).split(max(1, ROWS_AT_ONCE // n_sequences))
    changes = []
    for job in tqdm(jobs, desc="perturbing inputs", disable=not verbose):
        # Copies of a sequence stand together: an order by length, as packing may ask, is kept.
        rows = np.repeat(np.arange(n_sequences), len(job))
        noise = draws.new_zeros(n_sequences, len(job), n_steps, draws.shape[-1])
        noise[:, torch.arange(len(job)), step[job]] = draws[draw[job]].transpose(0, 1)
        copies = multi_indexing(X, rows), multi_indexing(y, rows)
        with _changed_inputs(source.layer, _adding(noise.flatten(0, 1), source.layer)):
            after = change.viewed(infer(source.net, copies[0]), *copies)
        changes.append(change.between(before[rows], after).view(n_sequences, len(job)))
    return torch.cat(changes, 1).view(n_sequences, n_draws, n_steps).transpose(0, 1)


def first_order_changes(source, change, X, y):
    """Mean change by Gaussian perturbations of size 1, to first order.

    That is ``factor * sum_i |d coordinate_i / d x_t|^2``, one pass back through the net for each
    coordinate of its answer.

    Returns
    -------
    Tensor of shape (n_sequences, n_steps)
    """
    leaves = []

    def add_leaf(inputs):
        # Added, not put in place: what is fed back through the inputs goes on.
        data = inputs.data if isinstance(inputs, PackedSequence) else inputs
        leaves.append((torch.zeros_like(data, requires_grad=True), inputs))
        return _like(inputs, data + leaves[-1][0])

    with with_backward():
        with _changed_inputs(source.layer, add_leaf):
            output = infer(source.net, X)
        coordinates = change.coordinates(change.viewed(output, X, y))
        data = [leaf for leaf, _ in leaves]
        total = [torch.zeros_like(leaf, dtype=torch.float64) for leaf in data]
        for coordinate in coordinates.sum(0):
            gradients = torch.autograd.grad(
                coordinate, data, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            total = [own + g.double().square() for own, g in zip(total, gradients, strict=True)]
    squares = [_like(like, own) for own, (_, like) in zip(total, leaves, strict=True)]
    return change.factor * _by_sequence(source.layer, squares).sum(-1)


def _by_sequence(layer, inputs):
    """(n_sequences, n_steps, n_inputs) from the layout of what each call of a layer got."""
    if kind_of(layer).is_cell:
        return torch.stack([torch.atleast_2d(own) for own in inputs], 1)
    return pad_sequence(arranged(layer, *inputs), batch_first=True)


def _adding(noise, layer):
    """A function that adds noise (n_sequences, n_steps, n_inputs) to what a layer gets."""
    if kind_of(layer).is_cell:
        steps = iter(noise.unbind(1))
        return lambda inputs: inputs + next(steps).to(inputs).view_as(inputs)

    def add(inputs):
        laid_out = _laid_out(noise, inputs, layer)
        data = inputs.data if isinstance(inputs, PackedSequence) else inputs
        return _like(inputs, data + laid_out.to(data))

    return add


def _laid_out(noise, inputs, layer):
    if isinstance(inputs, PackedSequence):
        if inputs.sorted_indices is not None:
            noise = noise[inputs.sorted_indices.to(noise.device)]
        lengths = (inputs.batch_sizes[:, None] > torch.arange(len(noise))).sum(0)
        return pack_padded_sequence(noise, lengths, batch_first=True).data
    if inputs.ndim == 2:
        return noise[0]
    return noise if kind_of(layer).batch_first(layer) else noise.transpose(0, 1)


def _like(inputs, data):
    return inputs._replace(data=data) if isinstance(inputs, PackedSequence) else data


@contextmanager
def _changed_inputs(layer, change):
    """Let a layer get what ``change`` makes of each of its inputs."""

    def replace(_, args, kwargs):
        if args:
            return (change(args[0]), *args[1:]), kwargs
        first = next(iter(inspect.signature(layer.forward).parameters))
        return args, kwargs | {first: change(kwargs[first])}

    hook = layer.register_forward_pre_hook(replace, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()
