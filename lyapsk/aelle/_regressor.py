"""AeLLE for performance measured by a number."""

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from torch.nn import functional as F

from ._base import BaseAeLLE
from ._scaling import WinsorizedScaler


class AeLLERegressor(RegressorMixin, BaseAeLLE):
    """Predict the performance of networks from their Lyapunov spectra.

    An autoencoder reconstructs the spectra and predicts the performance from its latent code, the
    AeLLE [1]_, so that networks with similar spectra and similar performance lie together in the
    code. The prediction is a kernel ridge regression on the code.

    Inputs and targets are standardised inside, and clipped at five standard deviations, so raw
    spectra will do, and a few wild rows or diverged runs do little harm.

    Parameters
    ----------
    latent_dim : int, default=16
        Width of the latent code. Use 2 for a picture; predictions from a code of 2 are weaker.
    hidden_dim : int, default=64
        Width of the hidden layer of the encoder and of the decoder.
    noise : float, default=0.1
        Standard deviation of the noise put on the standardised features in training.
    target_weight : float, default=1.0
        Weight of the target's loss beside the reconstruction's; each is about 1 for a guess that
        ignores the features. With 0 the code does not know the target.
    learning_rate : float, default=4e-3
        First step size of AdamW; it falls to 0 along half a cosine over `max_epochs`.
    max_epochs : int, default=200
        Most steps of training, each on all rows.
    validation_fraction : float, default=0.2
        Share of the rows held out to stop the training and keep the best weights; with fewer
        than 12 rows, or with 0, none is held out and training runs to `max_epochs`.
    device : str, torch.device or None, default=None
        Where to train: None is the CPU. The fitted estimator lives on the CPU in any case.
    random_state : int, RandomState instance or None, default=None
        Draws the held-out rows, the first weights and the noise. Pass an int for the same numbers
        every time. None draws from numpy's global generator, which scikit-learn's users seed;
        torch's and Python's are never touched.
    verbose : int, default=0
        With 1, skorch prints a line an epoch.

    Attributes
    ----------
    input_scaler_ : WinsorizedScaler
        Units of the features.
    net_ : skorch.NeuralNet
        The trained autoencoder is its ``module_``; ``history`` has the losses.
    head_ : KernelHead
        The regression on the code.
    n_held_out_ : int
        How many of the rows of `head_`, its first, were held out of training.
    n_iter_ : int
        Epochs trained.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen in `fit`, if they were all strings.
    target_scaler_ : WinsorizedScaler
        Units of the target.
    noise_scale_ : float
        Standard deviation of the standardised target that the kernel counts as 1.

    See Also
    --------
    AeLLEClassifier : The same for classes of performance.

    Notes
    -----
    The encoder adds a hidden layer of corrections to a linear map that starts at the principal
    components; the decoder mirrors it. The kernel is ``exp(-distance / bandwidth)``; bandwidth and
    ridge have the smallest leave-one-out error. Of more than 1,000 rows the kernel regression
    uses 1,000 drawn at random, the autoencoder all.

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

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Fit the autoencoder and the regression on its code.

        Parameters
        ----------
        X : array-like of shape (n_networks, n_features)
            Spectra or features of spectra, in any units; at least two rows.
        y : array-like of shape (n_networks,)
            Performance of each network, in any units. A target further than five (robust)
            standard deviations from the mean counts as five: that a run diverged matters, not
            how far.

        Returns
        -------
        self : AeLLERegressor
            The fitted estimator.
        """
        X, y = self._validate_training_rows(X, y, y_numeric=True)
        performance = np.asarray(y, dtype=np.float64)[:, None]
        self.target_scaler_ = WinsorizedScaler(performance)
        self._fit(X, self.target_scaler_.standardize(performance), F.mse_loss)
        self.noise_scale_ = self._noise_scale()
        return self

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
        y : ndarray of shape (n_networks,)
            Predicted performance.
        std : ndarray of shape (n_networks,)
            Standard deviation of the true performance about the predicted one, noise included.
            Only if `return_std`.

        Notes
        -----
        The spread is that of a Gaussian process with the fitted kernel, so it widens away from the
        codes seen in `fit`. Its unit is the one that matches the leave-one-out residuals of the
        held-out rows, whose targets did not shape the code, or of all rows if that is larger. With
        no rows held out (`validation_fraction` 0, or fewer than 12 rows) the code has seen
        every target and the spread is too narrow.
        """
        codes = self._encode(self._validate_rows(X))
        predicted = self.target_scaler_.restore(self.head_.predict(codes))[:, 0]
        if not return_std:
            return predicted
        unit = self.noise_scale_ * self.target_scaler_.scale
        return predicted, unit * np.sqrt(self.head_.variance(codes))

    def _noise_scale(self):
        """How much larger residuals are than the kernel's variance says, as a deviation."""
        surprise = self.head_.residuals[:, 0] ** 2 / self.head_.variances
        held_out = surprise[: self.n_held_out_]
        return np.sqrt(max(surprise.mean(), held_out.mean() if len(held_out) else 0.0))
