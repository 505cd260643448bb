import numpy as np
import pytest
from helpers import make_net, tokens
from scipy.stats import norm
from sklearn.base import clone
from sklearn.linear_model import BayesianRidge
from sklearn.pipeline import make_pipeline

from lyapsk import LyapunovSpectrumTransformer
from lyapsk.callbacks import PredictedScoreStopping
from lyapsk.exceptions import InvalidInputError, NumericalError

X, Y = tokens(n_sequences=30), np.tile([0, 1, 2], 10)


class Says:
    """Predicts what it is told, one pair of score and deviation after the other."""

    def __init__(self, *pairs):
        self.pairs = list(pairs)

    def predict(self, nets, return_std):
        assert return_std
        score, std = self.pairs.pop(0)
        return np.array([score]), np.array([std])


def fit(predictor, max_epochs=4, **settings):
    told = []
    settings = {"greater_is_better": True, "epochs": 1, "sink": told.append, **settings}
    stopping = PredictedScoreStopping(predictor, **settings)
    net = make_net(callbacks=[stopping], max_epochs=max_epochs).fit(X, Y)
    return net, stopping, told


def test_stops_where_the_chance_falls_to_the_bound():
    likely, unlikely = norm.ppf(0.06), norm.ppf(0.04)
    predictor = Says((5.0, 1.0), (1 + 2 * likely, 2.0), (1 + 2 * unlikely, 2.0))
    net, stopping, told = fit(predictor, bar=1.0)
    assert len(net.history) == 2
    assert net.history[:, "predicted_score"] == [1 + 2 * likely, 1 + 2 * unlikely]
    assert net.history[:, "predicted_std"] == [2.0, 2.0]
    assert stopping.before_ == (5.0, 1.0)
    assert stopping.stopped_.startswith("after 2 epochs: predicted final score")
    assert stopping.stopped_.endswith("beats 1 with a probability of 0.04")
    assert told == [f"Stopping {stopping.stopped_}."]


def test_of_losses_the_lower_is_the_better():
    net, stopping, _ = fit(Says((0.1, 0.1), (9.0, 1.0)), bar=1.0, greater_is_better=False)
    assert len(net.history) == 1
    assert "predicted final score 9 ± 1" in stopping.stopped_


def test_stops_before_the_first_epoch():
    net, stopping, _ = fit(Says((-9.0, 1.0)), bar=1.0)
    assert len(net.history) == 0
    assert stopping.stopped_.startswith("before the first epoch")
    assert net.predict(X).shape == (30,)


def test_a_promising_network_trains_on():
    net, stopping, told = fit(Says(*[(1.0, 1.0)] * 5), bar=1.0)
    assert len(net.history) == 4
    assert stopping.stopped_ is None
    assert told == []


@pytest.mark.parametrize(
    ("greater_is_better", "quantile", "bar"), [(True, 1, 9), (True, 0.5, 5), (False, 1, 1)]
)
def test_bar_by_what_was_seen(greater_is_better, quantile, bar):
    seen, towards = [], 1 if greater_is_better else -1
    settings = {"greater_is_better": greater_is_better, "seen": seen, "quantile": quantile}
    before = [(-1e9 * towards, 1.0)] * 5
    assert len(fit(Says(*before), **settings)[0].history) == 4
    seen += [1, 3, np.nan, 5, 7, np.inf, 9] if quantile == 1 else [1, 3, 5, 7, 9]
    just_ahead, just_behind = bar + 0.1 * towards, bar - 0.1 * towards
    net, *_ = fit(Says(*[(just_ahead, 0.01)] * 2, (just_behind, 0.01)), **settings)
    assert len(net.history) == 2


@pytest.mark.parametrize(("greater_is_better", "bar"), [(True, 1), (False, 7)])
def test_those_that_diverged_count_as_the_worst(greater_is_better, bar):
    predictor = Says((bar, 1e9), (bar + (0.1 if greater_is_better else -0.1), 0.01), (bar, 0.0))
    settings = {"greater_is_better": greater_is_better, "quantile": 0.4}
    seen = [np.nan, 1, np.inf, 7, -np.inf]
    assert len(fit(predictor, **settings, seen=seen)[0].history) == 2
    assert len(fit(Says(*[(bar, 0.0)] * 5), **settings, seen=[np.nan])[0].history) == 4


def test_only_chosen_epochs_are_looked_at():
    net, *_ = fit(Says((1.0, 1.0), (2.0, 1.0), (3.0, 1.0)), epochs=(1, 3), bar=0.0)
    assert np.isnan(net.history[:, "predicted_score"]).tolist() == [False, True, False, True]


def test_with_a_pipeline_from_networks_to_scores():
    nets = [make_net(n_units=size) for size in range(3, 12)]
    pipe = make_pipeline(LyapunovSpectrumTransformer(X[:2]), BayesianRidge())
    pipe.fit(nets, np.arange(9.0))
    net, *_ = fit(pipe, bar=1e6, max_epochs=2)
    assert len(net.history) == 0
    net, *_ = fit(pipe, bar=-1e6, max_epochs=2)
    assert len(net.history) == 2
    predicted = pipe.predict([net], return_std=True)
    assert net.history[-1, "predicted_score"] == pytest.approx(predicted[0][0])


def test_a_clone_keeps_the_fitted_predictor_and_what_was_seen():
    predictor, seen = Says(), [1.0]
    again = clone(PredictedScoreStopping(predictor, greater_is_better=True, seen=seen))
    assert again.predictor is predictor
    assert again.seen is seen


class Explodes(Says):
    def predict(self, nets, return_std):
        if not self.pairs:
            raise NumericalError("the state is not finite")
        return super().predict(nets, return_std)


def test_a_network_that_cannot_be_read_any_more_is_stopped():
    net, stopping, _ = fit(Explodes((1.0, 1.0), (1.0, 1.0)), bar=0.0)
    assert len(net.history) == 2
    assert stopping.stopped_ == (
        "after 2 epochs: the network cannot be read any more: the state is not finite"
    )


class WithoutSpread:
    def predict(self, nets):
        return np.zeros(len(nets))


REFUSED = {
    "no predictor": ({"predictor": 3}, "predictor: got int"),
    "not fitted": (
        {"predictor": make_pipeline(LyapunovSpectrumTransformer(X[:2]), BayesianRidge())},
        "predictor: .*failed on this net with NotFittedError",
    ),
    "no spread": ({"predictor": WithoutSpread()}, "predictor: .*TypeError.*standard deviation"),
    "no direction": ({"greater_is_better": "loss"}, "greater_is_better: got 'loss'"),
    "bar": ({"bar": "best"}, "bar: got 'best'"),
    "bar that is no number": ({"bar": np.nan}, "bar: got nan.* finite number"),
    "seen": ({"seen": ["good"]}, r"seen: got \['good'\]. It must be a sequence of numbers"),
    "seen that is no sequence": ({"seen": 3}, "seen: got 3"),
    "quantile": ({"quantile": 50}, r"quantile: got 50.*between 0 and 1"),
    "probability": ({"probability": 0.2}, r"probability: got 0.2.*between 0.5 and 1"),
    "epochs": ({"epochs": 0}, r"epochs: got 0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_the_first_epoch(case):
    given, message = REFUSED[case]
    with pytest.raises(InvalidInputError, match=message):
        fit(**{"predictor": Says((1.0, 1.0)), "bar": 0.0, **given})
