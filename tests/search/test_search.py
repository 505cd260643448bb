import os
import pickle
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from joblib import parallel_config
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score
from skorch import NeuralNet, NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    GradientNormClipping,
    LRScheduler,
)
from skorch.dataset import Dataset, ValidSplit
from skorch.helper import predefined_split
from torch import nn

from lyapsk import LyapunovSpectrumTransformer
from lyapsk.exceptions import (
    FailedNetworkWarning,
    InvalidInputError,
    InvalidTypeError,
    LyapskWarning,
    NumericalError,
)
from lyapsk.search import LyapunovSearchCV
from lyapsk.search._checks import check_known_to_workers
from lyapsk.search._run import Log

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 6, 2)).astype("float32")
Y = (X[:, -1, 0] + X[:, -2, 0] > 0).astype("int64")
X_VALID, Y_VALID = X[40:], Y[40:]


class Classifier(nn.Module):
    """Class probabilities from the last state."""

    def __init__(self, hidden_size=4, scale=1.0, n_outputs=2):
        super().__init__()
        if hidden_size < 1:
            raise ValueError(f"no hidden size {hidden_size}")
        self.rnn = nn.RNN(2, hidden_size, batch_first=True)
        self.out = nn.Linear(hidden_size, n_outputs)
        with torch.no_grad():
            self.rnn.weight_hh_l0 *= scale

    def forward(self, x):
        return self.out(self.rnn(x)[0][:, -1]).softmax(-1)


class Regressor(Classifier):
    """One number from the last state."""

    def __init__(self, hidden_size=4):
        super().__init__(hidden_size, n_outputs=1)

    def forward(self, x):
        return self.out(self.rnn(x)[0][:, -1])


class KeepStart(Callback):
    """Keeps the weights before training."""

    def on_train_begin(self, net, **kwargs):
        self.start_ = {name: w.clone() for name, w in net.module_.state_dict().items()}


class Kill(Callback):
    """Kill the process, as the machine's owner may, after so many epochs of all networks."""

    epochs = 0

    def on_epoch_end(self, net, **kwargs):
        Kill.epochs += 1
        if Kill.epochs == 9:
            os.kill(os.getpid(), signal.SIGKILL)


class Interrupt(Callback):
    """What pressing Ctrl-C does, after so many epochs of all networks."""

    epochs = 0

    def on_epoch_end(self, net, **kwargs):
        Interrupt.epochs += 1
        if Interrupt.epochs == 12:
            press_ctrl_c()


def smallness(net, X, y):
    return -net.module_.rnn.hidden_size


def press_ctrl_c():
    raise KeyboardInterrupt


SIZES = {"module__hidden_size": [2, 3, 4, 5, 6], "module__scale": [0.5, 1.0]}


def make_net(cls=NeuralNetClassifier, module=Classifier, **settings):
    split = predefined_split(Dataset(X_VALID, Y_VALID))
    defaults = {
        "criterion": nn.NLLLoss,
        "max_epochs": 4,
        "lr": 0.1,
        "train_split": split,
        "verbose": 0,
        "batch_size": 40,
    }
    return cls(module, **(defaults | settings))


def make_search(net=None, distributions=None, **settings):
    distributions = SIZES if distributions is None else distributions
    defaults = {"n_candidates": 8, "n_epochs_budget": 20, "n_first": 3, "random_state": 0}
    return LyapunovSearchCV(net or make_net(), distributions, X_VALID[:2], **(defaults | settings))


def fit(net=None, distributions=None, **settings):
    return make_search(net, distributions, **settings).fit(X[:40], Y[:40])


def assert_same(one, other):
    assert one.best_params_ == other.best_params_
    for name in ("mean_test_score", "n_epochs", "status", "rank_test_score"):
        np.testing.assert_array_equal(one.cv_results_[name], other.cv_results_[name])
    weights = (s.best_estimator_.module_.state_dict().values() for s in (one, other))
    assert all(torch.equal(*pair) for pair in zip(*weights, strict=True))


@pytest.fixture(scope="module")
def search():
    return fit()


def test_the_best_estimator_has_the_best_score(search):
    with torch.no_grad():
        outputs = search.best_estimator_.module_(torch.tensor(X_VALID)).numpy()
    loss = -np.log(outputs[np.arange(20), Y_VALID]).mean()
    assert search.best_score_ == pytest.approx(-loss, rel=1e-5)
    assert search.score(X_VALID, Y_VALID) == pytest.approx(-loss, rel=1e-5)
    np.testing.assert_array_equal(search.predict(X_VALID), outputs.argmax(1))
    np.testing.assert_allclose(search.predict_proba(X_VALID), outputs, rtol=1e-5)
    assert list(search.classes_) == [0, 1]


def test_results_add_up(search):
    results = search.cv_results_
    assert results["n_epochs"].sum() == search.n_epochs_ <= 20
    finished = results["status"] == "finished"
    assert finished.any()
    np.testing.assert_array_equal(results["n_epochs"][finished], 4)
    assert search.best_score_ == results["mean_test_score"][finished].max()
    assert results["rank_test_score"][search.best_index_] == 1
    assert results["params"][search.best_index_] == search.best_params_
    assert np.isnan(results["mean_test_score"][results["n_epochs"] == 0]).all()
    assert set(results["status"]) <= {"finished", "paused", "untrained"}
    assert len(search.best_estimator_.history) == 4
    assert search.best_estimator_.get_params()["verbose"] == 0
    assert search.best_estimator_.train_split is search.net.train_split


def assert_course_adds_up(search):
    """Every epoch once and in order, and the best of the final scores so far."""
    course, results = search.course_, search.cv_results_
    assert {len(column) for column in course.values()} == {search.n_epochs_}
    best, finals = np.nan, np.full(len(results["params"]), np.nan)
    done = np.zeros(len(finals), dtype=int)
    for i, epoch, score, best_score in zip(*course.values(), strict=True):
        done[i] += 1
        assert epoch == done[i]
        if done[i] == results["n_epochs"][i]:
            finals[i] = score
            if results["status"][i] == "finished":
                best = np.fmax(best, score)
        np.testing.assert_equal(best_score, best)
    trained = (done > 0) & (results["status"] != "failed")
    np.testing.assert_array_equal(finals[trained], results["mean_test_score"][trained])
    assert best == search.best_score_


def test_the_course_tells_of_every_epoch(search):
    assert_course_adds_up(search)
    assert np.isnan(search.course_["best_score"][0])
    scores = [-row["valid_loss"] for row in search.best_estimator_.history]
    of_best = search.course_["candidate"] == search.best_index_
    np.testing.assert_array_equal(search.course_["score"][of_best], scores)


def test_features_are_those_of_the_untrained_networks(search):
    found = fit(make_net(callbacks=[KeepStart()]), n_candidates=3, n_first=1, n_epochs_budget=4)
    net = clone(make_net()).set_params(**found.best_params_).initialize()
    net.module_.load_state_dict(dict(found.best_estimator_.callbacks_)["KeepStart"].start_)
    row = LyapunovSpectrumTransformer(X_VALID[:2]).fit_transform([net])[0]
    np.testing.assert_allclose(found.features_[found.best_index_], row, rtol=1e-9)


def test_training_is_that_of_a_plain_fit_however_often_it_pauses():
    schedule = LRScheduler(policy="StepLR", step_size=1, gamma=0.5)
    callbacks = [("schedule", schedule), ("start", KeepStart())]
    net = make_net(optimizer=torch.optim.Adam, callbacks=callbacks)
    search = fit(net, n_candidates=2, n_first=1, n_epochs_budget=4)
    found = search.best_estimator_
    twin = clone(net).set_params(**search.best_params_).initialize()
    twin.module_.load_state_dict(dict(found.callbacks_)["start"].start_)
    twin.partial_fit(X[:40], Y[:40])
    losses = [n.history[:, "train_loss"] for n in (found, twin)]
    np.testing.assert_allclose(*losses, rtol=1e-6)
    assert found.history[:, "event_lr"] == [0.1, 0.05, 0.025, 0.0125]


def test_the_same_whatever_the_generators_hold_and_leaves_them_alone(search):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert_same(fit(), search)
    assert torch.equal(torch.get_rng_state(), before)


