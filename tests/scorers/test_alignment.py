"""The score: what is 0, what is 1, what does not matter and what is refused."""

import copy
import pickle
import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from helpers import make_net, tokens
from sklearn.base import clone
from skorch import NeuralNet, NeuralNetBinaryClassifier, NeuralNetRegressor
from skorch.dataset import Dataset
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.nn.utils.rnn import pack_padded_sequence

from lyapsk import GradientAlignmentScorer
from lyapsk.exceptions import (
    InvalidInputError,
    InvalidTypeError,
    LyapskWarning,
    NotInitializedNetError,
    NumericalError,
    RecurrentLayerError,
)
from lyapsk.scorers import GradientAlignment

RNG = np.random.default_rng(0)
X, Y = tokens(n_sequences=6), np.array([0, 1, 2, 0, 1, 2])
SMALL = GradientAlignmentScorer(n_directions=2)


class Regressor(nn.Module):
    """A recurrent layer and a linear read-out of its last output."""

    def __init__(self, layer, squeeze=False):
        super().__init__()
        self.layer, self.squeeze = layer, squeeze
        self.readout = nn.Linear(getattr(layer, "proj_size", 0) or layer.hidden_size, 1)

    def forward(self, x):
        y = self.readout(self.layer(x)[0][:, -1])
        return y.squeeze(-1) if self.squeeze else y


def regression(layer, n_sequences=5, n_steps=8, dtype=torch.float32):
    """A net around a layer, with inputs and targets."""
    torch.manual_seed(1)
    net = NeuralNetRegressor(Regressor, module__layer=layer, verbose=0).initialize()
    net.module_.to(dtype)
    data = np.random.default_rng(1)
    x = data.normal(size=(n_sequences, n_steps, layer.input_size))
    kind = torch.empty(0, dtype=dtype).numpy().dtype
    return net, x.astype(kind), data.normal(size=(n_sequences, 1)).astype(kind)


def blocks(first, second):
    """Four tanh units of which only the first two are driven, with two blocks of weights."""
    layer = nn.RNN(2, 4, bias=False, batch_first=True)
    with torch.no_grad():
        layer.weight_ih_l0[2:] = 0
        layer.weight_hh_l0.copy_(torch.block_diag(torch.tensor(first), torch.tensor(second)))
    return layer


ROTATION = [[0.6, -0.8], [0.8, 0.6]]
NOTHING = [[0.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize("n_directions", [2, 3])
def test_gradient_inside_the_frame_scores_one(n_directions):
    net, x, y = regression(blocks(ROTATION, NOTHING))
    alignment = GradientAlignmentScorer(n_directions=n_directions).analyze(net, x, y)
    np.testing.assert_allclose(alignment.per_step, 1, atol=1e-6)
    assert alignment.score == pytest.approx(1, abs=1e-6)


def test_gradient_outside_the_frame_scores_below_chance():
    strong = [[30 * value for value in row] for row in ROTATION]
    net, x, y = regression(blocks(ROTATION, strong))
    alignment = GradientAlignmentScorer(n_directions=2).analyze(net, x, y)
    assert alignment.chance == 0.5
    assert alignment.per_step[-1] == pytest.approx(-1, abs=1e-6)


def permuting():
    """A relu layer of 12 units whose Jacobian is a permutation: its frame stays random."""
    layer = nn.RNN(2, 12, nonlinearity="relu", bias=False, batch_first=True)
    with torch.no_grad():
        layer.weight_hh_l0.copy_(torch.eye(12).roll(1, 0))
        layer.weight_ih_l0.abs_()
    return layer


@pytest.mark.parametrize("side", ["state", "adjoint"])
@pytest.mark.parametrize(("n_directions", "n_singular"), [(1, 1), (3, 2), (8, 4)])
def test_random_frames_score_zero_on_average(n_directions, n_singular, side):
    net, x, y = regression(permuting(), n_sequences=1)
    x = np.abs(x)
    scores = [
        GradientAlignmentScorer(
            n_directions=n_directions, n_singular=n_singular, side=side, random_state=seed
        )(net, x, y)
        for seed in range(100)
    ]
    error = np.std(scores, ddof=1) / np.sqrt(len(scores))
    assert abs(np.mean(scores)) < 4 * error
    assert 0 < error < 0.02


def test_random_frame_before_the_first_step_is_left_out_by_default():
    net, x, y = regression(blocks(ROTATION, NOTHING))
    per_step = {
        seed: GradientAlignmentScorer(n_directions=2, warmup=0, random_state=seed)
        .analyze(net, x, y)
        .per_step
        for seed in range(20)
    }
    first = [steps[0] for steps in per_step.values()]
    assert max(first) < 0.99
    assert np.std(first) > 0.05
    default = GradientAlignmentScorer(n_directions=2, random_state=0).analyze(net, x, y)
    np.testing.assert_array_equal(default.per_step, per_step[0][1:])


def test_result_is_consistent():
    net = make_net()
    alignment = GradientAlignmentScorer(n_directions=2, n_singular=3).analyze(net, X, Y)
    assert alignment.overlaps.shape == (11, 2, 3)
    assert alignment.per_step.shape == (11,)
    assert alignment.per_sequence.shape == (6,)
    assert alignment.chance == 2 / 5
    overlap = alignment.overlaps.sum(1).mean(-1)
    np.testing.assert_allclose(alignment.per_step, (overlap - 0.4) / 0.6)
    assert alignment.score == pytest.approx(alignment.per_step.mean())
    assert alignment.score == pytest.approx(alignment.per_sequence.mean())
    error = alignment.per_sequence.std(ddof=1) / np.sqrt(6)
    assert alignment.standard_error == pytest.approx(error)
    assert f"{alignment.score:.4g} ± {error:.2g}" in repr(alignment)
    assert alignment.gradient.share[-1] == pytest.approx(1)
    assert alignment.gradient.error < 1e-5
    assert GradientAlignmentScorer(n_directions=2, n_singular=3)(net, X, Y) == alignment.score


def test_all_directions_but_one_leave_the_rest():
    net = make_net()
    four, three = (
        GradientAlignmentScorer(n_directions=q).analyze(net, X, Y).overlaps for q in (4, 3)
    )
    np.testing.assert_allclose(four[:, :3], three, atol=1e-12)
    assert (four.sum(1) < 1 + 1e-12).all()


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "dropout": 0.5}], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_layers_and_precisions(kind, options, dtype):
    torch.manual_seed(3)
    layer = kind(2, 4, batch_first=True, **options)
    double = SMALL.analyze(*regression(copy.deepcopy(layer), dtype=torch.float64))
    net, x, y = regression(copy.deepcopy(layer), dtype=torch.float64)
    net.module_.to(dtype)
    alignment = SMALL.analyze(net, torch.tensor(x).to(dtype), torch.tensor(y).to(dtype))
    np.testing.assert_allclose(alignment.overlaps, double.overlaps, atol=1e-4)
    assert isinstance(SMALL(net, torch.tensor(x).to(dtype), torch.tensor(y).to(dtype)), float)


class Looped(nn.Module):
    """Calls a cell step by step."""

    def __init__(self, cell):
        super().__init__()
        self.cell = cell
        self.readout = nn.Linear(cell.hidden_size, 1)

    def forward(self, x):
        state = None
        for step in x.unbind(1):
            state = self.cell(step, state)
        return self.readout(state[0] if isinstance(state, tuple) else state)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_a_cell_scores_like_its_layer(kind):
    layer = getattr(nn, kind)(2, 4, batch_first=True)
    net, x, y = regression(layer)
    cell = getattr(nn, f"{kind}Cell")(2, 4)
    cell.load_state_dict({k.removesuffix("_l0"): w for k, w in layer.state_dict().items()})
    looped = NeuralNetRegressor(Looped, module__cell=cell, verbose=0).initialize()
    looped.module_.readout.load_state_dict(net.module_.readout.state_dict())
    assert SMALL(looped, x, y) == pytest.approx(SMALL(net, x, y), abs=1e-4)


def test_only_the_direction_of_the_gradient_matters():
    """With a single output, all losses have one direction."""
    _, x, y = regression(nn.GRU(2, 4, batch_first=True))
    scores = []
    for kind, options in (
        (NeuralNetRegressor, {}),
        (NeuralNet, {"criterion": nn.L1Loss}),
        (NeuralNetBinaryClassifier, {"module__squeeze": True}),
    ):
        torch.manual_seed(0)
        net = kind(Regressor, module__layer=nn.GRU(2, 4, batch_first=True), **options).initialize()
        labels = (y[:, 0] > 0).astype("float32")
        scores.append(SMALL(net, x, labels if kind is NeuralNetBinaryClassifier else y))
    np.testing.assert_allclose(scores, scores[0], atol=1e-4)


