"""Fitted networks to spectrum features."""

import os
from itertools import chain
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._persistence import Persistent
from ..exceptions import InvalidTypeError
from ..nets import Options, check_sequences, many_spectra, state_sizes
from ..nets._saved import check_module
from ..spectrum import LyapunovSpectrum
from ._blocks import Blocks, check_features
from ._entries import Networks, by_group, check_same_size, groups_of
from ._failures import in_rows, reported
from ._statistics import FLOOR, LARGEST


class LyapunovSpectrumTransformer(Persistent, TransformerMixin, BaseEstimator):
    """Lyapunov spectra of recurrent networks, as one row of features for each network.

    The blocks that ``features`` names stand side by side:

    ``"quantiles"``
        Spectra of networks of any size, resampled onto one grid over relative rank. They forget
        size and absolute position.
    ``"statistics"``
        Those of :class:`SpectrumStatistics`, which keep both.
    ``"spread"``
        How much the exponents differ from one driving sequence to another: standard deviations
        across sequences, in nats per step, of the largest exponent, of the smallest, their mean
        over all exponents (``spread_mean``), and that of the sum of the exponents
        (``spread_sum``). 0 for a single sequence.
    ``"change"``
        How far the network came from an earlier checkpoint of itself: its quantiles and
        statistics less those of that reference, of the two blocks those that ``features`` also
        names, or both where it names neither. The size, which cannot change, is left out. Every
        element of ``X`` is then a pair ``(network, reference)``.

    Parameters
    ----------
    sequences : array-like or whatever the networks' own forward takes
        The driving sequences; for bare layers (n_sequences, n_steps, n_inputs). Two are often
        enough.
    layer : str, optional
        Name of the recurrent layer, where the modules have several.
    n_exponents : int, optional
        Number of leading exponents; by default all. Quantiles and statistics are then of these
        alone: the relative rank is that among them, and ``size`` is their number.
    n_points : int or None, default=64
        Points of the quantile grid over relative rank from 0 (largest) to 1 (smallest). None
        keeps the exponents as they are, padded with ``floor`` to the widest network seen in
        ``fit``.
    warmup, n_steps, method, dtype, device
        As for :func:`lyapunov_spectrum`.
    features : sequence of str, default=("quantiles", "statistics")
        Blocks of features, each of them one of the four above.
    batch_size : int, optional
        Networks of one shape that run together; by default as many as fit in memory.
    n_jobs : int, optional
        Processes, as in joblib.
    memory : str, Path or joblib.Memory, optional
        Directory in which each network's spectrum is kept, under its weights, what drives it and
        all that the numbers depend on. A run that was killed goes on where it was, several may
        share it at a time, and damaged files are found out and made anew. A layer of your own is
        known by what it holds and by the code of its module: whatever else its steps read, such as
        the arguments of a program, must be held in the layer.
    error_score : "raise" or float, default="raise"
        What a network that cannot be processed gives: an error, or a row of this value, a warning
        and an entry in ``failures_``.
    floor : float, default=-10.0
        In nats per step. Exponents below it, also minus infinity, are set to it in the features.
    random_state : int, RandomState or None, default=None
        Seeds the initial frame. None stands for one fixed frame.
    module : class or function, optional
        For paths in ``X``: makes the torch module whose weights the file holds. It is called with
        nothing; or, if there is one argument that it needs or one called ``metadata``, with the
        metadata of the file, a dict of str with the path under ``"path"``. Damage to torch's own
        files is found out; safetensors files carry no check sum, so that a changed weight in one
        is another weight.
    trusted : bool, default=False
        Whether paths in ``X`` may lead to pickles. To open one can run any code that its author
        wished.
    verbose : int, default=0
        Above 0, progress is shown of anything that takes longer than two seconds.

    Attributes
    ----------
    n_points_ : int
        Width of the block ``"quantiles"``.
    failures_ : list of (int, Exception)
        Position and cause for each network that failed in the latest ``transform``. A pair fails
        with either of its networks; the cause says with which.

    See Also
    --------
    lyapunov_spectrum : The spectrum of one network, with its errors.
    SpectrumStatistics : Statistics from spectra that you have.
    LearningCurveTransformer : Features of the same networks' training so far.

    Examples
    --------
    >>> import torch
    >>> from lyapsk import LyapunovSpectrumTransformer
    >>> layers = [torch.nn.GRU(1, size) for size in (3, 4)]
    >>> transformer = LyapunovSpectrumTransformer(torch.randn(2, 20, 1), features=["quantiles"])
    >>> transformer.fit_transform(layers).shape
    (2, 64)

    What training changed; the reference is a copy from before it:

    >>> from copy import deepcopy
    >>> pairs = [(layer, deepcopy(layer)) for layer in layers]
    >>> _ = torch.nn.init.orthogonal_(layers[0].weight_hh_l0)  # instead of training
    >>> change = LyapunovSpectrumTransformer(torch.randn(2, 20, 1), n_points=2, features=["change"])
    >>> change.fit_transform(pairs).round(6).any(axis=1)
    array([ True, False])
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
        "memory": [str, os.PathLike, HasMethods(["cache"]), None],
        "error_score": [StrOptions({"raise"}), Real],
        "floor": [Interval(Real, -LARGEST, 0, closed="left")],
        "random_state": ["random_state"],
        "module": [callable, None],
        "trusted": ["boolean"],
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
        module=None,
        trusted=False,
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
        self.module = module
        self.trusted = trusted
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Check parameters and networks; only ``n_points=None`` learns, a width.

        Parameters
        ----------
        X : list, object array or other sequence
            Initialised or fitted skorch nets, modules or recurrent layers, or paths of saved ones
            (with ``module`` weights as ``.safetensors``, or as ``.pt``, ``.pth``, ``.ckpt`` or
            ``.bin`` with a state dict, alone or among what else a training loop saves; pickles
            with ``trusted``); with ``"change"`` pairs ``(network, reference)`` of them, also as an
            object array of shape (n_networks, 2). Of any other sequence than a list or an array
            one entry at a time is asked for, so that more networks than fit in memory pass.
        y : ignored

        Returns
        -------
        self
        """
        check_features(self.features)
        self._options()
        check_sequences(self.sequences)
        check_module(self.module)
        networks = Networks(X, paired=self._paired)
        self.n_points_ = self.n_points
        # What is on disk is opened once, in transform, unless something is to be learned from it.
        if self.n_points is None or not networks.on_disk:
            strict = self.error_score == "raise"
            widest = max(self._state_sizes(networks.first_of_each, strict=strict), default=1)
            self.n_points_ = self.n_points or min(widest, self.n_exponents or widest)
        return self

    def transform(self, X):
        """Features of each network.

        Parameters
        ----------
        X : list or object array of networks, or of pairs

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
        spectra : list of LyapunovSpectrum or None, or of pairs of LyapunovSpectrum or None
            As :meth:`spectra` gives them.

        Returns
        -------
        ndarray of shape (n_networks, n_features)
        """
        check_is_fitted(self)
        missing = (None, None) if self._paired else None
        entries = [missing if spectrum is None else spectrum for spectrum in spectra]
        groups = groups_of(entries, paired=self._paired, name="spectra")
        for one in chain(*groups):
            if not (one is None or isinstance(one, LyapunovSpectrum)):
                raise InvalidTypeError(
                    f"spectra: holds a {type(one).__name__}. They must be LyapunovSpectrum, as "
                    "lyapunov_spectrum returns them; of exponents in an array take "
                    "SpectrumStatistics."
                )
        sizes = [[s.state_size for s in group if s is not None] for group in groups]
        check_same_size(sizes, name="spectra")
        whole = [None if None in group else group for group in groups]
        blocks = self._blocks()
        return in_rows(blocks.rows, whole, len(blocks.names()), self.error_score)

    def spectra(self, X):
        """Spectra of each network, with their errors.

        Parameters
        ----------
        X : list or object array of networks, or of pairs

        Returns
        -------
        list of LyapunovSpectrum, or of pairs (LyapunovSpectrum, LyapunovSpectrum)
            None for a network or a pair that failed, where ``error_score`` is a value.
        """
        networks = Networks(X, paired=self._paired)
        if self._paired and not networks.on_disk:
            each = iter(networks)
            sizes = [self._state_sizes(pair, strict=False) for pair in zip(each, each, strict=True)]
            check_same_size(sizes, name="X")
        spectra, self.failures_ = reported(by_group(self._many_spectra, networks))
        return spectra

    def get_feature_names_out(self, input_features=None):
        """Names of the features, block after block."""
        check_is_fitted(self)
        return np.array(self._blocks().names(), dtype=object)

    @property
    def _paired(self):
        return "change" in self.features

    def _state_sizes(self, networks, *, strict):
        return state_sizes(
            networks, layer=self.layer, module=self.module, trusted=self.trusted, strict=strict
        )

    def _many_spectra(self, networks, names):
        return many_spectra(
            networks,
            self.sequences,
            self._options(),
            names=names,
            layer=self.layer,
            module=self.module,
            trusted=self.trusted,
            n_jobs=self.n_jobs,
            memory=self.memory,
            strict=self.error_score == "raise",
            verbose=self.verbose,
        )

    def _blocks(self):
        return Blocks(
            features=tuple(self.features),
            n_points=self.n_points_,
            resampled=self.n_points is not None,
            floor=self.floor,
        )

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

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags
