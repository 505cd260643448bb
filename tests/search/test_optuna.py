import subprocess
import sys
import warnings

import numpy as np
import optuna
import pytest
import torch
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial
from scipy.stats import norm
from sklearn.base import clone

from lyapsk import LyapunovSpectrumTransformer
from lyapsk.exceptions import FailedNetworkWarning, InvalidInputError, InvalidTypeError
from lyapsk.search import LyapunovPruner, LyapunovSampler, OptunaSpectra, _optuna_trials
from lyapsk.search._forecast import Forecaster
from lyapsk.search._optuna_trials import FEATURES, Told
from lyapsk.tasks import digits_by_rows

optuna.logging.set_verbosity(optuna.logging.WARNING)
TASK = digits_by_rows(valid_size=0.9)
SEQUENCES = TASK.X_valid[:2]
SPACE = {"size": IntDistribution(3, 8), "lr": FloatDistribution(1e-3, 1e-1, log=True)}
SIZES = {"size": IntDistribution(1, 100)}


class Prune(optuna.pruners.BasePruner):
    """Prunes at one step."""

    def __init__(self, at):
        self.at = at

    def prune(self, study, trial):
        return trial.last_step == self.at


def make_net(trial, **settings):
    torch.manual_seed(trial.number)
    size = trial.suggest_int("size", 3, 8)
    lr = trial.suggest_float("lr", 1e-3, 1e-1, log=True)
    return task_net(size, lr=lr, **settings).initialize()


def task_net(size=4, **settings):
    return TASK.net("RNN", hidden_size=size, **({"max_epochs": 2} | settings))


def objective(trial):
    net = make_net(trial, callbacks=[("lyapsk", OptunaSpectra(trial, SEQUENCES))])
    return net.partial_fit(TASK.X_train, TASK.y_train).history[-1, "valid_loss"]


def make_study(direction="minimize", **settings):
    return optuna.create_study(direction=direction, **settings)


def past_trial(row, values, *, state=TrialState.COMPLETE, size=None, late=None):
    """A trial with features and a value after each epoch."""
    known = {} if size is None else {"params": {"size": size}, "distributions": SIZES}
    attributes = {} if row is None else {f"{FEATURES}0": list(row)}
    if late is not None:
        attributes[f"{FEATURES}1"] = list(late)
    return create_trial(
        state=state,
        value=values[-1] if state == TrialState.COMPLETE else None,
        intermediate_values=dict(enumerate(values, 1)),
        user_attrs=attributes,
        **known,
    )


def told_study(direction="minimize", n_trials=20, **settings):
    """Networks along a line: the further up, the larger the values, by and large."""
    study, rng = make_study(direction, **settings), np.random.default_rng(0)
    for place in np.linspace(0, 1, n_trials):
        end = place + 0.1 * rng.normal()
        study.add_trial(past_trial([place, -place], [end + 0.5, end + 0.2, end]))
    return study


def judged(study, place, values=(), **settings):
    """Whether the pruner gives up a running trial."""
    trial = study.ask()
    trial.set_user_attr(f"{FEATURES}0", [place, -place])
    for epoch, value in enumerate(values, 1):
        trial.report(value, epoch)
    pruner = LyapunovPruner(**settings)
    return pruner.prune(study, study._storage.get_trial(trial._trial_id))


def test_features_are_rows_of_the_transformer():
    study = make_study()
    trial = study.ask()
    net = make_net(trial, callbacks=[OptunaSpectra(trial, SEQUENCES)], max_epochs=3)
    before = LyapunovSpectrumTransformer(SEQUENCES).fit_transform([net])[0]
    net.partial_fit(TASK.X_train, TASK.y_train)
    kept = study.trials[0].user_attrs
    assert list(kept) == [f"{FEATURES}{epoch}" for epoch in (0, 1, 2)]
    np.testing.assert_array_equal(kept[f"{FEATURES}0"], before)
    assert kept[f"{FEATURES}2"] != kept[f"{FEATURES}1"] != kept[f"{FEATURES}0"]
    losses = net.history[:, "valid_loss"]
    assert study.trials[0].intermediate_values == dict(enumerate(losses, 1))