class Last(nn.Module):
    """The last output of a layer, one number for each unit."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0][:, -1]


class OfOneUnit(nn.Module):
    """Squared error of the first unit."""

    def forward(self, y_pred, y_true):
        return (y_pred[:, 0] - y_true[:, 0]).square().mean()


class OwnLoss(NeuralNetRegressor):
    """Has a ``get_loss`` that its criterion knows nothing of."""

    def get_loss(self, y_pred, y_true, X=None, training=False):
        assert len(X) == len(y_true)
        assert not training
        return OfOneUnit()(y_pred, y_true)


def test_loss_is_that_of_the_nets_get_loss():
    layer = nn.GRU(2, 4, batch_first=True)
    x = RNG.normal(size=(4, 6, 2)).astype("float32")
    y = RNG.normal(size=(4, 4)).astype("float32")
    own, same, other = (
        SMALL(kind(Last, module__layer=layer, criterion=criterion).initialize(), x, y)
        for kind, criterion in (
            (OwnLoss, nn.MSELoss),
            (NeuralNetRegressor, OfOneUnit),
            (NeuralNetRegressor, nn.MSELoss),
        )
    )
    assert own == same
    assert abs(own - other) > 0.01


def test_order_and_batches_of_sequences_do_not_matter():
    net = make_net()
    alignment = SMALL.analyze(net, X, Y)
    order = np.array([3, 1, 5, 0, 4, 2])
    shuffled = SMALL.analyze(net, X[order], Y[order])
    np.testing.assert_allclose(shuffled.per_sequence, alignment.per_sequence[order], atol=1e-6)
    assert shuffled.score == pytest.approx(alignment.score, abs=1e-6)
    for size in (1, 4, -1):
        other = make_net(batch_size=size)
        np.testing.assert_allclose(SMALL.analyze(other, X, Y).overlaps, alignment.overlaps)


def test_sequences_in_parts_are_as_together(monkeypatch):
    net = make_net()
    together = SMALL.analyze(net, X, Y)
    monkeypatch.setattr("lyapsk.scorers._readings.NUMBERS_AT_ONCE", 1)
    np.testing.assert_allclose(SMALL.analyze(net, X, Y).per_sequence, together.per_sequence)


def test_counts_may_be_numpy_integers():
    net = make_net()
    counts = {"n_directions": 2, "n_singular": 2, "warmup": 1}
    numpy_counts = {name: np.int64(count) for name, count in counts.items()}
    score = GradientAlignmentScorer(**counts)(net, X, Y)
    assert GradientAlignmentScorer(**numpy_counts)(net, X, Y) == score


def test_random_state_sets_the_frame_and_none_fixes_it():
    net = make_net()
    assert SMALL(net, X, Y) == SMALL(net, X, Y)
    first, again, second = (
        clone(SMALL).set_params(random_state=seed)(net, X, Y) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != second


def test_pickles_clones_and_prints():
    net = make_net()
    scorer = GradientAlignmentScorer(n_directions=3, warmup=2)
    score = scorer(net, X, Y)
    for twin in (pickle.loads(pickle.dumps(scorer)), clone(scorer), eval(repr(scorer))):
        assert twin.get_params() == scorer.get_params()
        assert twin(net, X, Y) == score
    alignment = pickle.loads(pickle.dumps(scorer.analyze(net, X, Y)))
    assert isinstance(alignment, GradientAlignment)
    assert alignment.score == score
    assert isinstance(scorer._repr_html_(), str)


class Restless(nn.Module):
    """Has a buffer that each forward changes, and draws from every generator."""

    def __init__(self):
        super().__init__()
        self.layer = nn.GRU(2, 4, batch_first=True)
        self.norm = nn.BatchNorm1d(4)
        self.readout = nn.Linear(4, 1)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        x = x + 0 * (torch.rand(()) + np.random.rand() + random.random())  # noqa: NPY002
        return self.readout(self.norm(self.layer(x)[0][:, -1]))


def snapshot(net):
    return {
        "weights": {k: w.clone() for k, w in net.module_.state_dict().items()},
        "gradients": [p.grad.clone() for p in net.module_.parameters()],
        "flags": [p.requires_grad for p in net.module_.parameters()],
        "modes": [m.training for m in net.module_.modules()],
        "hooks": sum(len(m._forward_hooks) for m in net.module_.modules()),
        "generators": (
            torch.get_rng_state(),
            np.random.get_state()[1].copy(),  # noqa: NPY002
            torch.tensor(random.getstate()[1]),
        ),
        "switches": torch.tensor([torch.is_grad_enabled(), torch.backends.cudnn.enabled]),
    }


def test_everything_is_left_as_it_was():
    net = NeuralNetRegressor(Restless, verbose=0).initialize()
    x = RNG.normal(size=(4, 6, 2)).astype("float32")
    y = RNG.normal(size=(4, 1)).astype("float32")
    net.module_.train()
    net.module_.norm.eval()
    net.module_.layer.weight_hh_l0.requires_grad_(False)
    for p in net.module_.parameters():
        p.grad = torch.ones_like(p)
    before = snapshot(net)
    SMALL(net, x, y)
    for bad in (x[..., :1], np.full_like(x, np.nan)):
        with pytest.raises((InvalidInputError, NumericalError)):
            SMALL(net, bad, y)
    after = snapshot(net)
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, rtol=0, atol=0)


def test_net_trains_on_as_if_nothing_had_happened():
    weights = []
    for scored in (False, True):
        net = make_net(train_split=None)
        if scored:
            SMALL(net, X, Y)
        torch.manual_seed(0)
        net.partial_fit(X, Y)
        weights.append(net.module_.recurrent.weight_hh_l0)
    assert torch.equal(*weights)


def test_frozen_weights_have_a_gradient_too():
    net = make_net()
    score = SMALL(net, X, Y)
    for p in net.module_.parameters():
        p.requires_grad_(False)
    assert SMALL(net, X, Y) == pytest.approx(score, abs=1e-9)


def test_parametrized_weights():
    net, x, y = regression(nn.GRU(2, 4, batch_first=True))
    score = SMALL(net, x, y)
    parametrizations.weight_norm(net.module_.layer, "weight_hh_l0")
    assert SMALL(net, x, y) == pytest.approx(score, abs=1e-5)


class Compiled(nn.Module):
    """Like what torch.compile gives: its code runs no hooks of the module inside."""

    def __init__(self, module):
        super().__init__()
        self._orig_mod = module

    def forward(self, x):
        raise AssertionError("the plain module is to be run")


def test_plain_module_of_a_compiled_one_is_run():
    net, x, y = regression(nn.GRU(2, 4, batch_first=True))
    score = SMALL(net, x, y)
    net.module_ = wrapped = Compiled(net.module_)
    assert SMALL(net, x, y) == score
    assert net.module_ is wrapped


class Packing(nn.Module):
    """Reads the first steps of each sequence, as many as it is told."""

    def __init__(self):
        super().__init__()
        self.layer = nn.LSTM(2, 4, batch_first=True)
        self.readout = nn.Linear(4, 1)

    def forward(self, x, length):
        packed = pack_padded_sequence(x, length.cpu(), batch_first=True, enforce_sorted=False)
        return self.readout(self.layer(packed)[1][0][-1])


def test_packed_sequences_have_their_own_length():
    torch.manual_seed(0)
    net = NeuralNetRegressor(Packing, verbose=0).initialize()
    x, y = RNG.normal(size=(3, 7, 2)).astype("float32"), np.ones((3, 1), "float32")
    packed = SMALL.analyze(net, {"x": x, "length": np.full(3, 5)}, y)
    assert packed.overlaps.shape == (4, 2, 2)
    cut = SMALL.analyze(net, {"x": x[:, :5], "length": np.full(3, 5)}, y)
    np.testing.assert_allclose(packed.overlaps, cut.overlaps)
    lengths = np.array([5, 6, 7])
    for side in ("state", "adjoint"):
        scorer = GradientAlignmentScorer(n_directions=2, side=side)
        together = scorer.analyze(net, {"x": x, "length": lengths}, y)
        alone = [scorer(net, {"x": x[[i]], "length": lengths[[i]]}, y[[i]]) for i in range(len(x))]
        np.testing.assert_allclose(together.per_sequence, alone, atol=1e-5)
        assert together.overlaps.shape == (6, 2, 2)
        assert together.score == pytest.approx(np.mean(alone), abs=1e-5)
        assert np.isfinite(together.per_step).all()


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.GRU(2, 3, batch_first=True), nn.LSTM(2, 4, batch_first=True)
        self.readout = nn.Linear(7, 1)

    def forward(self, x, start):
        h = torch.tanh(start).expand(1, -1, 4).contiguous()
        last = self.first(x)[0][:, -1], self.second(x, (h, h))[0][:, -1]
        return self.readout(torch.cat(last, -1))


def test_inputs_by_name_and_one_of_several_layers():
    torch.manual_seed(0)
    net = NeuralNetRegressor(TwoInputs, verbose=0).initialize()
    x = {
        "x": RNG.normal(size=(3, 6, 2)).astype("float32"),
        "start": RNG.normal(size=(3, 1)).astype("float32"),
    }
    y = RNG.normal(size=(3, 1)).astype("float32")
    for layer, n in {"first": 3, "second": 8}.items():
        alignment = GradientAlignmentScorer(n_directions=2, layer=layer).analyze(net, x, y)
        assert alignment.chance == 2 / n


def test_rank_one_gradients_are_averaged_over_the_vector_that_they_have():
    net, x, y = regression(nn.RNN(2, 4, batch_first=True), n_steps=2)
    alignment = SMALL.analyze(net, x, y)
    assert np.isnan(alignment.overlaps[..., 1]).all()
    one = GradientAlignmentScorer(n_directions=2, n_singular=1).analyze(net, x, y)
    assert alignment.score == one.score
    assert np.isfinite(one.score)


def test_sequences_without_gradient_are_left_out():
    net, x, y = regression(nn.RNN(2, 4, batch_first=True))
    alignment = SMALL.analyze(net, x, y)
    y[1] = net.predict(x[1:2])
    with pytest.warns(LyapskWarning, match="zero for 1 of 5 sequences, which are left out"):
        without = SMALL.analyze(net, x, y)
    assert np.isnan(without.per_sequence).tolist() == [False, True, False, False, False]
    assert without.score == pytest.approx(np.delete(alignment.per_sequence, 1).mean(), abs=1e-5)
    assert np.isfinite(without.standard_error)
    assert np.isfinite(without.overlaps).all()
    nn.init.zeros_(net.module_.readout.weight)
    with pytest.warns(LyapskWarning, match="5 of 5 .* score is NaN"):
        assert np.isnan(SMALL(net, x, y))


class Feedback(nn.Module):
    """A cell whose read-out is its next input."""

    def __init__(self):
        super().__init__()
        self.layer, self.readout = nn.GRUCell(1, 4), nn.Linear(4, 1)

    def forward(self, x):
        h, y = torch.zeros(len(x), 4), x[:, 0]
        for _ in range(6):
            h = self.layer(y, h)
            y = self.readout(h)
        return y


def test_what_the_states_do_not_show_is_warned_of():
    net = NeuralNetRegressor(Feedback).initialize()
    with pytest.warns(LyapskWarning, match="away from autograd's.*fed back as inputs"):
        SMALL.analyze(net, np.ones((3, 4, 1), "float32"), np.zeros((3, 1), "float32"))


def test_threads_leave_nets_as_they_were():
    nets = [make_net(seed=seed) for seed in range(4)]
    for net in nets:
        net.module_.train()
    jobs = nets * 6
    with ThreadPoolExecutor(4) as pool:
        scores = list(pool.map(lambda net: SMALL(net, X, Y), jobs))
    assert all(net.module_.training for net in nets)
    assert scores == [SMALL(net, X, Y) for net in nets] * 6


def test_pruned_weights_are_those_of_the_forward():
    net = make_net()
    prune.l1_unstructured(net.module_.recurrent, "weight_hh_l0", 0.4)
    with torch.no_grad():
        net.module_.recurrent.weight_hh_l0_orig += 0.3
    pruned = SMALL.analyze(net, X, Y)
    assert pruned.gradient.error < 1e-5
    prune.remove(net.module_.recurrent, "weight_hh_l0")
    assert SMALL.analyze(net, X, Y).score == pytest.approx(pruned.score, abs=1e-6)


def test_in_inference_mode():
    net = make_net()
    expected = SMALL(net, X, Y)
    with torch.inference_mode():
        assert SMALL(net, X, Y) == expected
        assert SMALL.analyze(net, X, Y).score == expected


class Autoencoder(NeuralNet):
    """Its loss needs no targets."""

    def get_loss(self, y_pred, y_true, X=None, training=False):
        return (y_pred - X.sum((1, 2))[:, None]).square().mean()


def test_a_loss_without_targets():
    net = Autoencoder(
        Regressor, module__layer=nn.GRU(2, 6, batch_first=True), criterion=nn.MSELoss
    ).initialize()
    assert np.isfinite(SMALL(net, INPUTS))


@pytest.mark.parametrize("name", ["shuffle", "drop_last"])
def test_iterators_that_lose_sequences_or_their_order_are_refused(name):
    net = make_net()
    setattr(net, f"iterator_valid__{name}", True)
    with pytest.raises(InvalidInputError, match=f"iterator_valid__{name}=True, which loses"):
        SMALL(net, X, Y)


def test_standard_error_of_one_sequence_is_infinite():
    assert SMALL.analyze(make_net(), X[:1], Y[:1]).standard_error == np.inf


class Forgetful(nn.Module):
    """Takes sequences first but forgets batch_first."""

    def __init__(self):
        super().__init__()
        self.layer = nn.GRU(2, 6)
        self.readout = nn.Linear(6, 1)

    def forward(self, x):
        return self.readout(self.layer(x)[0][:, -1])


class Unread(nn.Module):
    """Its loss does not depend on the recurrent layer."""

    def __init__(self):
        super().__init__()
        self.layer = nn.GRU(2, 6, batch_first=True)
        self.readout = nn.Linear(6, 1)

    def forward(self, x):
        return self.readout(self.layer(x)[0][:, -1].detach())


def net_of(module):
    return NeuralNetRegressor(module, verbose=0).initialize()


def with_nan(net):
    with torch.no_grad():
        net.module_.layer.weight_hh_l0[0, 0] = float("nan")
    return net


def exploding():
    layer = nn.RNN(2, 6, nonlinearity="relu", batch_first=True)
    nn.init.constant_(layer.weight_hh_l0, 1e30)
    return Regressor(layer)


INPUTS, TARGETS = RNG.normal(size=(3, 8, 2)).astype("float32"), np.ones((3, 1), "float32")
GRU = net_of(Regressor(nn.GRU(2, 6, batch_first=True)))

REFUSED = {
    "not a net": ({"net": nn.GRU(2, 4)}, InvalidTypeError, "net: got GRU.*skorch net"),
    "never initialised": (
        {"net": NeuralNetRegressor(Regressor)},
        NotInitializedNetError,
        "initialize",
    ),
    "no recurrent layer": (
        {"net": net_of(nn.Sequential(nn.Linear(2, 1)))},
        RecurrentLayerError,
        "no recurrent layer",
    ),
    "several layers": ({"net": net_of(TwoInputs)}, RecurrentLayerError, "layer='first'"),
    "unknown layer": ({"layer": "third"}, RecurrentLayerError, "layer: got 'third'"),
    "two directions": (
        {"net": net_of(nn.Sequential(nn.GRU(2, 4, bidirectional=True)))},
        RecurrentLayerError,
        "bidirectional=True.*one direction",
    ),
    "nan weights": (
        {"net": with_nan(net_of(Regressor(nn.GRU(2, 6, batch_first=True))))},
        InvalidInputError,
        "weight_hh_l0.*not finite",
    ),
    "no targets": ({"y": None}, InvalidInputError, "y: got None.*Dataset"),
    "no targets in a dataset": (
        {"X": GRU.get_dataset(INPUTS), "y": None},
        InvalidInputError,
        "y: got None",
    ),
    "no targets in a part of a dataset": (
        {"X": torch.utils.data.Subset(GRU.get_dataset(INPUTS), [0, 1]), "y": None},
        InvalidInputError,
        "y: got None",
    ),
    "no data": ({"X": None}, InvalidInputError, "X: got no sequences"),
    "no sequences": (
        {"X": INPUTS[:0], "y": TARGETS[:0]},
        InvalidInputError,
        "X: got no sequences",
    ),
    "no steps": ({"X": INPUTS[:, :0]}, InvalidInputError, "X, y: .*sequence length"),
    "wrong width": ({"X": INPUTS[..., :1]}, InvalidInputError, "X, y: .*RuntimeError"),
    "nan inputs": ({"X": INPUTS * np.nan}, NumericalError, "not finite.*NaN in X, y"),
    "exploding": ({"net": net_of(exploding())}, NumericalError, "explode"),
    "batch_first forgotten": (
        {"net": net_of(Forgetful)},
        RecurrentLayerError,
        "8 sequences to its GRU.*batch_first",
    ),
    "layer not in the loss": ({"net": net_of(Unread)}, InvalidInputError, "must depend on"),
    "n_directions too large": (
        {"n_directions": 6},
        InvalidInputError,
        "n_directions: got 6.*below the size of the full state, 6",
    ),
    "n_directions zero": ({"n_directions": 0}, InvalidInputError, "n_directions: got 0"),
    "n_directions not whole": ({"n_directions": 2.0}, InvalidInputError, "n_directions: got 2.0"),
    "n_singular too large": ({"n_singular": 7}, InvalidInputError, "n_singular: got 7.*units, 6"),
    "n_singular boolean": ({"n_singular": True}, InvalidInputError, "n_singular: got True"),
    "negative warmup": ({"warmup": -1}, InvalidInputError, "warmup: got -1"),
    "unknown side": ({"side": "left"}, InvalidInputError, "side: got 'left'.*'adjoint'"),
    "warmup too long": ({"warmup": 8}, InvalidInputError, "warmup: got 8.*8 steps"),
    "unknown device": ({"device": "toaster"}, InvalidInputError, "device: got 'toaster'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_argument_value_and_remedy(case):
    given, error, message = REFUSED[case]
    given = {"net": GRU, "X": INPUTS, "y": TARGETS, **given}
    net, x, y = given.pop("net"), given.pop("X"), given.pop("y")
    with pytest.raises(error, match=message):
        GradientAlignmentScorer(**given)(net, x, y)


class NextInput(Dataset):
    """Makes its targets from X."""

    def transform(self, X, y):
        return X[:-1], X[-1, :1]


def test_targets_may_be_made_by_the_dataset():
    net = NeuralNetRegressor(
        Regressor, module__layer=nn.GRU(2, 6, batch_first=True), dataset=NextInput
    ).initialize()
    assert SMALL(net, INPUTS) == SMALL(net, NextInput(INPUTS))
    plain = copy.copy(net)
    plain.dataset = Dataset
    assert SMALL(net, INPUTS) == SMALL(plain, INPUTS[:, :-1], INPUTS[:, -1, :1])


class Ragged(torch.utils.data.Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return torch.ones(4 + index, 2), torch.ones(1)


def test_batches_of_unequal_lengths():
    net = NeuralNetRegressor(
        Regressor, module__layer=nn.GRU(2, 6, batch_first=True), batch_size=1
    ).initialize()
    alignment = SMALL.analyze(net, Ragged())
    assert alignment.overlaps.shape == (4, 2, 2)
    alone = [SMALL(net, torch.utils.data.Subset(Ragged(), [i])) for i in range(2)]
    np.testing.assert_allclose(alignment.per_sequence, alone)


@pytest.mark.parametrize("n_units", [3, 5, 8])
def test_by_default_five_directions_or_all_but_one(n_units):
    net = make_net(n_units=n_units)
    n_directions = min(5, n_units - 1)
    found = GradientAlignmentScorer().analyze(net, X, Y)
    assert found.overlaps.shape[1] == n_directions
    expected = GradientAlignmentScorer(n_directions=n_directions)(net, X, Y)
    assert GradientAlignmentScorer()(net, X, Y) == found.score == expected


@pytest.mark.skipif(
    not hasattr(torch.backends.cudnn, "rnn"), reason="this torch has one setting for all backends"
)
def test_where_precision_was_set_by_newer_names(monkeypatch):
    net = make_net()
    expected = SMALL(net, X, Y)
    monkeypatch.setattr(torch.backends.cudnn.rnn, "fp32_precision", "ieee")
    assert SMALL(net, X, Y) == expected


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_gpu_agrees_with_cpu(kind):
    here, there = (
        GradientAlignmentScorer(n_directions=2, device=device) for device in ("cpu", "cuda")
    )
    score = here(make_net(kind), X, Y)
    assert there(make_net(kind, device="cuda"), X, Y) == pytest.approx(score, abs=1e-4)