def test_scoring_is_that_of_scikit_learn():
    search = fit(scoring="accuracy", n_epochs_budget=12)
    accuracy = accuracy_score(Y_VALID, search.best_estimator_.predict(X_VALID))
    assert search.best_score_ == accuracy == search.score(X_VALID, Y_VALID)
    scores = search.cv_results_["mean_test_score"]
    assert search.best_score_ == np.nanmax(scores[search.cv_results_["n_epochs"] == 4])


def test_callables_score_and_see_the_net():
    search = fit(scoring=smallness, n_candidates=10, n_epochs_budget=40)
    assert search.best_params_["module__hidden_size"] == 2
    assert search.best_score_ == -2


@pytest.mark.parametrize("cls", [NeuralNet, NeuralNetRegressor])
def test_values_are_searched_like_classes(cls):
    y = X.sum((1, 2))[:, None]
    split = predefined_split(Dataset(X_VALID, y[40:]))
    net = make_net(cls, Regressor, criterion=nn.MSELoss, train_split=split)
    search = make_search(net, {"module__hidden_size": [2, 3, 4]}).fit(X[:40], y[:40])
    error = np.mean((search.predict(X_VALID) - y[40:]) ** 2)
    assert search.best_score_ == pytest.approx(-error, rel=1e-5)


def test_splits_once_for_all():
    """Random splits would score each network on other data."""
    net = make_net(train_split=ValidSplit(0.5, random_state=None))
    search = make_search(net, n_first=1, n_candidates=2, n_epochs_budget=8).fit(X, Y)
    assert search.cv_results_["status"].tolist() == ["finished"] * 2


def test_initial_weights_alone_can_be_searched():
    search = fit(distributions={}, n_candidates=4, n_epochs_budget=8, n_first=2)
    assert search.best_params_ == {}
    assert len(np.unique(search.features_, axis=0)) == 4


def test_parameters_alone_need_no_spectra():
    search = fit(features=["params"])
    assert search.cv_results_["status"].tolist().count("finished")
    assert not hasattr(search, "features_")


@pytest.mark.filterwarnings("error")
def test_failures_are_told_and_the_others_go_on():
    distributions = {"module__hidden_size": [3, -1], "lr": [0.1, float("inf")]}
    with pytest.warns(FailedNetworkWarning, match="of 8 candidates failed; candidate") as caught:
        search = fit(distributions=distributions, error_score=-99.0, n_epochs_budget=32, n_first=8)
    assert len([w for w in caught if issubclass(w.category, LyapskWarning)]) == 1
    results = search.cv_results_
    failed = results["status"] == "failed"
    sane = [p == {"module__hidden_size": 3, "lr": 0.1} for p in results["params"]]
    np.testing.assert_array_equal(failed, ~np.array(sane))
    np.testing.assert_array_equal(results["mean_test_score"][failed], -99.0)
    assert (results["rank_test_score"][failed] > results["rank_test_score"][~failed].max()).all()
    causes = dict(search.failures_)
    assert set(causes) == set(np.flatnonzero(failed))
    for i, cause in causes.items():
        small = results["params"][i]["module__hidden_size"] == -1
        assert ("no hidden size -1" if small else "the score is") in cause
    assert search.best_params_ == {"module__hidden_size": 3, "lr": 0.1}
    assert_course_adds_up(search)
    course = search.course_
    assert set(course["candidate"][np.isnan(course["score"])]) <= set(causes)
    assert np.isnan(course["score"]).any()


def test_a_failure_can_end_the_search():
    with pytest.raises(NumericalError, match=r"candidate \d: ValueError: no hidden size -1"):
        fit(distributions={"module__hidden_size": [3, -1]}, error_score="raise")


def test_nothing_but_failures_is_an_error():
    with pytest.raises(InvalidInputError, match=r"none of 8 candidates.*no hidden size -1"):
        fit(distributions={"module__hidden_size": [-1]})
    with pytest.raises(NumericalError, match=r"first 3 candidates .* failed.*no hidden size -1"):
        fit(distributions={"module__hidden_size": [-1]}, features=["params"], n_first=8)


def test_causes_are_told_with_one_full_stop():
    log = Log(1, strict=False)
    log.fail(0, "It broke.")
    with pytest.raises(NumericalError, match=r"It broke\.$"):
        log.check_some_left()


