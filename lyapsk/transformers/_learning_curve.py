"""Training histories to features."""

from functools import partial
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._persistence import Persistent
from ..exceptions import InvalidInputError
from ._entries import entries_of
from ._failures import attempt_each, in_rows, reported, succeeded
from ._histories import common_columns, curves_of, finished_epochs

SUMMARIES = ("lowest", "highest", "change", "slope")


class LearningCurveTransformer(Persistent, TransformerMixin, BaseEstimator):
    """Learning curves up to an epoch, as one row of features for each network.

    Beside :class:`LyapunovSpectrumTransformer` in scikit-learn's ``make_union``, one predictor
    sees spectra and what training has shown so far. For each column ``key`` of the histories:

    ``{key}_epoch_1``, ``{key}_epoch_2``, ...
        The value of each epoch, up to the last that is read.
    ``{key}_lowest``, ``{key}_highest``
        The extremes so far: the best of a loss is the lowest, of an accuracy the highest.
    ``{key}_change``, ``{key}_slope``
        Last less first epoch, and least-squares slope per epoch over the later half of the epochs
        (at least two). Both are 0 for a single epoch.

    All are taken on a logarithmic scale, ``log(value)``, where ``fit`` saw no finite negative value
    of the column, as in most losses and scores, and ``sign(value) log(1 + abs(value))`` where it
    did. On that scale values are clipped to those seen in ``fit``, widened by their range (by at
    least 1) on either side, so all features are finite, those of a network that diverged too:
    infinity comes out as the upper end, the worst of a loss, and minus infinity as the lower one,
    the worst of a score such as R2. NaN says nothing of its direction and is read as infinity, so
    it is the worst of losses only. 0 on the scale of ``log(value)`` comes out as the lower end.

    Parameters
    ----------
    n_epochs : int, optional
        Epochs to read, from the first; by default those of the shortest history seen in ``fit``.
        Epochs that were interrupted do not count. Name a number to predict from the start of a
        training how finished networks came out.
    keys : sequence of str, optional
        Columns of the histories to read, such as ``["valid_loss"]``. By default all that hold
        numbers in every history seen in ``fit``, without epoch numbers, durations and counts of
        batches.
    error_score : "raise" or float, default="raise"
        What a network without the epochs and columns to read gives: an error, or a row of this
        value, a warning and an entry in ``failures_``. With a value ``fit`` passes such networks
        over.

    Attributes
    ----------
    n_epochs_ : int
        Epochs that are read.
    keys_ : list of str
        Columns that are read.
    plain_log_ : ndarray of bool of shape (n_keys,)
        Whether the scale is ``log(value)``.
    lower_, upper_ : ndarray of shape (n_keys,)
        Ends of each column on its scale.
    failures_ : list of (int, Exception)
        Position and cause for each network that failed in the latest ``transform``.

    See Also
    --------
    LyapunovSpectrumTransformer : Features of the same networks' spectra.

    Examples
    --------
    >>> from lyapsk import LearningCurveTransformer
    >>> histories = [  # of skorch nets, or the nets themselves
    ...     [{"train_loss": 1.0}, {"train_loss": 0.5}, {"train_loss": 0.25}],
    ...     [{"train_loss": 1.0}, {"train_loss": float("nan")}],
    ... ]
    >>> transformer = LearningCurveTransformer().set_output(transform="pandas")
    >>> transformer.fit_transform(histories).round(2).T
                           0    1
    train_loss_epoch_1  0.00  0.0
    train_loss_epoch_2 -0.69  1.0
    train_loss_lowest  -0.69  0.0
    train_loss_highest  0.00  1.0
    train_loss_change  -0.69  1.0
    train_loss_slope   -0.69  1.0
    """

    _parameter_constraints = {
        "n_epochs": [Interval(Integral, 1, None, closed="left"), None],
        "keys": ["array-like", None],
        "error_score": [StrOptions({"raise"}), Real],
    }

    def __init__(self, n_epochs=None, *, keys=None, error_score="raise"):
        self.n_epochs = n_epochs
        self.keys = keys
        self.error_score = error_score

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn epochs, columns and their scales.

        Parameters
        ----------
        X : list or object array
            Trained skorch nets, their histories, or lists with a dict for each epoch. Of a pair
            ``(network, reference)`` the network is read.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        InvalidInputError
            If ``keys`` name no columns, or no history can be read.
        """
        _check_keys(self.keys)
        histories = self._histories(X, self.n_epochs or 1)
        usable = succeeded(histories)
        self.n_epochs_ = self.n_epochs or min(map(len, usable))
        keys = common_columns(usable, self.n_epochs_) if self.keys is None else self.keys
        self.keys_ = [str(key) for key in keys]
        curves = np.stack(succeeded(self._curves(histories)))
        self.plain_log_ = ~((curves < 0) & np.isfinite(curves)).any(axis=(0, 2))
        self.lower_, self.upper_ = _ends(self._scaled(curves))
        return self

    def transform(self, X):
        """Features of each network.

        Parameters
        ----------
        X : list or object array, as for :meth:`fit`

        Returns
        -------
        ndarray of shape (n_networks, n_features)
            Finite, except for rows of ``error_score``.
        """
        check_is_fitted(self)
        histories = self._histories(X, self.n_epochs_)
        curves, self.failures_ = reported(self._curves(histories))
        return in_rows(self._features, curves, len(self.get_feature_names_out()), self.error_score)

    def get_feature_names_out(self, input_features=None):
        """Names of the features, column after column."""
        check_is_fitted(self)
        width = len(str(self.n_epochs_))
        parts = [f"epoch_{number:0{width}d}" for number in range(1, self.n_epochs_ + 1)]
        parts += SUMMARIES
        return np.array([f"{key}_{part}" for key in self.keys_ for part in parts], dtype=object)

    def _histories(self, X, n_epochs):
        """The epochs of each entry, at least so many, or the error that says why not."""
        read = partial(finished_epochs, n_epochs=n_epochs)
        return self._attempt(read, entries_of(X))

    def _curves(self, histories):
        """The curves of each history, or the error that says why not."""
        read = partial(curves_of, keys=self.keys_, n_epochs=self.n_epochs_)
        return self._attempt(read, histories)

    def _attempt(self, function, entries):
        return attempt_each(function, entries, strict=self.error_score == "raise")

    def _features(self, curves):
        """Features from the curves of networks, (n_networks, n_keys, n_epochs) values."""
        scaled = self._scaled(np.stack(curves))
        scaled = np.where(np.isnan(scaled), np.inf, scaled)
        scaled = np.clip(scaled, self.lower_[:, None], self.upper_[:, None])
        summaries = {
            "lowest": scaled.min(axis=-1),
            "highest": scaled.max(axis=-1),
            "change": scaled[..., -1] - scaled[..., 0],
            "slope": scaled @ _slope_weights(self.n_epochs_),
        }
        parts = [scaled, *(summaries[name][..., None] for name in SUMMARIES)]
        return np.concatenate(parts, axis=-1).reshape(len(scaled), -1)

    def _scaled(self, curves):
        """Values on their logarithmic scale."""
        with np.errstate(divide="ignore", invalid="ignore"):
            plain = np.log(np.maximum(curves, 0))
            signed = np.sign(curves) * np.log1p(np.abs(curves))
        return np.where(self.plain_log_[:, None], plain, signed)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags


def _check_keys(keys):
    if keys is None:
        return
    strings = all(isinstance(key, str) for key in keys)
    if not strings or len(keys) == 0 or len(set(keys)) < len(keys):
        raise InvalidInputError(
            f"keys: got {keys!r}. Name at least one column of the histories, each once, for "
            "example ['train_loss', 'valid_loss'], or pass None for all that they share."
        )


def _ends(scaled):
    """Ends of each column, (n_keys,) each: the finite values widened by their range."""
    finite = np.isfinite(scaled)
    lowest = scaled.min(axis=(0, 2), where=finite, initial=np.inf)
    highest = scaled.max(axis=(0, 2), where=finite, initial=-np.inf)
    seen = finite.any(axis=(0, 2))
    lowest, highest = np.where(seen, lowest, 0), np.where(seen, highest, 0)
    margin = np.maximum(highest - lowest, 1)
    return lowest - margin, highest + margin


def _slope_weights(n_epochs):
    """Weights whose product with a curve is the least-squares slope of its later half."""
    if n_epochs == 1:
        return np.zeros(1)
    n_late = max(2, -(-n_epochs // 2))
    time = np.arange(n_late) - (n_late - 1) / 2
    return np.pad(time / (time @ time), (n_epochs - n_late, 0))