def test_training_goes_on_as_it_would_have():
    histories = []
    for watched in (False, True):
        trial = optuna.trial.FixedTrial({"size": 4, "lr": 0.01})
        callbacks = [OptunaSpectra(trial, SEQUENCES)] if watched else []
        net = make_net(trial, callbacks=callbacks)
        histories.append(net.partial_fit(TASK.X_train, TASK.y_train).history[:, "train_loss"])
    assert histories[0] == histories[1]


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_hopeless_are_pruned_and_the_promising_are_not(direction):
    good, bad = (0.0, 0.9) if direction == "minimize" else (1.0, 0.1)
    study = told_study(direction)
    assert judged(study, bad)
    assert judged(study, bad, [bad + 0.5])
    assert not judged(study, good)
    assert not judged(study, good, [good + 0.3 if direction == "minimize" else good + 0.7])


def test_chances_are_those_of_the_forecast():
    """Put together again here, with twice the deviation."""
    study = told_study()
    trial = past_trial([0.0, 0.0], [0.42], state=TrialState.RUNNING)
    places = np.array([t.user_attrs[f"{FEATURES}0"] for t in [*study.trials, trial]])
    forecaster = Forecaster([(places - places.mean(axis=0)) / places.std(axis=0)])
    scores = -np.array([list(t.intermediate_values.values()) for t in study.trials])
    forecast = forecaster(
        [*np.repeat(range(20), 3), 20], [*[1, 2, 3] * 20, 1], [*scores.ravel(), -0.42], 3
    )
    bar = np.interp(scores[:, -1].max(), forecast.seen, forecast.normal)
    expected = norm.sf(bar, forecast.mean[-1], 2 * forecast.std[-1])
    assert Told(study, parameters=True).chance(trial) == pytest.approx(expected)
    assert 0.01 < expected < 0.49
    assert judged(study, 0.0, [0.42], probability=1 - expected - 0.001)
    assert not judged(study, 0.0, [0.42], probability=1 - expected + 0.001)


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_many_are_pruned_and_never_the_best(direction):
    sign, rng = (1 if direction == "minimize" else -1), np.random.default_rng(0)
    study = make_study(direction, pruner=LyapunovPruner())
    ends = rng.permutation(24) / 24
    for end in ends:
        trial = study.ask()
        trial.set_user_attr(f"{FEATURES}0", [end + 0.2 * rng.normal(), rng.normal()])
        for epoch in range(5):
            if epoch:
                trial.report(sign * (end + (4 - epoch) * (0.5 + 0.1 * rng.normal())), epoch)
            if trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
                break
        else:
            study.tell(trial, sign * end)
    states = [trial.state for trial in study.trials]
    assert states[int(np.argmin(ends))] == TrialState.COMPLETE
    assert states.count(TrialState.PRUNED) >= 10
    assert {len(t.intermediate_values) for t in study.trials if t.state == TrialState.PRUNED} != {4}


def test_a_forecast_rests_on_what_tells_most(monkeypatch):
    monkeypatch.setattr(_optuna_trials, "MAX_TRIALS", 10)
    monkeypatch.setattr(_optuna_trials, "MAX_SCORES", 21)
    asked = []

    class Spy(Forecaster):
        def __call__(self, *args):
            asked.append(args)
            return super().__call__(*args)

    monkeypatch.setattr(_optuna_trials, "Forecaster", Spy)
    trial = past_trial([0.0, 0.0], [0.9, 0.7], state=TrialState.RUNNING)
    Told(told_study(), parameters=True).chance(trial)
    candidates, epochs, *_ = asked[0]
    assert len(candidates) == 21
    now, last = [(i, 2) for i in range(11)], [(i, 3) for i in range(10)]
    assert sorted(zip(candidates, epochs, strict=True)) == sorted(now + last)


