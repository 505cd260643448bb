"""Put the growth of layers and of sequences of several lengths together into one spectrum."""

from dataclasses import dataclass

import numpy as np

from ._result import LyapunovSpectrum


@dataclass(frozen=True)
class Piece:
    """Growth of one layer along sequences of one length.

    Attributes
    ----------
    layer : str or None
    members : tuple of int
        Positions of the sequences.
    by_block : ndarray of shape (len(members), n_blocks, k)
        In nats per step.
    block_lengths : tuple of int
    failed_step : ndarray of int of shape (len(members),)
    history, frames : ndarray or None
        See ``Growth``.
    """

    layer: str | None
    members: tuple
    by_block: np.ndarray
    block_lengths: tuple
    failed_step: np.ndarray
    history: np.ndarray | None = None
    frames: np.ndarray | None = None

    @classmethod
    def of_network(cls, growth, network, layer, members):
        """The piece that one network has in a ``Growth``."""
        by_block, failed, history, frames = (
            None if tensor is None else tensor[network].cpu().numpy()
            for tensor in (growth.by_block, growth.failed_step, growth.history, growth.frames)
        )
        lengths = growth.block_lengths
        return cls(layer, members, by_block.astype(float), lengths, failed, history, frames)


def assemble(pieces, *, n_exponents, state_size, tol):
    """The spectrum that pieces make up, of all layers and all sequences.

    Parameters
    ----------
    pieces : list of Piece
    n_exponents : int
        How many of the layers' exponents to keep.
    state_size : int
    tol : float or None

    Returns
    -------
    LyapunovSpectrum
    """
    layers = list(dict.fromkeys(piece.layer for piece in pieces))
    by_layer = [[piece for piece in pieces if piece.layer == layer] for layer in layers]
    means, batches, halves = (
        np.concatenate([gather(own) for own in by_layer], axis=-1)
        for gather in (_sequence_means, _batch_means, _half_means)
    )
    order = np.argsort(-means.mean(0), kind="stable")[:n_exponents]
    labels = np.repeat(
        np.array(layers, dtype=object), [own[0].by_block.shape[-1] for own in by_layer]
    )
    return LyapunovSpectrum(
        exponents=means.mean(0)[order],
        standard_error=standard_error(batches)[order],
        per_sequence=means[:, order],
        drift=_difference(*halves)[order],
        n_batches=len(batches),
        n_steps=_n_steps(by_layer[0]),
        state_size=state_size,
        layers=None if None in layers else labels[order].astype(str),
        growth=_kept(by_layer, "history"),
        frames=_kept(by_layer, "frames"),
        order=order,
        **({} if tol is None else {"tol": tol}),
    )


def standard_error(batches):
    """Standard error of the mean of batch means (n_batches, k): (k,)."""
    dead = np.isneginf(batches)
    with np.errstate(invalid="ignore"):
        spread = batches.std(0, ddof=1) if len(batches) > 1 else np.inf
    error = np.where(dead.any(0), np.inf, spread / np.sqrt(len(batches)))
    return np.where(dead.all(0), 0.0, error)


def _sequence_means(pieces):
    return _in_order(
        pieces, [np.average(p.by_block, axis=1, weights=p.block_lengths) for p in pieces]
    )


def _batch_means(pieces):
    return np.concatenate([p.by_block.reshape(-1, p.by_block.shape[-1]) for p in pieces])


def _half_means(pieces):
    """Means over the first and over the second half of the blocks, (2, k)."""
    halves = [np.array_split(p.by_block, [p.by_block.shape[1] // 2], axis=1) for p in pieces]
    first, second = (
        np.concatenate([half[i].reshape(-1, half[i].shape[-1]) for half in halves]) for i in (0, 1)
    )
    return np.stack([(first if len(first) else second).mean(0), second.mean(0)])


def _difference(first, second):
    with np.errstate(invalid="ignore"):
        return np.where(first == second, 0.0, second - first)


def _n_steps(pieces):
    return _in_order(pieces, [np.full(len(p.members), sum(p.block_lengths)) for p in pieces])


def _kept(by_layer, name):
    if getattr(by_layer[0][0], name) is None:
        return None
    layers = [_in_order(own, [getattr(piece, name) for piece in own]) for own in by_layer]
    return np.concatenate(layers, axis=-1)


def _in_order(pieces, rows):
    """Rows of all pieces, one for each sequence, in the order of the sequences."""
    return np.concatenate(rows)[np.argsort(np.concatenate([p.members for p in pieces]))]
