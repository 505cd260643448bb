"""What the regressor and the classifier share: the code and how it is fitted."""

from numbers import Integral, Real
from typing import ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from ..exceptions import InvalidInputError, NumericalError
from ._autoencoder import Autoencoder, principal_components
from ._kernel_head import fit_kernel_head
from ._scaling import WinsorizedScaler
from ._training import AutoencoderLoss, check_device, train

MIN_ROWS_TO_HOLD_OUT = 12
"""With fewer rows than this all of them are needed for training."""

MAX_KERNEL_ROWS = 1000
"""Rows that the kernel regression uses; its cost grows with their cube."""


class BaseAeLLE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Autoencoder of spectra whose latent code predicts a target."""

    _parameter_constraints: ClassVar[dict] = {
        "latent_dim": [Interval(Integral, 1, None, closed="left")],
        "hidden_dim": [Interval(Integral, 1, None, closed="left")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "target_weight": [Interval(Real, 0, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "device": [str, torch.device, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        latent_dim=16,
        *,
        hidden_dim=64,
        noise=0.1,
        target_weight=1.0,
        learning_rate=4e-3,
        max_epochs=200,
        validation_fraction=0.2,
        device=None,
        random_state=None,
        verbose=0,
    ):
        self.latent_dim = latent_dim
        self.hidden_dim = hidden_dim
        self.noise = noise
        self.target_weight = target_weight
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs
        self.validation_fraction = validation_fraction
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
            The latent code (the AeLLE) of each network.
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
            Reconstructed rows, in the units of the rows seen in `fit`.
        """
        check_is_fitted(self)
        Z = check_array(Z, dtype=np.float64, input_name="Z")
        if Z.shape[1] != self._n_features_out:
            raise InvalidInputError(
                f"Z has {Z.shape[1]} columns; {type(self).__name__} decodes codes of "
                f"latent_dim={self._n_features_out} columns. Pass what transform returns."
            )
        return self.input_scaler_.restore(_apply(self.net_.module_.decoder, Z))

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
        return np.mean(self.input_scaler_.in_units(difference) ** 2, axis=1)

    def _fit(self, X, targets, target_loss):
        """Fit scaler, autoencoder and kernel head to validated rows."""
        device = check_device(self.device)
        rng = check_random_state(self.random_state)
        order = rng.permutation(len(X))
        held_out = order[: self._n_held_out(len(X))]
        self.input_scaler_ = WinsorizedScaler(X)
        self.net_ = self._train(X, targets, held_out, target_loss, device, rng)
        self.n_iter_ = len(self.net_.history)
        # Held-out rows come first: they measure the spread.
        kernel_rows = order[:MAX_KERNEL_ROWS]
        self.head_ = fit_kernel_head(self._encode(X[kernel_rows]), targets[kernel_rows])
        self.n_held_out_ = min(len(held_out), MAX_KERNEL_ROWS)
        return self

    def _n_held_out(self, n_rows):
        if n_rows < MIN_ROWS_TO_HOLD_OUT:
            return 0
        return min(round(self.validation_fraction * n_rows), n_rows - 1)

    def _train(self, X, targets, held_out, target_loss, device, rng):
        inputs = self.input_scaler_.standardize(X)
        generator = torch.Generator().manual_seed(_draw_seed(rng))
        components = principal_components(inputs, self.latent_dim, rng)
        return train(
            Autoencoder(components, self.hidden_dim, targets.shape[1], generator),
            inputs,
            targets,
            held_out,
            loss=AutoencoderLoss(target_loss, self.target_weight),
            noise=self.noise,
            seed=_draw_seed(rng),
            lr=self.learning_rate,
            max_epochs=self.max_epochs,
            device=device,
            verbose=self.verbose,
        )

    def _encode(self, X):
        codes = _apply(self.net_.module_.encoder, self.input_scaler_.standardize(X))
        if not np.isfinite(codes).all():
            raise NumericalError(
                f"training diverged with learning_rate={self.learning_rate}, noise={self.noise} "
                f"and target_weight={self.target_weight}: latent codes are not finite. Fit again "
                "with smaller values."
            )
        return codes

    def _validate_rows(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64, ensure_all_finite=False)
        return _check_finite(X)

    def _validate_training_rows(self, X, y, **kwargs):
        X, y = validate_data(
            self, X, y, dtype=np.float64, ensure_min_samples=2, ensure_all_finite=False, **kwargs
        )
        return _check_finite(X), y

    @property
    def _n_features_out(self):
        return self.net_.module_.head.in_features


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


def _apply(module, rows):
    with torch.no_grad():
        return module(torch.tensor(rows)).numpy()


def _draw_seed(rng):
    return int(rng.randint(np.iinfo(np.int32).max))