def test_nothing_is_pruned_before_enough_have_completed():
    study = told_study(n_trials=9)
    assert not judged(study, 0.9, n_startup_trials=10)
    assert judged(study, 0.9, n_startup_trials=9)


def test_only_chosen_epochs_are_judged():
    study = told_study()
    values = [1.4, 1.1, 0.9]
    assert judged(study, 0.9, values[:2])
    assert not judged(study, 0.9, values)
    assert judged(study, 0.9, values, epochs=3)


def test_trials_without_features_are_left_out():
    study = told_study()
    chances = [Told(study, True).chance(past_trial([0.0, 0.0], [0.46]))]
    study.add_trial(past_trial(None, [9.0, -99.0]))
    chances.append(Told(study, True).chance(past_trial([0.0, 0.0], [0.46])))
    assert chances[0] == chances[1]
    study.ask().report(9.0, 1)
    assert not LyapunovPruner().prune(study, study.trials[-1])


def test_failed_trials_and_values_that_are_not_finite_do_no_harm():
    study = told_study()
    study.add_trial(past_trial([0.0, 0.0], [0.1], state=TrialState.FAIL))
    study.add_trial(past_trial([0.9, -0.9], [np.nan, np.inf], state=TrialState.PRUNED))
    assert judged(study, 0.9, [np.nan])
    assert not judged(study, 0.0, [0.2])


def test_parameters_tell_where_spectra_do_not():
    study = make_study()
    for size in range(1, 21):
        study.add_trial(past_trial([0.0, 0.0], [size + 1.0, float(size)], size=size))
    running = {"state": TrialState.RUNNING}
    told = Told(study, parameters=True)
    few, many = (told.chance(past_trial([0.0, 0.0], [], size=s, **running)) for s in (1, 20))
    assert few > 2 * many
    blind = Told(study, parameters=False)
    few, many = (blind.chance(past_trial([0.0, 0.0], [], size=s, **running)) for s in (1, 20))
    assert few == pytest.approx(many)


def test_a_pruned_training_ends_with_the_epoch_that_was():
    always = make_study(pruner=Prune(at=1))
    trial = always.ask()
    net = make_net(trial, callbacks=[OptunaSpectra(trial, SEQUENCES)], max_epochs=3)
    with pytest.raises(optuna.TrialPruned, match="After 1 epochs"):
        net.partial_fit(TASK.X_train, TASK.y_train)
    assert len(net.history) == 1
    before = make_study(pruner=Prune(at=None))
    trial = before.ask()
    net = make_net(trial, callbacks=[OptunaSpectra(trial, SEQUENCES)], max_epochs=3)
    with pytest.raises(optuna.TrialPruned, match="After 0 epochs"):
        net.partial_fit(TASK.X_train, TASK.y_train)
    assert len(net.history) == 0


def test_a_network_that_cannot_be_read_any_more_is_pruned_with_the_reason():
    trial = make_study().ask()
    net = make_net(trial, callbacks=[OptunaSpectra(trial, SEQUENCES)]).set_params(lr=float("inf"))
    with pytest.raises(optuna.TrialPruned, match=r"After 1 epochs.*not finite"):
        net.partial_fit(TASK.X_train, TASK.y_train)


def test_sequences_that_do_not_fit_are_an_error():
    trial = make_study().ask()
    net = make_net(trial, callbacks=[OptunaSpectra(trial, SEQUENCES[:, :, :3])])
    with pytest.raises(InvalidInputError, match="sequences"):
        net.partial_fit(TASK.X_train, TASK.y_train)


