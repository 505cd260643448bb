"""AeLLE for performance in classes."""

import numpy as np
from scipy.special import softmax
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils.multiclass import check_classification_targets

from ..exceptions import InvalidInputError
from ._base import BaseAeLLE
from ._rows import Rows

PROBABILITY_FLOOR = 0.02
"""Smallest probability before normalisation, as a share of that of a uniform guess."""


class AeLLEClassifier(ClassifierMixin, BaseAeLLE):
    """Predict classes of networks, such as "learns" or "fails", from their Lyapunov spectra.

    An ensemble of autoencoders reconstructs the spectra and predicts the class from its latent
    code, the AeLLE [1]_, so that networks with similar spectra and of one class lie together in
    the code. The probabilities come from kernel ridge regressions of class membership on the
    code, on the reconstruction, and on the inputs by a curve and by a line, each counting the less
    the larger its leave-one-out error.

    Inputs are standardised inside, and clipped at five standard deviations, so raw spectra
    will do, and a few wild rows do little harm.

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
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    input_scaler_ : WinsorizedScaler
        Units of the features.
    axes_ : ndarray of shape (n_axes, n_features)
        Principal axes along which the autoencoders see the standardised features, at most 128.
    members_ : torch.nn.Module
        The trained autoencoders.
    blends_ : list of Blend
        One, for all classes: the regressions on the mean code, the mean reconstruction, and the
        standardised features along the principal axes, once curved and once linear, with what
        each counts.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features seen in `fit`, if they were all strings.

    See Also
    --------
    AeLLERegressor : The same for performance measured by a number.

    Notes
    -----
    The autoencoders' loss for the class is the cross-entropy, divided by that of a uniform guess.
    The kernel regressions of zeros and ones estimate the classes' probabilities; those below
    0.02 / n_classes are raised to it, and each row is then divided by its sum. For the network
    and the kernel see `AeLLERegressor`.

    References
    ----------
    .. [1] R. Vogt, Y. Zheng and E. Shlizerman, "Lyapunov-Guided Representation of Recurrent Neural
       Network Performance", arXiv:2204.04876.

    Examples
    --------
    >>> import numpy as np
    >>> from lyapsk import AeLLEClassifier
    >>> rng = np.random.default_rng(0)
    >>> decay, rank = rng.uniform(0.1, 2, size=(120, 1)), np.linspace(0, 1, 32)
    >>> spectra = -decay * rank + 0.02 * rng.normal(size=(120, 32))
    >>> learns = np.where(abs(decay[:, 0] - 1) < 0.5, "yes", "no")
    >>> aelle = AeLLEClassifier(random_state=0).fit(spectra[:100], learns[:100])
    >>> aelle.classes_
    array(['no', 'yes'], dtype='<U3')
    >>> aelle.score(spectra[100:], learns[100:]) > 0.9
    True
    >>> aelle.predict_proba(spectra[100:]).shape
    (20, 2)
    """

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the autoencoders and the class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_networks, n_features)
            Spectra or features of spectra, in any units; at least two rows.
        y : array-like of shape (n_networks,)
            Class of each network; at least two classes.
        sample_weight : array-like of shape (n_networks,), default=None
            What each network counts; only ratios matter. Beside networks of weight 1 one of 2 is
            as if it were there twice, and one of 0 as if it were not there; below 1e-9 of the
            largest counts as 0. None is 1 for all.

        Returns
        -------
        self : AeLLEClassifier
            The fitted estimator.

        Raises
        ------
        InvalidInputError
            If a row of `X` or a weight is not finite, a weight is less than 0 or all are 0, or
            fewer than two classes are left.
        """
        X, y, weights = self._validate_training_rows(X, y, sample_weight)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise InvalidInputError(
                f"y holds only the class {self.classes_[0]}; AeLLEClassifier needs two or more "
                "classes. Add networks of another class, or regress on a number instead."
            )
        rows = Rows.distinct(X, np.eye(len(self.classes_))[labels], weights)
        return self._fit(rows, _relative_cross_entropies)

    def predict_proba(self, X):
        """Estimate the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_networks, n_features)
            Spectra or features of spectra.

        Returns
        -------
        probabilities : ndarray of shape (n_networks, n_classes)
            Columns in the order of `classes_`; rows sum to 1.
        """
        estimates = self._regress(self._validate_rows(X))
        if self._is_paper:
            estimates = softmax(estimates, axis=1)
        raised = np.maximum(estimates, PROBABILITY_FLOOR / len(self.classes_))
        return raised / raised.sum(axis=1, keepdims=True)

    def predict(self, X):
        """Predict the most probable class.

        Parameters
        ----------
        X : array-like of shape (n_networks, n_features)
            Spectra or features of spectra.

        Returns
        -------
        y : ndarray of shape (n_networks,)
            Predicted class of each network.
        """
        most_probable = self.predict_proba(X).argmax(axis=1)
        return self.classes_[most_probable]


def _relative_cross_entropies(logits, memberships):
    """Cross-entropy of each member and row, 1 for a uniform guess."""
    entropy = -(memberships * logits.log_softmax(-1)).sum(-1)
    return entropy / np.log(memberships.shape[-1])
