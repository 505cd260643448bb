"""Stop a network that a predictor gives no chance."""

from numbers import Real

import numpy as np
from scipy.special import ndtr
from skorch.callbacks import Callback

from .._checks import refusal
from .._message import message_of
from ..exceptions import InvalidInputError, LyapskError
from ._epochs import DOUBLING, check_epochs, is_chosen, outside_of_epoch


class PredictedScoreStopping(Callback):
    """Stop a network whose predicted final score will, in all likelihood, not beat a bar.

    Before the first epoch and after each chosen one, `predictor` says what the network's final
    score will be, and how sure it is. Where the probability of staying behind the bar is at least
    `probability`, training stops as by :class:`skorch.callbacks.EarlyStopping`; ``stopped_`` says
    why. Two numbers are recorded in the history, ``predicted_score`` and its standard deviation
    ``predicted_std``, NaN in epochs that are not chosen.

    Parameters
    ----------
    predictor : fitted estimator
        ``predict([net], return_std=True)`` returns score and standard deviation: a pipeline of
        :class:`~lyapsk.LyapunovSpectrumTransformer` and :class:`~lyapsk.AeLLERegressor`, fitted to
        networks and their final scores. One fitted to networks after as many epochs is the surest.
    greater_is_better : bool
        Whether a score (True) or a loss (False) is predicted.
    bar : float, optional
        Score to beat. By default that of the networks in `seen`.
    seen : sequence of float, default=()
        Final scores of other networks. It may grow as they are trained: it is looked at anew at
        each reading. Those that are not finite, of networks that diverged, count as the worst of
        the others. While there are none and no `bar`, nothing is stopped.
    quantile : float, default=1.0
        Which of `seen` is the bar: 1 is the best, 0.5 the median.
    probability : float, default=0.95
        Between 0.5 and 1; the nearer to 1, the fewer networks are stopped by mistake.
    epochs : "doubling", int or collection of int, default="doubling"
        After epochs 1, 2, 4, 8 and so on; every how many epochs; or after which, counted from 1.
    sink : callable, default=print
        Told why a network was stopped; print is only used where the net is verbose.

    Attributes
    ----------
    stopped_ : str or None
        Why the network was stopped, if it was.
    before_ : tuple of float
        Predicted score and standard deviation before the first epoch.

    See Also
    --------
    LyapunovMonitor : Records the spectrum itself.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from lyapsk import AeLLERegressor, LyapunovSpectrumTransformer
    >>> from lyapsk.callbacks import PredictedScoreStopping
    >>> from lyapsk.tasks import digits_by_rows
    >>> task = digits_by_rows()
    >>> nets = [task.net("GRU", hidden_size=4 + i).initialize() for i in range(20)]
    >>> losses = np.linspace(1, 0.2, 20)  # put the final losses of your own networks here
    >>> predictor = make_pipeline(
    ...     LyapunovSpectrumTransformer(task.X_valid[:2]), AeLLERegressor(max_epochs=20)
    ... )
    >>> stopping = PredictedScoreStopping(
    ...     predictor.fit(nets, losses), greater_is_better=False, bar=-5.0
    ... )
    >>> net = task.net("GRU", hidden_size=8, callbacks=[stopping])
    >>> net = net.fit(task.X_train, task.y_train)
    >>> len(net.history)
    0
    >>> print(stopping.stopped_)  # doctest: +ELLIPSIS
    before the first epoch: predicted final score ..., which beats -5 with a probability of ...
    """

    names = ("predicted_score", "predicted_std")

    def __init__(
        self,
        predictor,
        *,
        greater_is_better,
        bar=None,
        seen=(),
        quantile=1.0,
        probability=0.95,
        epochs=DOUBLING,
        sink=print,
    ):
        self.predictor = predictor
        self.greater_is_better = greater_is_better
        self.bar = bar
        self.seen = seen
        self.quantile = quantile
        self.probability = probability
        self.epochs = epochs
        self.sink = sink

    def __sklearn_clone__(self):
        """The same with the same fitted predictor: a clone of that would have forgotten its fit."""
        return type(self)(**self.get_params(deep=False))

    def initialize(self):
        """Forget what was predicted."""
        vars(self).pop("before_", None)
        self.stopped_ = None
        self._check()
        return self

    def on_epoch_begin(self, net, **kwargs):
        """Predict before the first epoch."""
        if not hasattr(self, "before_"):
            try:
                with outside_of_epoch(net):
                    self.before_ = self._predicted(net)
            except Exception as error:
                raise InvalidInputError(
                    f"predictor: predict([net], return_std=True) failed on this net with "
                    f"{type(error).__name__}: {message_of(error)}. It must be fitted to networks "
                    "like this one, by the same features, and tell its standard deviation."
                ) from error
            self._stop_if_hopeless(net, *self.before_, 0)

    def on_epoch_end(self, net, **kwargs):
        """Predict after a chosen epoch."""
        epoch, predicted = len(net.history), (np.nan, np.nan)
        chosen = is_chosen(epoch, self.epochs)
        try:
            predicted = self._predicted(net) if chosen else predicted
        except LyapskError as error:
            self._stop(
                net,
                f"after {epoch} epochs: the network cannot be read any more: {message_of(error)}",
            )
        for name, value in zip(self.names, predicted, strict=True):
            net.history.record(name, value)
        if chosen:
            self._stop_if_hopeless(net, *predicted, epoch)

    def _predicted(self, net):
        score, std = self.predictor.predict([net], return_std=True)
        return float(score[0]), float(std[0])

    def _stop_if_hopeless(self, net, score, std, epoch):
        bar = self._current_bar()
        if bar is None:
            return
        ahead = (score - bar) * (1 if self.greater_is_better else -1)
        chance = float(ndtr(ahead / std)) if std > 0 else float(ahead > 0)
        if chance <= 1 - self.probability:
            when = f"after {epoch} epochs" if epoch else "before the first epoch"
            self._stop(
                net,
                f"{when}: predicted final score {score:.4g} ± {std:.2g}, which beats {bar:.4g} "
                f"with a probability of {chance:.2g}",
            )

    def _current_bar(self):
        if self.bar is not None:
            return self.bar
        seen = self._seen()
        finite = seen[np.isfinite(seen)]
        if not len(finite):
            return None
        worst = finite.min() if self.greater_is_better else finite.max()
        level = self.quantile if self.greater_is_better else 1 - self.quantile
        return float(np.quantile(np.where(np.isfinite(seen), seen, worst), level))

    def _seen(self):
        try:
            return np.array(self.seen, dtype=float).reshape(len(self.seen))
        except (TypeError, ValueError) as error:
            raise refusal("seen", self.seen, "a sequence of numbers") from error

    def _stop(self, net, reason):
        self.stopped_ = reason
        if self.sink is not print or net.verbose:
            self.sink(f"Stopping {reason}.")
        if "train_loss" not in net.history[-1]:
            # Of an epoch that never was there must be no row.
            net.history.pop()
        raise KeyboardInterrupt

    def _check(self):
        if not callable(getattr(self.predictor, "predict", None)):
            raise InvalidInputError(
                f"predictor: got {type(self.predictor).__name__}. It must have a method "
                "predict(nets, return_std=True), as a fitted pipeline of "
                "LyapunovSpectrumTransformer and AeLLERegressor has."
            )
        if not isinstance(self.greater_is_better, bool | np.bool_):
            allowed = "True for a score that is predicted, False for a loss"
            raise refusal("greater_is_better", self.greater_is_better, allowed)
        for name, least in (("quantile", 0), ("probability", 0.5)):
            value = getattr(self, name)
            if not (isinstance(value, Real) and least <= value <= 1):
                raise refusal(name, value, f"between {least} and 1")
        if not (self.bar is None or (isinstance(self.bar, Real) and np.isfinite(self.bar))):
            raise refusal("bar", self.bar, "a finite number, or None")
        self._seen()
        check_epochs(self.epochs)
