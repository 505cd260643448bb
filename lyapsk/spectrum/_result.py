"""The result object: exponents, their errors, and what follows from them."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class LyapunovSpectrum:
    """Lyapunov exponents of one network along its driving sequences.

    All exponents are natural logarithms per step (nats per step), from largest to smallest. A
    direction that dies has the exponent minus infinity.

    Attributes
    ----------
    exponents : ndarray of shape (n_exponents,)
        Mean over sequences.
    standard_error : ndarray of shape (n_exponents,)
        Of ``exponents``, from the spread of batch means: each sequence's growth is averaged over
        blocks of consecutive steps, long enough to be nearly independent, and the blocks of all
        sequences are taken together. 0 for an exponent of minus infinity in every block, infinite
        where there is a single block.
    per_sequence : ndarray of shape (n_sequences, n_exponents)
        Columns in the order of ``exponents``.
    n_steps : int
        Steps averaged over in each sequence, without the warm-up.
    state_size : int
        Size ``n`` of the full state.
    growth : ndarray of shape (n_sequences, n_steps, n_exponents), or None
        ``log abs diag R_t`` of every step, columns in the order of the frame.
    frames : ndarray of shape (n_sequences, n_steps, n, n_exponents), or None
        ``Q_t`` of every step.

    References
    ----------
    Engelken, Wolf, Abbott (2023), "Lyapunov spectra of chaotic recurrent neural networks".
    Vogt, Puelma Touzel, Shlizerman, Lajoie (2022), "On Lyapunov Exponents for RNNs",
    arXiv 2006.14123.
    """

    exponents: np.ndarray
    standard_error: np.ndarray
    per_sequence: np.ndarray
    n_steps: int
    state_size: int
    growth: np.ndarray | None = None
    frames: np.ndarray | None = None

    @classmethod
    def from_growth(cls, growth, network, state_size):
        """Spectrum of one network of a ``Growth``."""
        lengths = growth.block_lengths.cpu().numpy()
        sums = growth.by_block[:, network].double().cpu().numpy()
        per_sequence = sums.sum(0) / lengths.sum()
        order = np.argsort(-per_sequence.mean(0), kind="stable")
        batches = (sums / lengths[:, None, None]).reshape(-1, len(order))
        return cls(
            exponents=per_sequence.mean(0)[order],
            standard_error=_standard_error(batches)[order],
            per_sequence=per_sequence[:, order],
            n_steps=int(lengths.sum()),
            state_size=state_size,
            growth=_one(growth.growth, network),
            frames=_one(growth.frames, network),
        )

    @property
    def n_positive(self):
        """Number of positive exponents."""
        return int((self.exponents > 0).sum())

    @property
    def entropy_rate(self):
        """Sum of the positive exponents, in nats per step.

        Bounds the Kolmogorov-Sinai entropy rate from above (Ruelle), and equals it by Pesin's
        formula. Eckmann, Ruelle (1985), Rev. Mod. Phys. 57, 617.
        """
        return float(self.exponents[self.exponents > 0].sum())

    @property
    def kaplan_yorke_dimension(self):
        """Kaplan-Yorke dimension of the attractor.

        ``j + (l_1 + ... + l_j) / abs(l_{j+1})`` with the largest ``j`` for which the sum is not
        negative. Where the sum of all exponents computed is not negative, their number: the state
        size for a full spectrum, a lower bound for a partial one. Kaplan, Yorke (1979).
        """
        sums = np.cumsum(self.exponents)
        j = int((sums >= 0).sum())
        if j == 0 or j == len(sums):
            return float(j)
        return j + float(sums[j - 1] / -self.exponents[j])

    def __repr__(self):
        largest, error = self.exponents[0], self.standard_error[0]
        return (
            f"LyapunovSpectrum({len(self.exponents)} of {self.state_size} exponents, largest "
            f"{largest:.4g} ± {error:.2g} nats per step, {self.n_positive} positive, from "
            f"{len(self.per_sequence)} sequences of {self.n_steps} steps)"
        )


def _standard_error(batches):
    dead = np.isneginf(batches)
    with np.errstate(invalid="ignore"):
        spread = batches.std(0, ddof=1) if len(batches) > 1 else np.inf
    error = np.where(dead.any(0), np.inf, spread / np.sqrt(len(batches)))
    return np.where(dead.all(0), 0.0, error)


def _one(kept, network):
    return None if kept is None else kept[network].cpu().numpy()