def test_callbacks_may_end_a_training():
    stopping = EarlyStopping(monitor="valid_loss", patience=1, threshold=10.0, sink=str)
    search = fit(make_net(max_epochs=9, callbacks=[stopping]), n_epochs_budget=30)
    assert set(search.cv_results_["n_epochs"][search.cv_results_["status"] == "finished"]) == {2}
    assert_course_adds_up(search)
    assert len(search.best_estimator_.history) == 2


def test_the_score_is_that_of_the_weights_that_a_callback_went_back_to():
    # Nothing improves on the first epoch by so much.
    stopping = EarlyStopping(patience=1, threshold=10.0, load_best=True, sink=str)
    search = fit(make_net(callbacks=[stopping]))
    first, last = search.best_estimator_.history[:, "valid_loss"]
    assert first != pytest.approx(last, rel=1e-3)
    assert search.best_score_ == -first
    assert search.score(X_VALID, Y_VALID) == pytest.approx(-first, rel=1e-5)
    assert_course_adds_up(search)


def test_callbacks_know_the_data_as_in_a_plain_fit():
    scoring = EpochScoring("accuracy", name="own", use_caching=False, lower_is_better=False)
    split = ValidSplit(2, stratified=True)
    search = fit(make_net(callbacks=[scoring], train_split=split), n_epochs_budget=6)
    history = search.best_estimator_.history
    assert history[:, "own"] == history[:, "valid_acc"]


def test_callbacks_can_be_searched_with_any_scoring():
    clipping = ("clip", GradientNormClipping(0.1))
    for distributions in (
        {"callbacks": [None, [clipping]]},
        {"callbacks__clip__gradient_clip_value": [0.1, 1.0]},
        {"callbacks__clip": [None, GradientNormClipping(1.0)]},
    ):
        search = fit(make_net(callbacks=[clipping]), distributions, scoring="accuracy")
        assert not search.failures_


def test_an_interruption_keeps_what_was_trained():
    Interrupt.epochs = 0
    with pytest.warns(LyapskWarning, match="interrupted after 9 of 20 epochs") as caught:
        search = fit(make_net(callbacks=[Interrupt()]))
    assert caught[0].filename == __file__
    assert search.n_epochs_ == 9
    assert_course_adds_up(search)
    assert len(search.best_estimator_.history) == 4


def test_an_interruption_before_any_network_has_finished_is_one():
    Interrupt.epochs = 10
    with pytest.raises(KeyboardInterrupt):
        fit(make_net(callbacks=[Interrupt()]))


def test_a_larger_budget_goes_on_where_a_smaller_one_ended(search, tmp_path):
    fit(directory=tmp_path, n_epochs_budget=9)
    trained = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.pickle")}
    resumed = fit(directory=tmp_path, resume=True)
    assert_same(resumed, search)
    done = [path for path, time in trained.items() if path.stat().st_mtime_ns == time]
    assert done, "networks that are there are not trained again"
    assert_course_adds_up(resumed)
    for name, column in search.course_.items():
        np.testing.assert_array_equal(resumed.course_[name], column)


def test_a_killed_search_goes_on(search, tmp_path):
    run = f"""
import sys
sys.path[:0] = {[os.path.dirname(__file__)]!r}
import test_search as t
t.fit(t.make_net(callbacks=[t.Kill()]), directory={str(tmp_path)!r})
"""
    killed = subprocess.run([sys.executable, "-c", run], capture_output=True, timeout=120)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-500:]
    assert 0 < len(list(tmp_path.glob("*.pickle"))) < 8
    sys.modules["test_search"] = sys.modules[__name__]
    resumed = fit(directory=tmp_path, resume=True)
    assert_same(resumed, search)
    assert_course_adds_up(resumed)


def test_a_search_is_the_same_in_another_process(tmp_path):
    """Neither addresses nor the order of sets may be part of its description."""
    distributions = {"module__scale": [0.5, 1.0], "criterion": [nn.NLLLoss, torch.tanh]}
    net = make_net(module__n_outputs=2, optimizer__momentum=0.5)
    with pytest.warns(FailedNetworkWarning, match="tanh"):
        fit(net, distributions, scoring=smallness, directory=tmp_path)
    description = (tmp_path / "search.json").read_text()
    assert "smallness" in description
    assert "tanh" in description
    assert "0x" not in description
    assert "_params_to_validate" not in description


