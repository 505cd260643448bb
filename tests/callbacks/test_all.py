"""What every callback must do, found by itself."""

import inspect
import pickle
import time

import numpy as np
import pytest
import torch
from helpers import make_net, tokens
from sklearn.base import clone
from skorch.callbacks import Callback

from lyapsk import callbacks

X, Y = tokens(n_sequences=30), np.tile([0, 1, 2], 10)
ALL = [getattr(callbacks, name) for name in callbacks.__all__]


@pytest.fixture(params=ALL, ids=lambda kind: kind.__name__)
def kind(request):
    assert issubclass(request.param, Callback)
    return request.param


class Constant:
    """Predicts the same of every network."""

    def predict(self, nets, return_std):
        return np.ones(len(nets)), np.ones(len(nets))


SETTINGS = {
    "n_directions": 2,
    "predictor": Constant(),
    "greater_is_better": True,
    "n_exponents": 2,
    "n_before": 0,
}


def small(kind, **settings):
    """A callback for a network of five units."""
    parameters, settings = inspect.signature(kind).parameters, SETTINGS | settings
    return kind(**{name: value for name, value in settings.items() if name in parameters})


def test_training_goes_on_as_without(kind):
    plain, watched = make_net(max_epochs=3), make_net(max_epochs=3, callbacks=[small(kind)])
    for net in (plain, watched):
        torch.manual_seed(0)
        net.fit(X, Y)
    for own, other in zip(plain.module_.parameters(), watched.module_.parameters(), strict=True):
        assert torch.equal(own, other)
    assert plain.history[:, "train_loss"] == watched.history[:, "train_loss"]


def test_pickles_clones_and_survives_partial_fit(kind):
    net = clone(make_net(callbacks=[small(kind)]))
    net.fit(X, Y)
    net.partial_fit(X, Y)
    again = pickle.loads(pickle.dumps(net))
    again.partial_fit(X, Y)
    assert len(again.history) == 3


def test_learned_things_are_forgotten(kind):
    callback = small(kind)
    net = make_net(callbacks=[callback])
    net.fit(X, Y)
    fresh = vars(small(kind).initialize())
    assert vars(callback) != fresh
    assert vars(callback.initialize()) == fresh


def test_records_plain_floats(kind):
    net = make_net(callbacks=[small(kind, n_during=1)], max_epochs=2)
    without = set(make_net(max_epochs=2).fit(X, Y).history[-1])
    net.fit(X, Y)
    recorded = set(net.history[-1]) - without
    assert recorded
    for row in net.history:
        assert all(type(row[name]) is float for name in recorded)


class Slow:
    """Takes 0.3 seconds to read a network, and knows when it was done."""

    def read(self, *args):
        time.sleep(0.3)
        self.done = time.time()
        return {}

    def predict(self, nets, return_std):
        self.read()
        return np.ones(len(nets)), np.ones(len(nets))


def test_what_happens_before_the_first_epoch_is_no_part_of_it(kind, monkeypatch):
    callback, slow = small(kind), Slow()
    callback.epochs = []
    if hasattr(callback, "predictor"):
        callback.predictor = slow
    else:
        monkeypatch.setattr(
            kind, "_floss" if hasattr(callback, "_floss") else "_measured", slow.read
        )
    net = make_net(callbacks=[callback])
    net.partial_fit(X, Y)
    assert net.history[0, "dur"] <= time.time() - slow.done


def test_fewer_sequences_later(kind):
    net = make_net(callbacks=[small(kind)], train_split=None)
    net.fit(X, Y)
    net.partial_fit(X[:6], Y[:6])
    assert len(net.history) == 2
