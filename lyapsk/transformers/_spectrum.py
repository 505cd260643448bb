"""Fitted networks to spectrum features."""

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ..exceptions import FailedNetworkWarning, InvalidInputError, InvalidTypeError
from ..nets import Options, check_sequences, failed, many_spectra, state_sizes
from ._statistics import FLOOR, SpectrumStatistics

BLOCKS = ("quantiles", "statistics")


class LyapunovSpectrumTransformer(TransformerMixin, BaseEstimator):
    """Lyapunov spectra of recurrent networks, as one row of features for each network.

    The blocks that ``features`` names stand side by side. Quantiles resample spectra of networks
    of any size onto one grid over relative rank; they forget size and absolute position, which
    the statistics keep.

    Parameters
    ----------
    sequences : array-like or whatever the networks' own forward takes
        The driving sequences; for bare layers (n_sequences, n_steps, n_inputs). Two are often
        enough.
    layer : str, optional
        Name of the recurrent layer, where the modules have several.
    n_exponents : int, optional
        Number of leading exponents; by default all.
    n_points : int or None, default=64
        Points of the quantile grid over relative rank from 0 (largest) to 1 (smallest). None
        keeps the exponents as they are, padded with ``floor`` to the widest network seen in
        ``fit``.
    warmup, n_steps, method, dtype, device
        As for :func:`lyapunov_spectrum`.
    features : sequence of {"quantiles", "statistics"}, default=("quantiles", "statistics")
        Blocks of features. ``"statistics"`` are those of :class:`SpectrumStatistics`.
    batch_size : int, optional
        Networks of one shape that run together; by default as many as fit in memory.
    n_jobs : int, optional
        Processes, as in joblib.
    memory : str or joblib.Memory, optional
        Where each network's spectrum is cached.
    error_score : "raise" or float, default="raise"
        What a network that cannot be processed gives: an error, or a row of this value, a warning
        and an entry in ``failures_``.
    floor : float, default=-10.0
        In nats per step. Exponents below it, also minus infinity, are set to it in the features.
    random_state : int, RandomState or None, default=None
        Seeds the initial frame. None stands for one fixed frame.
    verbose : int, default=0
        Above 0, progress is shown of anything that takes longer than two seconds.

    Attributes
    ----------
    n_points_ : int
        Width of the block ``"quantiles"``.
    failures_ : list of (int, Exception)
        Position and cause for each network that failed in the latest ``transform``.

    See Also
    --------
    lyapunov_spectrum : The spectrum of one network, with its errors.
    SpectrumStatistics : Statistics from spectra that you have.

    Examples
    --------
    >>> import torch
    >>> from lyapsk import LyapunovSpectrumTransformer
    >>> layers = [torch.nn.GRU(1, size) for size in (3, 4)]
    >>> transformer = LyapunovSpectrumTransformer(torch.randn(2, 20, 1), features=["quantiles"])
    >>> transformer.fit_transform(layers).shape
    (2, 64)
    """

    _parameter_constraints = {
        "layer": [str, None],
        "n_exponents": [Interval(Integral, 1, None, closed="left"), None],
        "n_points": [Interval(Integral, 2, None, closed="left"), None],
        "warmup": [Interval(Integral, 0, None, closed="left")],
        "n_steps": [Interval(Integral, 1, None, closed="left"), None],
        "features": ["array-like"],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "n_jobs": [Integral, None],
        "memory": [str, HasMethods(["cache"]), None],
        "error_score": [StrOptions({"raise"}), Real],
        "floor": [Interval(Real, None, 0, closed="neither")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        sequences,
        *,
        layer=None,
        n_exponents=None,
        n_points=64,
        warmup=0,
        n_steps=None,
        method="auto",
        dtype="float64",
        device=None,
        features=("quantiles", "statistics"),
        batch_size=None,
        n_jobs=None,
        memory=None,
        error_score="raise",
        floor=FLOOR,
        random_state=None,
        verbose=0,
    ):
        self.sequences = sequences
        self.layer = layer
        self.n_exponents = n_exponents
        self.n_points = n_points
        self.warmup = warmup
        self.n_steps = n_steps
        self.method = method
        self.dtype = dtype
        self.device = device
        self.features = features
        self.batch_size = batch_size
        self.n_jobs = n_jobs
        self.memory = memory
        self.error_score = error_score
        self.floor = floor
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Check parameters and networks; only ``n_points=None`` learns, a width.

        Parameters
        ----------
        X : list or object array of networks
            Initialised or fitted skorch nets, modules or recurrent layers.
        y : ignored

        Returns
        -------
        self
        """
        networks = _as_list(X)
        _check_features(self.features)
        self._options()
        check_sequences(self.sequences)
        strict = self.error_score == "raise"
        widest = max(state_sizes(networks, layer=self.layer, strict=strict), default=1)
        self.n_points_ = self.n_points or min(widest, self.n_exponents or widest)
        return self

    def transform(self, X):
        """Features of each network.

        Parameters
        ----------
        X : list or object array of networks

        Returns
        -------
        ndarray of shape (n_networks, n_features)
            Finite, except for rows of ``error_score``.
        """
        check_is_fitted(self)
        return self.from_spectra(self.spectra(X))

    def from_spectra(self, spectra):
        """Features of spectra that were taken before.

        Parameters
        ----------
        spectra : list of LyapunovSpectrum or None
            As :meth:`spectra` gives them.

        Returns
        -------
        ndarray of shape (n_networks, n_features)
        """
        check_is_fitted(self)
        done = [index for index, spectrum in enumerate(spectra) if spectrum is not None]
        missing = np.nan if self.error_score == "raise" else self.error_score
        rows = np.full((len(spectra), len(self.get_feature_names_out())), float(missing))
        if done:
            exponents = [np.maximum(spectra[i].exponents, self.floor) for i in done]
            rows[done] = np.hstack(
                [getattr(self, f"_{block}")(exponents) for block in self.features]
            )
        return rows

    def spectra(self, X):
        """Spectra of each network, with their errors.

        Parameters
        ----------
        X : list or object array of networks

        Returns
        -------
        list of LyapunovSpectrum
            None for a network that failed, where ``error_score`` is a value.
        """
        results = many_spectra(
            _as_list(X),
            self.sequences,
            self._options(),
            layer=self.layer,
            n_jobs=self.n_jobs,
            memory=self.memory,
            strict=self.error_score == "raise",
            verbose=self.verbose,
        )
        self.failures_ = [(i, result) for i, result in enumerate(results) if failed(result)]
        if self.failures_:
            warnings.warn(
                _summary(self.failures_, len(results)), FailedNetworkWarning, stacklevel=2
            )
        return [None if failed(result) else result for result in results]

    def get_feature_names_out(self, input_features=None):
        """Names of the features, block after block."""
        check_is_fitted(self)
        width = len(str(self.n_points_ - 1))
        names = {
            "quantiles": [f"quantile_{i:0{width}d}" for i in range(self.n_points_)],
            "statistics": list(SpectrumStatistics(floor=self.floor).get_feature_names_out()),
        }
        return np.array([name for block in self.features for name in names[block]], dtype=object)

    def _options(self):
        return Options.checked(
            n_exponents=self.n_exponents,
            n_steps=self.n_steps,
            warmup=self.warmup,
            method=self.method,
            dtype=self.dtype,
            device=self.device,
            random_state=self.random_state,
            batch_size=self.batch_size,
        )

    def _quantiles(self, exponents):
        if self.n_points is None:
            return np.stack([_padded(row, self.n_points_, self.floor) for row in exponents])
        return np.stack([_resampled(row, self.n_points_) for row in exponents])

    def _statistics(self, exponents):
        padded = [_padded(row, max(map(len, exponents)), np.nan) for row in exponents]
        return SpectrumStatistics(floor=self.floor).fit_transform(np.stack(padded))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags


def _padded(row, width, filling):
    if len(row) > width:
        raise InvalidInputError(
            f"X: a network has {len(row)} exponents, the widest seen in fit had {width}. Fit on "
            "the largest networks too, or give n_points a number to resample all to one grid."
        )
    return np.concatenate([row, np.full(width - len(row), filling)])


def _resampled(row, n_points):
    ranks = np.linspace(0, 1, len(row)) if len(row) > 1 else np.zeros(1)
    return np.interp(np.linspace(0, 1, n_points), ranks, row)


def _as_list(X):
    """The networks of a list, a tuple or an object array."""
    one_dimensional = isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1
    if not one_dimensional and not isinstance(X, list | tuple):
        raise InvalidTypeError(
            f"X: got {type(X).__name__}. It must be a list or a one-dimensional object array of "
            "networks: skorch nets, torch modules or recurrent layers."
        )
    if len(X) == 0:
        raise InvalidInputError("X: got no networks. Pass at least one.")
    return list(X)


def _check_features(features):
    unknown = [block for block in features if block not in BLOCKS]
    if unknown or len(features) == 0 or len(set(features)) < len(features):
        raise InvalidInputError(
            f"features: got {features!r}. It must name at least one of {', '.join(BLOCKS)}, each "
            "once."
        )


def _summary(failures, n_networks):
    causes = "; ".join(str(cause) for _, cause in failures[:3])
    more = f"; and {len(failures) - 3} more" if len(failures) > 3 else ""
    return (
        f"{len(failures)} of {n_networks} networks could not be processed; their rows hold "
        f"error_score. {causes}{more}. See failures_."
    )
