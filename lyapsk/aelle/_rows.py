"""Rows to learn from, and what each of them counts."""

from dataclasses import dataclass

import numpy as np

from ..exceptions import InvalidInputError

LARGEST_RATIO = 1e9
"""Between weights: what counts less, beside the heaviest row, is left out."""


@dataclass(frozen=True)
class Rows:
    """Distinct rows, their targets, and what each counts.

    Attributes
    ----------
    X : ndarray of shape (n_rows, n_features)
    targets : ndarray of shape (n_rows, n_targets)
        Means, where a row has several.
    shares : ndarray of shape (n_rows,)
    scatter : ndarray of shape (n_rows, n_targets)
        Variance of the targets about their means.
    """

    X: np.ndarray
    targets: np.ndarray
    shares: np.ndarray
    scatter: np.ndarray

    @classmethod
    def distinct(cls, X, targets, weights):
        """Features and targets that are equal as one row that counts as much.

        Whether a row is repeated or weighted, and where it stands, then makes no difference.
        """
        both = np.hstack([X, targets])
        _, first, which = np.unique(both, axis=0, return_index=True, return_inverse=True)
        shares = np.bincount(which.ravel(), weights)
        return cls(X[first], targets[first], shares, np.zeros_like(targets[first]))

    def by_features(self):
        """Rows of equal features as one, held out and left out together; shares of 1 on average."""
        new = np.append(True, (self.X[1:] != self.X[:-1]).any(axis=1))
        first, which = np.flatnonzero(new), np.cumsum(new) - 1
        shares = np.bincount(which, self.shares)

        def mean(values):
            total = np.zeros((len(first), values.shape[1]))
            np.add.at(total, which, self.shares[:, None] * values)
            return total / shares[:, None]

        targets = mean(self.targets)
        scatter = mean((self.targets - targets[which]) ** 2)
        return Rows(self.X[first], targets, shares / shares.mean(), scatter)

    def __getitem__(self, some):
        return Rows(self.X[some], self.targets[some], self.shares[some], self.scatter[some])


def drawn(shares, n_most, rng):
    """Of more rows than that some, heavy ones rather than light ones, and what each counts then.

    A row is drawn with a chance in proportion to its share, or surely, and stands for one over the
    chance of its kind.
    """
    n_rows = len(shares)
    if n_rows <= n_most:
        return np.arange(n_rows), shares
    order = rng.permutation(n_rows)
    chances = n_most * shares[order] / shares.sum()
    while chances.max() > 1:
        sure = chances >= 1
        rest = shares[order] * ~sure
        chances = np.where(sure, 1, rest * (n_most - sure.sum()) / rest.sum())
    ends = np.cumsum(chances) + rng.uniform()
    taken = np.floor(ends) > np.floor(ends - chances)
    some = order[taken]
    return some, shares[some] / chances[taken] * n_most / n_rows


def check_weights(sample_weight, n_rows):
    """What each row counts, at most 1; refuse what is no number or below 0, or 0 everywhere."""
    if sample_weight is None:
        return np.ones(n_rows)
    allowed = f"one number of 0 or more for each of the {n_rows} rows of X"
    try:
        weights = np.asarray(sample_weight)
        weights = weights.astype(
            np.float64, casting="same_kind" if weights.dtype != "O" else "unsafe"
        )
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"sample_weight: got {type(sample_weight).__name__}; it must hold {allowed}, or be "
            "None for 1 each."
        ) from error
    if weights.shape != (n_rows,):
        raise InvalidInputError(
            f"sample_weight has shape {weights.shape}; it must be ({n_rows},), {allowed}."
        )
    wrong = np.flatnonzero(~((weights >= 0) & np.isfinite(weights)))
    if len(wrong):
        raise InvalidInputError(
            f"sample_weight is {weights[wrong[0]]} for row {wrong[0]}; it must hold {allowed}. "
            "Give 0 to rows that shall not count."
        )
    if not weights.any():
        raise InvalidInputError(
            "sample_weight is zero for all rows; at least one row must count. Pass None where all "
            "rows count the same."
        )
    return weights / weights.max()
