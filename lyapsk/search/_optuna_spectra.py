"""Tell an Optuna trial what its network's spectrum is, and how it trains."""

from optuna import TrialPruned
from optuna.study import StudyDirection
from optuna.trial import BaseTrial
from skorch.callbacks import Callback

from .._checks import refusal
from ..callbacks._epochs import DOUBLING, check_epochs, is_chosen, outside_of_epoch
from ..exceptions import InvalidInputError, InvalidTypeError, LyapskError, NumericalError
from ..transformers import LyapunovSpectrumTransformer
from ._optuna_trials import FEATURES


class OptunaSpectra(Callback):
    """Keep the features of a network in its Optuna trial, report its epochs, and prune it.

    Before the first epoch and after each chosen one, the row of
    :class:`~lyapsk.LyapunovSpectrumTransformer` becomes a user attribute of the trial,
    ``"lyapsk:features:"`` with the number of epochs done, where :class:`LyapunovPruner` and
    :class:`LyapunovSampler` look for it, in this process or another. After every epoch the
    monitored value is reported, as step 1, 2, 3 and so on. Before the first epoch and after every
    one the study's pruner is asked, whichever it is.

    Parameters
    ----------
    trial : optuna.trial.Trial
        Of a study with one direction.
    sequences : array-like or whatever the network's own forward takes
        The driving sequences, the same in all trials of a study. Two are often enough.
    monitor : str, default="valid_loss"
        Name in the history of the net, of a value of the kind that the objective returns.
    layer : str, optional
        Name of the recurrent layer, where the module has several.
    epochs : "doubling", int or collection of int, default="doubling"
        When features are taken: after epochs 1, 2, 4, 8 and so on; every how many epochs; or
        after which, counted from 1.

    Raises
    ------
    optuna.TrialPruned
        By ``net.fit``, where the pruner says so or where the network cannot be read, say because
        its weights are not finite. Let it pass: ``cross_val_score`` does with
        ``error_score="raise"`` only.

    See Also
    --------
    LyapunovPruner : Prunes by these features.
    LyapunovSampler : Proposes by them.

    Examples
    --------
    >>> import optuna
    >>> from lyapsk.search import OptunaSpectra
    >>> from lyapsk.tasks import digits_by_rows
    >>> task = digits_by_rows()
    >>> def objective(trial):
    ...     size = trial.suggest_int("size", 4, 12)
    ...     net = task.net("GRU", hidden_size=size, max_epochs=2)
    ...     net.set_params(callbacks=[("lyapsk", OptunaSpectra(trial, task.X_valid[:2]))])
    ...     return net.fit(task.X_train, task.y_train).history[-1, "valid_loss"]
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study()
    >>> study.optimize(objective, n_trials=1)
    >>> list(study.best_trial.user_attrs)
    ['lyapsk:features:0', 'lyapsk:features:1', 'lyapsk:features:2']
    """

    def __init__(self, trial, sequences, *, monitor="valid_loss", layer=None, epochs=DOUBLING):
        self.trial = trial
        self.sequences = sequences
        self.monitor = monitor
        self.layer = layer
        self.epochs = epochs

    def __sklearn_clone__(self):
        """The same of the same trial: what a copy of that is told, the study never hears."""
        return type(self)(**self.get_params(deep=False))

    def initialize(self):
        """Check what was asked for."""
        if not isinstance(self.trial, BaseTrial):
            raise InvalidTypeError(
                f"trial: got {type(self.trial).__name__}. It must be the trial that Optuna hands "
                "to the objective."
            )
        check_epochs(self.epochs)
        return self

    def on_epoch_begin(self, net, **kwargs):
        """Read before the first epoch."""
        if len(net.history) > 1:
            return
        self._check_direction(net)
        try:
            with outside_of_epoch(net):
                self._read(net, 0)
                self._prune(0)
        except TrialPruned:
            # Of an epoch that never was there must be no row.
            net.history.pop()
            raise

    def on_epoch_end(self, net, **kwargs):
        """Report, and read after a chosen epoch."""
        epoch = len(net.history)
        if self.monitor not in net.history[-1]:
            numbers = [name for name, value in net.history[-1].items() if isinstance(value, float)]
            allowed = f"recorded by an earlier callback, as are {', '.join(numbers)}"
            raise refusal("monitor", self.monitor, allowed)
        self.trial.report(net.history[-1, self.monitor], epoch)
        if is_chosen(epoch, self.epochs):
            self._read(net, epoch)
        self._prune(epoch)

    def _read(self, net, epoch):
        transformer = LyapunovSpectrumTransformer(self.sequences, layer=self.layer)
        # What could be read before is broken by training; at first arguments may be wrong.
        broken = LyapskError if epoch else NumericalError
        try:
            (row,) = transformer.fit_transform([net])
        except broken as error:
            raise TrialPruned(f"After {epoch} epochs: {error}") from error
        self.trial.set_user_attr(f"{FEATURES}{epoch}", row.tolist())

    def _prune(self, epoch):
        if self.trial.should_prune():
            raise TrialPruned(f"After {epoch} epochs, by the study's pruner.")

    def _check_direction(self, net):
        """Refuse a loss where the study maximises, and a score where it minimises."""
        # A trial with given parameters, by which an objective is tried out, has no study.
        study = getattr(self.trial, "study", None)
        lower_is_better = _lower_is_better(net, self.monitor)
        if study is None or lower_is_better is None:
            return
        if lower_is_better != (study.direction == StudyDirection.MINIMIZE):
            better = "lower" if lower_is_better else "higher"
            raise InvalidInputError(
                f"monitor: got {self.monitor!r}, of which {better} is better. The direction of the "
                f"study is {study.direction.name}: monitor another value, or create the study with "
                "the other direction."
            )


def _lower_is_better(net, name):
    """What the callback of a net says that records a value; None if it says nothing."""
    for _, callback in net.callbacks_:
        if name in (getattr(callback, "name_", None), getattr(callback, "name", None)):
            return getattr(callback, "lower_is_better", None)
    return None