def test_the_sampler_keeps_the_proposal_with_the_largest_expected_improvement():
    """All is drawn again here: proposals, networks, spectra and forecast."""
    study = make_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=6)
    sampler = LyapunovSampler(
        make_net,
        SEQUENCES,
        sampler=optuna.samplers.RandomSampler(seed=5),
        n_proposals=6,
        n_startup_trials=3,
    )
    twin = optuna.samplers.RandomSampler(seed=5)
    trial = study._storage.get_trial(study.ask()._trial_id)
    drawn = []
    for _ in range(6):
        one = {name: twin.sample_independent(study, trial, name, SPACE[name]) for name in SPACE}
        drawn.append(one)
    nets = [make_net(optuna.trial.FixedTrial(params, trial.number)) for params in drawn]
    rows = LyapunovSpectrumTransformer(SEQUENCES).fit_transform(nets)
    proposals = [
        create_trial(
            state=TrialState.WAITING,
            params=params,
            distributions=SPACE,
            user_attrs={f"{FEATURES}0": row.tolist()},
        )
        for params, row in zip(drawn, rows, strict=True)
    ]
    gains = Told(study, parameters=True).improvement(proposals)
    space = sampler.infer_relative_search_space(study, trial)
    assert space == SPACE
    assert sampler.sample_relative(study, trial, space) == drawn[int(np.argmax(gains))]
    assert len(set(np.round(gains, 9))) > 1


def test_the_trial_has_the_weights_that_were_chosen():
    seen = []

    def spying(trial):
        seen.append(make_net(trial))
        return seen[-1]

    sampler = LyapunovSampler(spying, SEQUENCES, n_proposals=3, n_startup_trials=1)
    study = make_study(sampler=sampler)
    study.optimize(objective, n_trials=1)
    seen.clear()
    study.optimize(objective, n_trials=1)
    chosen = [net for net in seen if net.module__hidden_size == study.trials[1].params["size"]]
    rows = LyapunovSpectrumTransformer(SEQUENCES).fit_transform(chosen)
    assert study.trials[1].user_attrs[f"{FEATURES}0"] in rows.tolist()


def test_without_a_seed_a_network_that_is_fitted_at_once_has_them_too():
    read = []

    def unseeded(trial):
        read.append(task_net(trial.suggest_int("size", 3, 4)))
        return read[-1]

    def fitted(trial):
        net = unseeded(trial).set_params(callbacks=[OptunaSpectra(trial, SEQUENCES)])
        return net.fit(TASK.X_train, TASK.y_train).history[-1, "valid_loss"]

    sampler = LyapunovSampler(unseeded, SEQUENCES, n_proposals=4, n_startup_trials=1)
    study = make_study(sampler=sampler)
    study.optimize(fitted, n_trials=1)
    read.clear()
    study.optimize(fitted, n_trials=1)
    rows = LyapunovSpectrumTransformer(SEQUENCES).fit_transform(read[:-1])
    assert len(rows) == 4
    assert study.trials[1].user_attrs[f"{FEATURES}0"] in rows.tolist()


def test_the_wrapped_sampler_has_its_way_at_first():
    def refusing(trial):
        raise AssertionError

    sampler = LyapunovSampler(refusing, SEQUENCES, n_startup_trials=5)
    study = make_study(sampler=sampler)
    study.optimize(objective, n_trials=3)
    assert len(study.trials) == 3


def test_where_no_network_can_be_made_the_first_proposal_is_taken():
    def failing(trial):
        raise RuntimeError("no such network")

    study = make_study(sampler=LyapunovSampler(failing, SEQUENCES, n_startup_trials=2))
    study.optimize(objective, n_trials=2)
    with pytest.warns(FailedNetworkWarning, match="none of 16 proposals.*no such network"):
        study.optimize(objective, n_trials=1)
    assert set(study.trials[2].params) == {"size", "lr"}


