"""Propose parameters for an Optuna trial by the spectra of networks that they make."""

import warnings

import numpy as np
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FixedTrial, TrialState, create_trial

from .._checks import check_count
from .._random import same_generators
from ..exceptions import FailedNetworkWarning, InvalidTypeError
from ..transformers import LyapunovSpectrumTransformer
from ._optuna_trials import FEATURES, Told


class LyapunovSampler(BaseSampler):
    """Draw several proposals from a sampler, and keep the one whose network promises most.

    For every trial after the first ones, networks are made from several proposals for the
    parameters, but not trained. Their final values are forecast from their spectra and parameters
    and from what earlier trials have told, as by :class:`LyapunovPruner`. The trial gets the
    proposal with the largest expected improvement on the best final value.

    Parameters
    ----------
    make_net : callable
        ``make_net(trial)`` suggests parameters by ``trial.suggest_float(...)`` and the like and
        returns a skorch net, as in the objective. Here it gets an ``optuna.trial.FixedTrial`` with
        proposed parameters and the number of the trial.
    sequences : array-like or whatever the networks' own forward takes
        The driving sequences, those of :class:`OptunaSpectra`.
    sampler : optuna.samplers.BaseSampler, optional
        Draws the proposals, at random as ``TPESampler`` does, which is the default.
    n_proposals : int, default=16
        For each trial.
    n_startup_trials : int, default=5
        Until so many trials with spectra have completed, `sampler` has its own way.
    layer : str, optional
        Name of the recurrent layer, where the modules have several.
    parameters : bool, default=True
        Whether the forecast rests on the parameters, too.

    Warns
    -----
    FailedNetworkWarning
        If no proposal made a network whose spectrum can be taken. The trial then gets the first
        proposal. Where there are others, those that fail are passed over.

    See Also
    --------
    OptunaSpectra : Keeps the spectra of the trials, which this sampler needs.

    Notes
    -----
    Proposals hold every parameter that any trial has had: those of the wrapped sampler's relative
    search space are drawn jointly, the others one by one.

    A spectrum depends on the initial weights. Networks are made from the present state of the
    global generators, which is then restored. So a trial whose network is initialised before
    anything else is drawn has the very weights that were chosen. To make sure of it, begin
    ``make_net`` with ``torch.manual_seed(trial.number)``, and let ``net.fit`` follow at once.
    With other weights, the choice is for parameters whose networks promise much by and large.

    Examples
    --------
    >>> import optuna
    >>> from lyapsk.search import LyapunovPruner, LyapunovSampler, OptunaSpectra
    >>> from lyapsk.tasks import digits_by_rows
    >>> task = digits_by_rows()
    >>> sequences = task.X_valid[:2]
    >>> def make_net(trial):
    ...     size = trial.suggest_int("size", 4, 12)
    ...     lr = trial.suggest_float("lr", 1e-3, 1e-1, log=True)
    ...     return task.net("GRU", hidden_size=size, lr=lr, max_epochs=2)
    >>> def objective(trial):
    ...     net = make_net(trial)
    ...     net.set_params(callbacks=[("lyapsk", OptunaSpectra(trial, sequences))])
    ...     return net.fit(task.X_train, task.y_train).history[-1, "valid_loss"]
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study(
    ...     sampler=LyapunovSampler(make_net, sequences, n_startup_trials=2),
    ...     pruner=LyapunovPruner(n_startup_trials=2),
    ... )
    >>> study.optimize(objective, n_trials=4)
    >>> len(study.trials)
    4
    """

    def __init__(
        self,
        make_net,
        sequences,
        *,
        sampler=None,
        n_proposals=16,
        n_startup_trials=5,
        layer=None,
        parameters=True,
    ):
        if not callable(make_net):
            raise InvalidTypeError(
                f"make_net: got {type(make_net).__name__}. It must be callable: make_net(trial) "
                "suggests parameters and returns a net."
            )
        if not (sampler is None or isinstance(sampler, BaseSampler)):
            raise InvalidTypeError(
                f"sampler: got {type(sampler).__name__}. It must be a sampler of Optuna, or None."
            )
        self.make_net = make_net
        self.sequences = sequences
        self.sampler = sampler or TPESampler()
        self.n_proposals = check_count("n_proposals", n_proposals)
        self.n_startup_trials = check_count("n_startup_trials", n_startup_trials)
        self.layer = layer
        self.parameters = parameters

    def reseed_rng(self):
        """Reseed the wrapped sampler."""
        self.sampler.reseed_rng()

    def before_trial(self, study, trial):
        """Prepare the wrapped sampler."""
        self.sampler.before_trial(study, trial)

    def after_trial(self, study, trial, state, values):
        """Tell the wrapped sampler."""
        self.sampler.after_trial(study, trial, state, values)

    def infer_relative_search_space(self, study, trial):
        """Every parameter that a trial has had.

        Parameters
        ----------
        study : Study
        trial : FrozenTrial

        Returns
        -------
        dict of str to BaseDistribution
        """
        space = {}
        for past in study.get_trials(deepcopy=False):
            space |= past.distributions
        return space | self.sampler.infer_relative_search_space(study, trial)

    def sample_independent(self, study, trial, param_name, param_distribution):
        """Draw a parameter that no trial has had, by the wrapped sampler.

        Parameters
        ----------
        study : Study
        trial : FrozenTrial
        param_name : str
        param_distribution : BaseDistribution

        Returns
        -------
        object
            Its value.
        """
        return self.sampler.sample_independent(study, trial, param_name, param_distribution)

    def sample_relative(self, study, trial, search_space):
        """Choose the parameters of a trial.

        Parameters
        ----------
        study : Study
        trial : FrozenTrial
        search_space : dict of str to BaseDistribution

        Returns
        -------
        dict of str to object
        """
        told = Told(study, self.parameters)
        if told.n_completed < self.n_startup_trials:
            return self._joint(study, trial, search_space)
        drawn = [self._proposal(study, trial, search_space) for _ in range(self.n_proposals)]
        nets, causes = self._nets(drawn, trial.number)
        rows = self._features(nets, causes)
        if not rows:
            self._warn(causes[0])
            return drawn[0]
        proposals = [_not_begun(drawn[i], search_space, row) for i, row in rows.items()]
        return proposals[np.argmax(told.improvement(proposals))].params

    def _joint(self, study, trial, search_space):
        """What the wrapped sampler draws jointly."""
        names = self.sampler.infer_relative_search_space(study, trial)
        joint = {name: search_space[name] for name in names}
        return self.sampler.sample_relative(study, trial, joint)

    def _proposal(self, study, trial, search_space):
        """A value of every parameter."""
        proposal = self._joint(study, trial, search_space)
        for name, distribution in search_space.items():
            if distribution.single():
                # Samplers are not made for these: Optuna does not ask them.
                proposal[name] = _only_value(distribution)
            elif name not in proposal:
                value = self.sample_independent(study, trial, name, distribution)
                proposal[name] = value
        return proposal

    def _nets(self, drawn, number):
        """Initialised nets by the position of their proposal, and what came instead of others."""
        nets, causes = {}, []
        for position, params in enumerate(drawn):
            try:
                with same_generators():
                    net = self.make_net(FixedTrial(params, number))
                    nets[position] = net if net.initialized_ else net.initialize()
            except Exception as error:
                causes.append(error)
        return nets, causes

    def _features(self, nets, causes):
        """Features of nets by position; of those without, the cause joins the others."""
        if not nets:
            return {}
        transformer = LyapunovSpectrumTransformer(
            self.sequences, layer=self.layer, error_score=np.nan
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FailedNetworkWarning)
            rows = transformer.fit_transform(list(nets.values()))
        causes += [cause for _, cause in transformer.failures_]
        named = zip(nets, rows.tolist(), strict=True)
        return {position: row for position, row in named if np.isfinite(row).all()}

    def _warn(self, cause):
        warnings.warn(
            f"LyapunovSampler: none of {self.n_proposals} proposals led to a network that can be "
            f"read; the first failed with {type(cause).__name__}: {cause}. The trial gets the "
            f"first of {type(self.sampler).__name__}. Check make_net, sequences and layer.",
            FailedNetworkWarning,
            stacklevel=2,
        )


def _not_begun(params, distributions, row):
    """A proposal and its features as a trial."""
    return create_trial(
        state=TrialState.WAITING,
        params=params,
        distributions=distributions,
        user_attrs={f"{FEATURES}0": row},
    )


def _only_value(distribution):
    """Of a distribution that has no other."""
    choices = getattr(distribution, "choices", None)
    return choices[0] if choices else distribution.low
