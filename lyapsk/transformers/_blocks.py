"""Blocks of features: one function for each, from spectra to columns."""

from collections.abc import Set
from dataclasses import dataclass, replace

import numpy as np

from ..exceptions import InvalidInputError
from ._statistics import SpectrumStatistics

BLOCKS = ("quantiles", "statistics", "spread", "change")
CHANGING = ("quantiles", "statistics")
"""Blocks that ``change`` takes differences of."""

SPREADS = ("largest", "smallest", "mean", "sum")


def check_features(features):
    """There must be blocks, known and each named once, in the order of their columns."""
    unknown = [block for block in features if block not in BLOCKS]
    repeated = len(set(features)) < len(features)
    if unknown or repeated or len(features) == 0 or isinstance(features, Set):
        raise InvalidInputError(
            f"features: got {features!r}. It must be a tuple or list, in the order of the columns, "
            f"that names at least one of {', '.join(BLOCKS)}, each once."
        )


@dataclass(frozen=True)
class Blocks:
    """Blocks side by side.

    Each takes groups of spectra, ``(network,)`` or ``(network, reference)``, one for each row.

    Parameters
    ----------
    features : tuple of str
        Names of the blocks, in order.
    n_points : int
        Width of the quantiles.
    resampled : bool
        Whether quantiles lie on a grid over relative rank; else exponents stay as they are,
        padded with ``floor``.
    floor : float
        Exponents below it are set to it.
    """

    features: tuple
    n_points: int
    resampled: bool
    floor: float

    def rows(self, groups):
        """Features, (n_groups, n_features)."""
        return np.hstack([getattr(self, block)(groups) for block in self.features])

    def names(self):
        """Names of the features."""
        return [name for block in self.features for name in getattr(self, f"_{block}_names")()]

    def quantiles(self, groups):
        """Exponents over relative rank."""
        place = self._resampled if self.resampled else self._padded
        return np.stack([place(exponents) for exponents in self._exponents(groups)])

    def statistics(self, groups):
        """Those of ``SpectrumStatistics``."""
        rows = self._exponents(groups)
        widest = max(map(len, rows))
        padded = [np.pad(row, (0, widest - len(row)), constant_values=np.nan) for row in rows]
        return SpectrumStatistics(floor=self.floor).fit_transform(np.stack(padded))

    def spread(self, groups):
        """Standard deviations across driving sequences."""
        return np.stack([self._spreads(network.per_sequence) for network, *_ in groups])

    def change(self, groups):
        """Features of networks less those of their references."""
        compared = self._compared()
        references = [(reference,) for _, reference in groups]
        varies = [name != "size" for name in compared.names()]
        return (compared.rows(groups) - compared.rows(references))[:, varies]

    def _exponents(self, groups):
        return [np.maximum(network.exponents, self.floor) for network, *_ in groups]

    def _resampled(self, exponents):
        n = len(exponents)
        ranks = np.linspace(0, 1, n) if n > 1 else np.zeros(1)
        return np.interp(np.linspace(0, 1, self.n_points), ranks, exponents)

    def _padded(self, exponents):
        missing = self.n_points - len(exponents)
        if missing < 0:
            raise InvalidInputError(
                f"X: a network has {len(exponents)} exponents, the widest seen in fit had "
                f"{self.n_points}. Fit on the largest networks too, or give n_points a number to "
                "resample all to one grid."
            )
        return np.pad(exponents, (0, missing), constant_values=self.floor)

    def _spreads(self, per_sequence):
        """In the order of ``SPREADS``."""
        per_sequence = np.maximum(per_sequence, self.floor)
        deviation = per_sequence.std(axis=0)
        return deviation[0], deviation[-1], deviation.mean(), per_sequence.sum(axis=1).std()

    def _compared(self):
        """The blocks to take differences of: those requested, or all that can be."""
        requested = tuple(block for block in self.features if block in CHANGING)
        return replace(self, features=requested or CHANGING)

    def _quantiles_names(self):
        width = len(str(self.n_points - 1))
        return [f"quantile_{i:0{width}d}" for i in range(self.n_points)]

    def _statistics_names(self):
        return list(SpectrumStatistics(floor=self.floor).get_feature_names_out())

    def _spread_names(self):
        return [f"spread_{name}" for name in SPREADS]

    def _change_names(self):
        return [f"change_{name}" for name in self._compared().names() if name != "size"]