def test_proposals_that_fail_are_passed_over():
    def picky(trial):
        net = make_net(trial)
        if trial.params["size"] < 6:
            raise RuntimeError("too small")
        return net

    study = make_study(sampler=LyapunovSampler(picky, SEQUENCES, n_startup_trials=2))
    study.optimize(objective, n_trials=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", FailedNetworkWarning)
        study.optimize(objective, n_trials=3)
    assert all(trial.params["size"] >= 6 for trial in study.trials[2:])


def test_global_generators_are_left_alone():
    sampler = LyapunovSampler(make_net, SEQUENCES, n_startup_trials=1, n_proposals=2)
    study = make_study(sampler=sampler)
    study.optimize(objective, n_trials=1)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    study.ask()
    assert torch.equal(torch.get_rng_state(), before)


STUDY = """
import sys, warnings
sys.path.insert(0, sys.argv[2])
import optuna
import test_optuna as t
study = optuna.load_study(
    study_name="together",
    storage=sys.argv[1],
    sampler=t.LyapunovSampler(t.make_net, t.SEQUENCES, n_startup_trials=3, n_proposals=3),
    pruner=t.LyapunovPruner(n_startup_trials=3),
)
study.optimize(t.objective, n_trials=5)
"""


def test_two_processes_share_a_study(tmp_path):
    url = f"sqlite:///{tmp_path / 'study.db'}"
    storage = optuna.storages.RDBStorage(url)
    study = optuna.create_study(study_name="together", storage=storage)
    folder = __file__.rpartition("/")[0]
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", STUDY, url, folder], stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    errors = [run.communicate(timeout=240)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], errors
    trials = study.trials
    storage.remove_session()
    storage.engine.dispose()
    assert len(trials) == 10
    assert all(f"{FEATURES}0" in trial.user_attrs for trial in trials)
    ended = {TrialState.COMPLETE, TrialState.PRUNED}
    assert {trial.state for trial in trials} <= ended
    assert sum(trial.state == TrialState.COMPLETE for trial in trials) >= 3


def test_a_clone_of_the_callback_tells_the_same_trial():
    trial = make_study().ask()
    assert clone(OptunaSpectra(trial, SEQUENCES)).trial is trial


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: LyapunovPruner(probability=0.3), InvalidInputError, "probability: got 0.3"),
        (lambda: LyapunovPruner(n_startup_trials=0), InvalidInputError, "n_startup_trials: got 0"),
        (lambda: LyapunovPruner(epochs="often"), InvalidInputError, "epochs: got 'often'"),
        (lambda: LyapunovSampler(3, SEQUENCES), InvalidTypeError, "make_net: got int"),
        (lambda: LyapunovSampler(make_net, SEQUENCES, sampler=3), InvalidTypeError, "sampler: got"),
        (lambda: LyapunovSampler(make_net, SEQUENCES, n_proposals=0), InvalidInputError, "n_prop"),
        (lambda: OptunaSpectra(3, SEQUENCES).initialize(), InvalidTypeError, "trial: got int"),
    ],
)
def test_refuses_at_the_start(make, error, said):
    with pytest.raises(error, match=said):
        make()


def test_a_loss_in_a_study_that_maximises_is_refused():
    trial = make_study("maximize").ask()
    net = make_net(trial, callbacks=[OptunaSpectra(trial, SEQUENCES, monitor="valid_loss")])
    with pytest.raises(InvalidInputError, match=r"valid_loss.*lower is better.*MAXIMIZE"):
        net.partial_fit(TASK.X_train, TASK.y_train)


def test_a_value_that_is_not_recorded_is_refused():
    trial = make_study().ask()
    net = make_net(trial, callbacks=[OptunaSpectra(trial, SEQUENCES, monitor="val_loss")])
    with pytest.raises(InvalidInputError, match=r"monitor: got 'val_loss'.*valid_loss"):
        net.partial_fit(TASK.X_train, TASK.y_train)


def test_without_optuna_the_rest_of_the_room_works():
    code = """
import sys
sys.modules["optuna"] = None
from lyapsk.search import LyapunovSearchCV
import lyapsk.search
try:
    lyapsk.search.LyapunovPruner
except ImportError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "lyapsk[optuna]"' in run.stdout
