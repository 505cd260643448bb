"""Put the growth of layers and of sequences of several lengths together into one spectrum."""

from dataclasses import dataclass

import numpy as np

from ._result import LyapunovSpectrum

MANY_SEQUENCES = 8


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
    by_phase, history, frames : ndarray or None
        See ``Growth``.
    """

    layer: str | None
    members: tuple
    by_block: np.ndarray
    block_lengths: tuple
    failed_step: np.ndarray
    by_phase: np.ndarray | None = None
    history: np.ndarray | None = None
    frames: np.ndarray | None = None

    @classmethod
    def of_network(cls, growth, network, layer, members):
        """The piece that one network has in a ``Growth``."""
        kept = (growth.failed_step, growth.by_phase, growth.history, growth.frames)
        by_block, *kept = (
            None if tensor is None else tensor[network].cpu().numpy()
            for tensor in (growth.by_block, *kept)
        )
        return cls(layer, members, by_block.astype(float), growth.block_lengths, *kept)


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
    means = np.concatenate([_sequence_means(own) for own in by_layer], axis=-1)
    errors = np.concatenate([_error(own) for own in by_layer])
    drifts = np.concatenate([_drift([piece.by_block for piece in own]) for own in by_layer])
    order = np.argsort(-means.mean(0), kind="stable")[:n_exponents]
    labels = np.repeat(np.array(layers, object), [own[0].by_block.shape[-1] for own in by_layer])
    return LyapunovSpectrum(
        exponents=means.mean(0)[order],
        standard_error=errors[order],
        per_sequence=means[:, order],
        drift=drifts[order],
        n_batches=min(map(_n_batches, by_layer)),
        n_steps=np.min([_n_steps(own) for own in by_layer], axis=0),
        state_size=state_size,
        layers=None if None in layers else labels[order].astype(str),
        growth=_kept(by_layer, "history"),
        frames=_kept(by_layer, "frames"),
        order=order,
        **({} if tol is None else {"tol": tol}),
    )


def _error(pieces):
    by_block, by_phase = [piece.by_block for piece in pieces], pieces[0].by_phase
    return standard_error(by_block, None if by_phase is None else by_phase.astype(float))


def standard_error(by_block, by_phase=None):
    """Standard error of the mean over sequences of the growth.

    With at least eight sequences, from the spread of their means. With fewer, by batch means, all
    blocks of all sequences taken together, or from the spread of the sequences' means where that
    is larger.

    Parameters
    ----------
    by_block : list of ndarray of shape (n_sequences, n_blocks, k)
        Mean growth in blocks, for the sequences of each length.
    by_phase : ndarray of shape (1, n_phases, k), optional
        Of a single sequence whose inputs start over, mean growth in parts of their period: the
        error is no smaller than that of their mean.

    Returns
    -------
    ndarray of shape (k,)
        0 where all is minus infinity, infinite where there is a single number or only some are
        minus infinity.
    """
    if by_phase is not None:
        return np.maximum(standard_error(by_block), _error_of_mean(by_phase[0]))
    between = _error_of_mean(np.concatenate([blocks.mean(1) for blocks in by_block]))
    if sum(map(len, by_block)) >= MANY_SEQUENCES:
        return between
    within = _error_of_mean(_pooled(by_block))
    return np.where(np.isfinite(between), np.maximum(between, within), within)


def _error_of_mean(values):
    dead = np.isneginf(values)
    with np.errstate(invalid="ignore"):
        spread = values.std(0, ddof=1) if len(values) > 1 else np.inf
    error = np.where(dead.any(0), np.inf, spread / np.sqrt(len(values)))
    return np.where(dead.all(0), 0.0, error)


def _n_batches(pieces):
    """How many numbers ``standard_error`` is taken from, at least."""
    n_sequences = sum(len(piece.members) for piece in pieces)
    if n_sequences >= MANY_SEQUENCES:
        return n_sequences
    n_blocks = len(_pooled([piece.by_block for piece in pieces]))
    return min([n_blocks, *(p.by_phase.shape[1] for p in pieces if p.by_phase is not None)])


def _pooled(by_block):
    """All blocks of all sequences, (n_batches, k)."""
    return np.concatenate([blocks.reshape(-1, blocks.shape[-1]) for blocks in by_block])


def _drift(by_block):
    """Mean over the second half of each sequence's blocks less that over the first, (k,).

    Sequences of a single block have none.
    """
    long = [blocks for blocks in by_block if blocks.shape[1] > 1]
    if not long:
        return np.zeros(by_block[0].shape[-1])
    halves = [blocks.shape[1] // 2 for blocks in long]
    first = np.concatenate([b[:, :half].mean(1) for b, half in zip(long, halves, strict=True)])
    second = np.concatenate([b[:, half:].mean(1) for b, half in zip(long, halves, strict=True)])
    first, second = first.mean(0), second.mean(0)
    with np.errstate(invalid="ignore"):
        return np.where(first == second, 0.0, second - first)


def _sequence_means(pieces):
    means = []
    for piece in pieces:
        lengths = np.array(piece.block_lengths)
        means.append((piece.by_block * lengths[:, None]).sum(1) / lengths.sum())
    return _in_order(pieces, means)


def _n_steps(pieces):
    return _in_order(pieces, [np.full(len(p.members), sum(p.block_lengths)) for p in pieces])


def _kept(by_layer, name):
    if getattr(by_layer[0][0], name) is None:
        return None
    # With a tolerance each layer ends by itself.
    fewest = min(getattr(piece, name).shape[1] for own in by_layer for piece in own)
    layers = [
        _in_order(own, [getattr(piece, name)[:, :fewest] for piece in own]) for own in by_layer
    ]
    return np.concatenate(layers, axis=-1)


def _in_order(pieces, rows):
    """Rows of all pieces, one for each sequence, in the order of the sequences."""
    if len(pieces) == 1:
        return rows[0]
    return np.concatenate(rows)[np.argsort(np.concatenate([p.members for p in pieces]))]
