"""AeLLE for performance measured by a number."""

from dataclasses import replace

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils import check_array

from .._checks import check_count, check_positive, refusal
from ..exceptions import InvalidInputError
from ._base import BaseAeLLE, in_blocks
from ._improvement import improve
from ._rows import Rows
from ._scaling import WinsorizedScaler, quantiles

FEW = 0.03
"""Largest share of targets far from the others that is taken for that of wild ones."""

USUAL = 0.8
"""Share of the rows seen in `fit` on which the members disagree no more than usual."""


class AeLLERegressor(RegressorMixin, BaseAeLLE):
    """Predict the performance of networks from their Lyapunov spectra.

    An ensemble of autoencoders reconstructs the spectra and predicts the performance from its
    latent code, the AeLLE [1]_, so that networks with similar spectra and similar performance lie
    together in the code. The prediction is the mean of four kernel ridge regressions: on the
    code, on the reconstruction, and on the inputs by a curve and by a line, each counting the less
    the larger its leave-one-out error.

    Inputs and targets are standardised inside, and clipped at five standard deviations, so raw
    spectra will do, and a few wild rows or diverged runs do little harm. More than three in a
    hundred targets far from the others, as where few networks learn at all, are no wild ones.

    Parameters
    ----------
    latent_dim : int, default=16
        Width of the latent code. Use 2 for a picture; predictions from a code of 2 are weaker.
    architecture : {"residual", "paper"}, default="residual"
        ``"paper"`` is the published network with its losses and schedule, for comparison: one
        network, tanh layers, absolute reconstruction error, the last weights, prediction by its
        linear head.
        `n_members`, `hidden_dim`, `noise` and `target_weight` then do nothing.
    n_members : int, default=10
        Autoencoders trained at once, whose codes are averaged.
    hidden_dim : int, default=64
        Width of the hidden layer of each encoder and decoder.
    noise : float, default=0.2
        Standard deviation of the noise put on the standardised features in training.
    target_weight : float, default=1.0
        Weight of the target's loss beside the reconstruction's; each is about 1 for a guess that
        ignores the features. With 0 the code does not know the target.
    learning_rate : float, default=None
        Largest step size of AdamW, reached after 10 steps and falling to 0 along half a cosine.
        None is 4e-3, or 1e-3 for the paper's network.
    max_epochs : int, default=None
        Epochs of training, each on all rows. None is 150, or 4,000 for the paper's network. More
        than 1,024 rows are taken in batches, of which there are ``4 * max_epochs`` at most, in
        fewer epochs then, but always one epoch.
    device : str, torch.device or None, default=None
        Where to train: None is the CPU. The fitted estimator lives on the CPU in any case.
    random_state : int, RandomState instance or None, default=None
        Draws the held-out rows, the first weights and the noise. Pass an int for the same numbers
        every time. None draws from numpy's global generator, which scikit-learn's users seed;
        torch's and Python's are left as they were.
    verbose : int, default=0
        With 1, a progress bar on stderr.

    Attributes
    ----------
    input_scaler_ : WinsorizedScaler
        Units of the features.
    axes_ : ndarray of shape (n_axes, n_features)
        Principal axes along which the autoencoders see the standardised features, at most 128.
    members_ : torch.nn.Module
        The trained autoencoders.
    blends_ : list of Blend
        For each target the regressions on the mean code, the mean reconstruction, and the
        standardised features along the principal axes, once curved and once linear, with what
        each counts.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features seen in `fit`, if they were all strings.
    target_scaler_ : WinsorizedScaler
        Units of the targets.
    noise_scale_ : ndarray of shape (n_targets,)
        Standard deviation of the standardised target that the kernels count as 1.
    usual_disagreement_ : ndarray of shape (n_targets,)
        Variance of the members' own predictions that four fifths of the rows in `fit` stay below;
        infinite where they all agree. The paper's network has none.

    See Also
    --------
    AeLLEClassifier : The same for classes of performance.

    Notes
    -----
    Each encoder adds a hidden layer of corrections to a linear map that starts at the principal
    components; each decoder mirrors it. A member learns from four fifths of the rows and keeps
    the weights of the epoch in which the others lost least. The loss is the squared error of the
    reconstruction, in units of the features' variance, plus `target_weight` times that of the
    target. The kernels are ``exp(-distance / bandwidth)``, the last one linear; bandwidth and
    ridge have the smallest leave-one-out error, for each target by itself.

    Rows with equal features, as of one network trained several times, are one row with their mean
    target, and are held out together. Of more than 1,000 different rows the kernel regressions
    use 1,000, drawn in proportion to their weights, the autoencoders all.

    References
    ----------
    .. [1] R. Vogt, Y. Zheng and E. Shlizerman, "Lyapunov-Guided Representation of Recurrent Neural
       Network Performance", arXiv:2204.04876.

    Examples
    --------
    >>> import numpy as np
    >>> from lyapsk import AeLLERegressor
    >>> rng = np.random.default_rng(0)
    >>> decay, rank = rng.uniform(0.1, 2, size=(120, 1)), np.linspace(0, 1, 32)
    >>> spectra = -decay * rank + 0.02 * rng.normal(size=(120, 32))
    >>> accuracy = np.exp(-((decay[:, 0] - 1) ** 2))
    >>> aelle = AeLLERegressor(random_state=0).fit(spectra[:100], accuracy[:100])
    >>> aelle.transform(spectra[100:]).shape
    (20, 16)
    >>> aelle.score(spectra[100:], accuracy[100:]) > 0.95
    True
    >>> predicted, spread = aelle.predict(spectra[100:], return_std=True)
    >>> spread.shape
    (20,)
    """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the autoencoders and the regressions.

        Parameters
        ----------
        X : array-like of shape (n_networks, n_features)
            Spectra or features of spectra, in any units; at least two rows.
        y : array-like of shape (n_networks,) or (n_networks, n_targets)
            Performance of each network, in any units; several targets, such as a loss after
            several epochs, share one code. A target further than five (robust) standard
            deviations from the mean counts as five: that a run diverged matters, not how far.
        sample_weight : array-like of shape (n_networks,), default=None
            What each network counts; only ratios matter. Beside networks of weight 1 one of 2 is
            as if it were there twice, and one of 0 as if it were not there; below 1e-9 of the
            largest counts as 0. None is 1 for all.

        Returns
        -------
        self : AeLLERegressor
            The fitted estimator.

        Raises
        ------
        InvalidInputError
            If a row of `X`, a target or a weight is not finite, or a weight is less than 0 or
            all are 0.
        """
        _check_targets(y)
        X, y, weights = self._validate_training_rows(
            X, y, sample_weight, y_numeric=True, multi_output=True
        )
        self._target_shape = y.shape[1:]
        performance = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        rows = Rows.distinct(X, performance, weights)
        self.target_scaler_ = WinsorizedScaler(rows.targets, rows.shares, few=FEW)
        standardized = self.target_scaler_.standardize(rows.targets)
        return self._fit(replace(rows, targets=standardized), _squared_errors)

    def predict(self, X, return_std=False):
        """Predict performance.

        Parameters
        ----------
        X : array-like of shape (n_networks, n_features)
            Spectra or features of spectra.
        return_std : bool, default=False
            Whether to return the spread as well.

        Returns
        -------
        y : ndarray of shape (n_networks,) or (n_networks, n_targets)
            Predicted performance.
        std : ndarray of the same shape
            Standard deviation of the true performance about the predicted one, noise included.
            Only if `return_std`.

        Notes
        -----
        The spread is that of a Gaussian process with the fitted kernels, so it widens away from
        the rows seen in `fit`. Its unit is the one that matches the residuals of rows whose
        targets did not shape the code: for each member, those that it held out, predicted from
        its code of the others; or the leave-one-out residuals if these are larger. With fewer
        than 12 different rows nothing is held out and the spread is too narrow.

        It widens further where the members' own linear predictions vary more than on four fifths
        of the rows seen in `fit`: the variance grows in proportion to theirs. That is a warning
        of networks of an unseen kind, larger ones for example, for which the spread can still be
        too narrow. The paper's network gives one spread for all, that of the rows it held out.
        """
        X = self._validate_rows(X)
        performance = self._performance(X).reshape(-1, *self._target_shape)
        if not return_std:
            return performance
        return performance, self._deviation(X).reshape(performance.shape)

    def improve(self, X, *, larger_is_better, n_steps=8, reach=2.0):
        """Find what the rows of better networks would look like.

        From the mean latent code of the rows a path leads in small steps along the direction in
        which the prediction for the decoded code changes fastest, taken anew after each step. It
        ends where no short step improves the prediction, or the codes seen in `fit` end.

        Parameters
        ----------
        X : array-like of shape (n_networks, n_features)
            Rows of one network, or of several to start from their mean code.
        larger_is_better : bool
            True for an accuracy, False for a loss.
        n_steps : int, default=8
            Steps, if the path does not end before.
        reach : float, default=2.0
            Length of the path in standard deviations of the codes seen in `fit`, along whichever
            direction: at most as far out as 95 % of these codes, or as the start.

        Returns
        -------
        improvement : Improvement
            With ``codes``, the decoded ``rows``, their ``predictions`` and ``std``, each of
            ``n_steps + 1`` entries or fewer, the first for the start.

        Raises
        ------
        InvalidInputError
            If an argument is not allowed, the architecture is the paper's, which keeps no codes,
            or there are several targets.

        See Also
        --------
        lyapsk.plotting.BetterSpectrumDisplay : Draws the spectra among the rows.

        Notes
        -----
        What is predicted is the performance of networks with such spectra among those like the
        ones seen in `fit`, not what becomes of a network that is made to have one.

        Examples
        --------
        >>> import numpy as np
        >>> from lyapsk import AeLLERegressor
        >>> decay, rank = np.linspace(0.1, 2, 60)[:, None], np.linspace(0, 1, 32)
        >>> spectra, loss = -decay * rank, np.abs(decay[:, 0] - 1)
        >>> aelle = AeLLERegressor(max_epochs=40, random_state=0).fit(spectra, loss)
        >>> better = aelle.improve(spectra[-10:-9], larger_is_better=False)
        >>> bool(better.predictions[-1] < 0.5 * better.predictions[0])
        True
        """
        X = self._validate_rows(X)
        if self._is_paper:
            raise InvalidInputError(
                "architecture: got 'paper', which keeps no codes to stay among. Fit with "
                "architecture='residual'."
            )
        n_targets = len(self.target_scaler_.scale)
        if n_targets > 1:
            raise InvalidInputError(
                f"y had {n_targets} columns in fit; a path leads uphill in one. Fit with the one "
                "target that shall improve."
            )
        if not isinstance(larger_is_better, bool | np.bool_):
            raise refusal("larger_is_better", larger_is_better, "True or False")
        return improve(
            self,
            X,
            sign=1 if larger_is_better else -1,
            n_steps=check_count("n_steps", n_steps),
            reach=check_positive("reach", reach),
        )

    def _performance(self, X):
        return self.target_scaler_.restore(self._regress(X))

    def _deviation(self, X):
        return self.noise_scale_ * self.target_scaler_.scale * np.sqrt(self._variance(X))

    def _variance(self, X):
        """Variance of the targets, (n_rows, n_targets), in units of `noise_scale_` squared."""
        if self._is_paper:
            return np.ones((len(X), 1))
        return in_blocks(self._variance_of_block, X)

    def _variance_of_block(self, X):
        widening = np.maximum(1, self._disagreement(X) / self.usual_disagreement_)
        return widening * _told_by(self.blends_, self._views(X))

    def _disagreement(self, X):
        """Variance over members of what the linear head of each predicts, (n_rows, n_targets)."""
        return self._applied("head", self._applied("encoder", self._inputs(X))).var(axis=0)

    def _groups(self, n_targets):
        """Columns of the targets that share kernels and ridges: none with another."""
        return [slice(column, column + 1) for column in range(n_targets)]

    def _fit_heads(self, rows, held_out):
        super()._fit_heads(rows, held_out)
        if self._is_paper:
            counts = rows.shares * (held_out[0] if held_out.any() else 1)
            errors = (self._regress(rows.X) - rows.targets) ** 2 + rows.scatter
            self.noise_scale_ = np.sqrt(np.average(errors, axis=0, weights=counts))
            return
        usual = quantiles(self._disagreement(rows.X), rows.shares, [USUAL])[0]
        self.usual_disagreement_ = np.where(usual > 0, usual, np.inf)
        surprise = np.maximum(
            self._left_out_surprise(rows), self._held_out_surprise(rows, held_out)
        )
        self.noise_scale_ = np.sqrt(surprise)

    def _left_out_surprise(self, rows):
        """Mean squared residual by the other rows, in units of the variance, (n_targets,)."""
        residuals, variances = zip(*(blend.left_out() for blend in self.blends_), strict=True)
        squared = np.hstack(residuals) ** 2 + rows.scatter
        return np.average(squared / np.hstack(variances), axis=0, weights=rows.shares)

    def _held_out_surprise(self, rows, held_out):
        """The same of rows that a member held out, seen by that member, over all members."""
        if not held_out.any():
            return 0.0
        inputs = self._inputs(rows.X)
        members = zip(held_out, *self._codes_and_reconstructions(inputs), strict=True)
        squared = [
            self._surprises(rows, held, (codes, reconstructions, inputs, inputs))
            for held, codes, reconstructions in members
        ]
        counts = np.concatenate([rows.shares[held] for held in held_out])
        return np.average(np.concatenate(squared), axis=0, weights=counts)

    def _surprises(self, rows, held_out, views):
        """Of one member, which sees these views, (n_held_out, n_targets)."""
        seen, new = rows[~held_out], rows[held_out]
        seen_views, new_views = ([view[mask] for view in views] for mask in (~held_out, held_out))
        groups = self._groups(rows.targets.shape[1])
        blends = [
            blend.refitted(seen_views, seen.targets[:, group], seen.shares)
            for blend, group in zip(self.blends_, groups, strict=True)
        ]
        squared = (self._predicted(blends, new_views) - new.targets) ** 2 + new.scatter
        return squared / _told_by(blends, new_views)


def _check_targets(y):
    """Refuse what scikit-learn would refuse too, but say which run it is and what to do."""
    if y is None:
        return
    values = check_array(
        y, dtype=np.float64, ensure_2d=False, ensure_all_finite=False, input_name="y"
    )
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        value = values[tuple(bad[0])]
        kind = "NaN" if np.isnan(value) else "infinity"
        raise InvalidInputError(
            f"Input y contains {kind}: row {bad[0][0]} holds {value}. Leave out runs that "
            "diverged, or give them a finite value a little worse than the worst of the others."
        )


def _told_by(blends, views):
    """Variance of each target, (n_rows, n_targets), in units of the kernels."""
    return np.hstack([blend.variance(views) for blend in blends])


def _squared_errors(predictions, targets):
    """Of each member and row."""
    return (predictions - targets).square().mean(-1)
