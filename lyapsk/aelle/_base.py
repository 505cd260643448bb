"""What the regressor and the classifier share: the code and how it is fitted."""

from dataclasses import replace
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.model_selection import KFold
from sklearn.utils import check_array, check_random_state, gen_batches
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from .._checks import check_rows
from .._persistence import Persistent
from .._random import seeded
from ..exceptions import InvalidInputError, NumericalError
from ._autoencoder import PaperAutoencoder, ResidualAutoencoders
from ._blend import fit_blends
from ._rows import LARGEST_RATIO, check_weights, drawn
from ._scaling import WinsorizedScaler, principal_axes
from ._training import check_device, train

MIN_ROWS_TO_HOLD_OUT = 12
"""With fewer rows than this all of them are needed for training."""

N_FOLDS = 5
"""Each member holds out one of so many parts of the rows."""

MAX_KERNEL_ROWS = 1000
"""Rows that the kernel regressions use; their cost grows with their cube."""

MAX_AXES = 128
"""Principal axes of the features that the autoencoders see."""

PAPER_ALPHAS = (5, 5, 10, 20)
"""Weight of the target's loss in each quarter of the published training."""

BLOCK = 4096
"""Rows that are encoded or predicted at once."""


class BaseAeLLE(Persistent, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Autoencoders of spectra whose latent code predicts a target."""

    _parameter_constraints: ClassVar[dict] = {
        "latent_dim": [Interval(Integral, 1, None, closed="left")],
        "architecture": [StrOptions({"residual", "paper"})],
        "n_members": [Interval(Integral, 1, None, closed="left")],
        "hidden_dim": [Interval(Integral, 1, None, closed="left")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "target_weight": [Interval(Real, 0, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), None],
        "max_epochs": [Interval(Integral, 1, None, closed="left"), None],
        "device": [str, torch.device, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        latent_dim=16,
        *,
        architecture="residual",
        n_members=10,
        hidden_dim=64,
        noise=0.2,
        target_weight=1.0,
        learning_rate=None,
        max_epochs=None,
        device=None,
        random_state=None,
        verbose=0,
    ):
        self.latent_dim = latent_dim
        self.architecture = architecture
        self.n_members = n_members
        self.hidden_dim = hidden_dim
        self.noise = noise
        self.target_weight = target_weight
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def transform(self, X):
        """Encode spectra.

        Parameters
        ----------
        X : array-like of shape (n_networks, n_features)
            Spectra or features of spectra.

        Returns
        -------
        Z : ndarray of shape (n_networks, latent_dim)
            The latent code (the AeLLE) of each network: the mean of the members' codes.
        """
        return self._encode(self._validate_rows(X))

    def inverse_transform(self, Z):
        """Decode latent codes.

        Parameters
        ----------
        Z : array-like of shape (n_networks, latent_dim)
            Latent codes.

        Returns
        -------
        X : ndarray of shape (n_networks, n_features)
            Reconstructed rows, in the units of the rows seen in `fit`: the mean of what the
            members decode.
        """
        check_is_fitted(self)
        Z = check_array(Z, dtype=np.float64, input_name="Z")
        if Z.shape[1] != self._n_features_out:
            raise InvalidInputError(
                f"Z has {Z.shape[1]} columns; {type(self).__name__} decodes codes of "
                f"latent_dim={self._n_features_out} columns. Pass what transform returns."
            )
        decoded = in_blocks(lambda rows: self._applied("decoder", rows).mean(0), Z)
        return self.input_scaler_.restore(decoded @ self.axes_)

    def reconstruction_error(self, X):
        """Measure how unlike the rows seen in `fit` each row is.

        Parameters
        ----------
        X : array-like of shape (n_networks, n_features)
            Spectra or features of spectra.

        Returns
        -------
        error : ndarray of shape (n_networks,)
            Mean over features of the squared difference between a row and its reconstruction, in
            units of each feature's variance in `fit`: near 0 for rows like those, 1 for a
            reconstruction no better than the mean. Features that did not vary in `fit` count 0.
        """
        X = self._validate_rows(X)
        difference = X - self.inverse_transform(self._encode(X))
        with np.errstate(over="ignore"):  # of what is too far to be squared, infinity
            return np.mean(self.input_scaler_.in_units(difference) ** 2, axis=1)

    def _fit(self, rows, target_losses):
        """Fit scaler, autoencoders and kernel regressions.

        ``target_losses(predictions, targets)`` gives a loss for each member and row.
        """
        device = check_device(self.device)
        self._is_paper = self.architecture == "paper"
        for name in ("blends_", "usual_disagreement_"):
            # Of an earlier fit: the paper's network has none of these.
            vars(self).pop(name, None)
        self._n_features_out = self.latent_dim
        rng = check_random_state(self.random_state)
        rows = rows.by_features()
        self.input_scaler_ = WinsorizedScaler(rows.X, rows.shares)
        rows = rows[self._order(rows.X)]
        self.axes_ = self._axes(rows, rng)
        held_out = self._held_out(len(rows.X), rng)
        self.members_ = self._train(rows, held_out, target_losses, device, rng)
        some, shares = drawn(rows.shares, MAX_KERNEL_ROWS, rng)
        self._fit_heads(replace(rows[some], shares=shares), held_out[:, some])
        return self

    def _order(self, X):
        """Order of rows for all draws, in which neither the features' order nor units matter."""
        lengths = np.sum(self.input_scaler_.standardize(X) ** 2, axis=1)
        return np.argsort(lengths.round(8), kind="stable")

    def _axes(self, rows, rng):
        inputs = self.input_scaler_.standardize(rows.X)
        if self._is_paper:
            return np.eye(inputs.shape[1])
        return principal_axes(inputs, rows.shares, MAX_AXES, rng)

    def _held_out(self, n_rows, rng):
        """For each member the rows that it does not learn from: each row by a fifth of them."""
        n_members = 1 if self._is_paper else self.n_members
        masks = np.zeros((n_members, n_rows), dtype=bool)
        if n_rows < MIN_ROWS_TO_HOLD_OUT:
            return masks
        for first in range(0, n_members, N_FOLDS):
            folds = KFold(N_FOLDS, shuffle=True, random_state=rng).split(masks[0])
            for mask, (_, fold) in zip(masks[first:], folds, strict=False):
                mask[fold] = True
        return masks

    def _train(self, rows, held_out, target_losses, device, rng):
        with seeded(int(rng.randint(2**31 - 1)), device), torch.device("cpu"):
            return train(
                self._new_members(rows.targets.shape[1]),
                torch.tensor(self._inputs(rows.X)),
                torch.tensor(rows.targets),
                torch.tensor(rows.shares),
                torch.tensor(held_out),
                self._row_loss(target_losses),
                keep_best=not self._is_paper,
                noise=0 if self._is_paper else self.noise,
                lr=self.learning_rate or (1e-3 if self._is_paper else 4e-3),
                max_epochs=self.max_epochs or (4000 if self._is_paper else 150),
                device=device,
                verbose=self.verbose,
            )

    def _new_members(self, n_targets):
        if self._is_paper:
            return PaperAutoencoder(self.axes_.shape[0], self.latent_dim, n_targets)
        return ResidualAutoencoders(
            self.n_members, len(self.axes_), self.latent_dim, self.hidden_dim, n_targets
        )

    def _row_loss(self, target_losses):
        """Loss of reconstruction plus weighted loss of target, for each member and row."""
        n_varying = max(1, np.count_nonzero(self.input_scaler_.scale))

        def residual(outputs, inputs, targets, progress):
            reconstruction, prediction = outputs
            error = (reconstruction - inputs).square().sum(-1) / n_varying
            return error + self.target_weight * target_losses(prediction, targets)

        def paper(outputs, inputs, targets, progress):
            reconstruction, prediction = outputs
            alpha = PAPER_ALPHAS[int(progress * len(PAPER_ALPHAS))]
            error = (reconstruction - inputs).abs().mean(-1)
            return error + alpha * target_losses(prediction, targets)

        return paper if self._is_paper else residual

    def _fit_heads(self, rows, held_out):
        """Regressions on each view of the rows."""
        if not self._is_paper:
            views, groups = self._views(rows.X), self._groups(rows.targets.shape[1])
            self.blends_ = fit_blends(views, rows.targets, rows.shares, groups)

    def _groups(self, n_targets):
        """Columns of the targets that share kernels and ridges: all of them."""
        return [slice(None)]

    def _views(self, X):
        """What the regressions see: codes, reconstructions, and the inputs for curve and line."""
        inputs = self._inputs(X)
        codes, reconstructions = (
            of_members.mean(0) for of_members in self._codes_and_reconstructions(inputs)
        )
        return codes, reconstructions, inputs, inputs

    def _regress(self, X):
        """Mean prediction (n_rows, n_targets) of the regressions, or of the published head."""
        if self._is_paper:
            return in_blocks(lambda rows: self._applied("head", self._encode(rows))[0], X)
        return in_blocks(self._regress_block, X)

    def _regress_block(self, X):
        return self._predicted(self.blends_, self._views(X))

    def _predicted(self, blends, views):
        return np.hstack([blend.predict(views) for blend in blends])

    def _encode(self, X):
        return in_blocks(lambda rows: self._applied("encoder", self._inputs(rows)).mean(0), X)

    def _codes_and_reconstructions(self, inputs):
        """Of each member, (n_members, n_rows, ...)."""
        codes = self._applied("encoder", inputs)
        return codes, self._applied("decoder", codes)

    def _applied(self, part, rows):
        """What a part of each member makes of rows (n_rows, n) or (n_members, n_rows, n)."""
        rows = torch.tensor(rows, device="cpu").expand(self.members_.n_members, *rows.shape[-2:])
        result = getattr(self.members_, part)(rows).numpy()
        if not np.isfinite(result).all():
            raise NumericalError(
                f"training diverged with learning_rate={self.learning_rate}, noise={self.noise} "
                f"and target_weight={self.target_weight}: the {part} gives values that are not "
                "finite. Fit again with smaller values."
            )
        return result

    def _inputs(self, X):
        """Standardised rows along the principal axes."""
        return self.input_scaler_.standardize(X) @ self.axes_.T

    def _validate_rows(self, X):
        check_is_fitted(self)
        check_rows(X)
        X = validate_data(self, X, reset=False, dtype=np.float64, ensure_all_finite=False)
        return _check_finite(X)

    def _validate_training_rows(self, X, y, sample_weight, **kwargs):
        """Rows that count, their targets, and what they count."""
        check_device(self.device)
        check_rows(X)
        X, y = validate_data(
            self, X, y, dtype=np.float64, ensure_min_samples=2, ensure_all_finite=False, **kwargs
        )
        weights = check_weights(sample_weight, len(_check_finite(X)))
        counts = weights > 1 / LARGEST_RATIO
        if counts.sum() < 2:
            raise InvalidInputError(
                f"sample_weight: leaves {counts.sum()} of {len(X)} rows, for those of weight 0 do "
                "not count. At least two must."
            )
        return X[counts], y[counts], weights[counts]


def _check_finite(X):
    """Refuse what scikit-learn would refuse too, but say which network it is and what to do."""
    bad = np.argwhere(~np.isfinite(X))
    if len(bad):
        row, column = bad[0]
        kind = "NaN" if np.isnan(X[row, column]) else "infinity"
        raise InvalidInputError(
            f"Input X contains {kind}: row {row}, column {column} holds {X[row, column]}. Clip "
            "spectra at a finite floor, as LyapunovSpectrumTransformer does, and leave out "
            "networks whose spectrum failed."
        )
    return X


def in_blocks(function, X):
    """``function(X)``, a block of rows at a time."""
    return np.concatenate([function(X[block]) for block in gen_batches(len(X), BLOCK)])