def test_a_damaged_network_is_trained_again(search, tmp_path):
    fit(directory=tmp_path, n_epochs_budget=9)
    next(tmp_path.glob("*.pickle")).write_bytes(b"damaged")
    with pytest.warns(LyapskWarning, match=r"candidate-\d+.pickle is damaged"):
        assert_same(fit(directory=tmp_path, resume=True), search)


def test_files_are_not_unpickled_unless_asked_for(tmp_path):
    fit(directory=tmp_path, n_epochs_budget=9)
    with pytest.raises(InvalidInputError, match=r"holds a search.*pass resume=True"):
        fit(directory=tmp_path)


@pytest.mark.parametrize(
    ("change", "differing"),
    [
        ({"random_state": 1}, "candidates"),
        ({"scoring": "accuracy"}, "scoring"),
        ({"factor": 2}, "rungs"),
        ({"net": make_net(cls=NeuralNet)}, "net"),
        ({"net": make_net(lr=0.2)}, "net"),
        ({"net": make_net(train_split=ValidSplit(2))}, "data"),
    ],
)
def test_another_search_is_not_gone_on_with(change, differing, tmp_path):
    fit(directory=tmp_path, n_epochs_budget=9)
    with pytest.raises(InvalidInputError, match=rf"differs from this one in .*{differing}"):
        fit(directory=tmp_path, resume=True, **change)


def test_other_data_or_sequences_are_not_gone_on_with(tmp_path):
    make_search(directory=tmp_path, n_epochs_budget=9).fit(X[:40], Y[:40])
    resumed = make_search(directory=tmp_path, n_epochs_budget=9, resume=True)
    other = Y[:40].copy()
    other[5] = 1 - other[5]
    with pytest.raises(InvalidInputError, match="differs from this one in data"):
        resumed.fit(X[:40], other)
    with pytest.raises(InvalidInputError, match="differs from this one in sequences"):
        resumed.set_params(sequences=X_VALID[:3]).fit(X[:40], Y[:40])
    (tmp_path / "search.json").write_text("[]")
    with pytest.raises(InvalidInputError, match="differs from this one in"):
        make_search(directory=tmp_path, n_epochs_budget=9, resume=True).fit(X[:40], Y[:40])


def test_a_file_of_another_kind_is_damaged(tmp_path):
    search = fit(directory=tmp_path, n_epochs_budget=9)
    for path in tmp_path.glob("*.pickle"):
        path.write_bytes(pickle.dumps({"epoch": 3}))
    with pytest.warns(LyapskWarning, match="it holds a dict.*trained again"):
        assert_same(fit(directory=tmp_path, n_epochs_budget=9, resume=True), search)


def no_score(net, X, y):
    raise TypeError("no such metric")


def test_a_fault_that_all_share_is_told_after_three():
    with pytest.raises(NumericalError, match=r"the first 3 .* failed, .*TypeError: no such metric"):
        fit(scoring=no_score)


def test_without_a_network_kept_it_is_told_why_nothing_is_predicted():
    search = fit(refit=False, n_epochs_budget=9)
    for call in (search.predict, search.score):
        with pytest.raises(NotFittedError, match="refit: got False"):
            call(X[:3])


def test_modules_of_the_main_script_are_refused_for_worker_processes(monkeypatch):
    monkeypatch.setattr(Classifier, "__module__", "__main__")
    net = make_net()
    with pytest.raises(InvalidInputError, match=r"its module is Classifier of the main script"):
        check_known_to_workers(net, 2)
    check_known_to_workers(net, None)
    with parallel_config("threading"):
        check_known_to_workers(net, 2)


def test_processes_train_what_was_chosen():
    search = fit(n_jobs=2)
    assert search.n_epochs_ <= 20
    assert search.cv_results_["n_epochs"][search.best_index_] == 4
    scores = [-row["valid_loss"] for row in search.best_estimator_.history]
    assert search.best_score_ == pytest.approx(scores[-1], rel=1e-6)
    assert_course_adds_up(search)


def test_progress_is_shown_on_request_only(capfd):
    fit()
    assert capfd.readouterr() == ("", "")
    fit(verbose=1)
    shown = capfd.readouterr()
    assert "taking spectra" in shown.err
    assert "best=" in shown.err
    assert shown.out == ""


def test_it_is_an_estimator_like_others(search):
    again = clone(search)
    assert not hasattr(again, "best_score_")
    assert again.get_params()["n_candidates"] == 8
    assert is_classifier(search)
    assert not hasattr(make_search(make_net(NeuralNet)), "classes_")
    copy = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(copy.predict(X_VALID), search.predict(X_VALID))
    slim = fit(refit=False)
    assert slim.best_params_ == search.best_params_
    assert not hasattr(slim, "best_estimator_")
    assert not hasattr(copy.set_params(refit=False).fit(X[:40], Y[:40]), "best_estimator_")


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"net": Classifier()}, InvalidTypeError, "net: got Classifier"),
        ({"net": make_net(train_split=None)}, InvalidInputError, "train_split is None.*ValidSplit"),
        ({"net": make_net(callbacks="disable")}, InvalidInputError, "callbacks are 'disable'"),
        ({"net": make_net(max_epochs=0)}, InvalidInputError, "max_epochs: got 0"),
        ({"net": make_net(max_epochs=4.0)}, InvalidInputError, "max_epochs: got 4.0"),
        (
            {"net": make_net(callbacks=[("keep", Checkpoint(load_best=True))])},
            InvalidInputError,
            r"Checkpoint has load_best=True.*EarlyStopping\(load_best=True\)",
        ),
        (
            {"net": make_net(module=Classifier()), "distributions": {}},
            InvalidInputError,
            "module is an instance",
        ),
        ({"net": make_net(module=lambda: None)}, InvalidInputError, "cannot be pickled"),
        ({"scoring": lambda net, X, y: 0.0}, InvalidInputError, "scoring: it cannot be pickled"),
        ({"n_epochs_budget": 5}, InvalidInputError, "n_epochs_budget: got 5.*that makes 6"),
        ({"n_first": 9}, InvalidInputError, "n_first: got 9.*n_candidates=8"),
        ({"features": ["spectra"]}, InvalidInputError, "features: got"),
        ({"features": []}, InvalidInputError, "features: got"),
        ({"features": ["params"], "distributions": {}}, InvalidInputError, "Add 'spectrum'"),
        ({"distributions": {"module__hiden_size": [2]}}, InvalidInputError, "module__hiden_size"),
        ({"distributions": [SIZES, {"hiden": [2]}]}, InvalidInputError, "'hiden'"),
        (
            {"distributions": {"criterion": [lambda: None]}},
            InvalidInputError,
            "param_distributions: it cannot be pickled",
        ),
        ({"distributions": {"rate": [2]}}, InvalidInputError, "'rate'"),
        ({"distributions": {"max_epochs": [2]}}, InvalidInputError, "max_epochs"),
        ({"distributions": {"train_split": [None]}}, InvalidInputError, "scored on the same data"),
        ({"distributions": {"verbose": [1]}}, InvalidInputError, "set verbose of the search"),
        ({"n_candidates": 1}, ValueError, "n_candidates"),
        ({"scoring": "accuracies"}, ValueError, "accuracies"),
        ({"layer": "gru"}, ValueError, "layer"),
    ],
)
def test_refuses_at_the_start(settings, error, said, monkeypatch):
    monkeypatch.setattr(NeuralNet, "fit_loop", None)
    with pytest.raises(error, match=said):
        fit(**settings)


def test_data_are_checked_before_anything_is_trained(monkeypatch):
    monkeypatch.setattr(NeuralNet, "fit_loop", None)
    with pytest.raises(ValueError, match="No y-values are given"):
        make_search().fit(X)


def test_sequences_are_checked_before_anything_is_trained(monkeypatch):
    monkeypatch.setattr(NeuralNet, "fit_loop", None)
    with pytest.raises(InvalidInputError, match="sequences"):
        LyapunovSearchCV(make_net(), SIZES, [], 4, 9, n_first=2).fit(X, Y)
