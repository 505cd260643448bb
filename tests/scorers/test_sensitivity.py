"""Sensitivity to inputs against analytic answers, jacrev, and perturbations by hand."""

import pickle

import numpy as np
import pytest
import torch
from helpers import dense_jacobians, make_layer, make_net, tokens
from scipy.special import rel_entr
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from skorch import NeuralNet, NeuralNetBinaryClassifier, NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import EpochScoring
from torch import nn
from torch.func import jacrev
from torch.nn.utils.rnn import pack_padded_sequence

from lyapsk import InputSensitivityScorer
from lyapsk.exceptions import (
    InvalidInputError,
    LyapskWarning,
    NumericalError,
    RecurrentLayerError,
)
from lyapsk.scorers._changes import OfProbabilities, change_of
from lyapsk.tasks import StepCrossEntropy

RNG = np.random.default_rng(0)
GROWTHS = ("finite_time_exponent", "singular_value", "position", "step_growth")


class Model(nn.Module):
    """A layer, and a read-out of its last output or of all of them."""

    def __init__(self, layer, n_outputs=2, each_step=False, squash=None):
        super().__init__()
        self.layer, self.each_step, self.squash = layer, each_step, squash
        self.readout = nn.Linear(layer.hidden_size, n_outputs).double()

    def forward(self, x):
        outputs, _ = self.layer(x)
        y = self.readout(outputs if self.each_step else outputs[:, -1])
        return y if self.squash is None else self.squash(y)


def net_of(layer, kind=NeuralNetRegressor, criterion=nn.MSELoss, **module):
    torch.manual_seed(0)
    module = {f"module__{name}": value for name, value in module.items()}
    return kind(Model, module__layer=layer, criterion=criterion, **module).initialize()


def linear_layer():
    """A relu layer with positive weights: linear for positive inputs."""
    layer = nn.RNN(1, 3, nonlinearity="relu", bias=False, batch_first=True).double()
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.tensor([[0.5], [0.2], [1.0]]))
        layer.weight_hh_l0.copy_(torch.tensor([[0.5, 0.3, 0], [0.1, 0.4, 0.2], [0, 0.3, 0.6]]))
    return layer


def test_linear_network():
    """``o = C h_T`` moves by ``C W^(T-t) V e``, and the Jacobian's product is ``W^(T-t)``."""
    layer, n_steps, size = linear_layer(), 9, 0.01
    net = net_of(layer)
    x = RNG.uniform(1, 2, size=(4, n_steps, 1))
    sensitivity = InputSensitivityScorer(size=size, n_draws=3).analyze(net, x)
    W, V = layer.weight_hh_l0.detach().numpy(), layer.weight_ih_l0.detach().numpy()
    C = net.module_.readout.weight.detach().numpy()
    powers = [np.linalg.matrix_power(W, n_steps - 1 - t) for t in range(n_steps)]
    moved = [size**2 * np.sum((C @ power @ V) ** 2) for power in powers]
    np.testing.assert_allclose(sensitivity.first_order, np.tile(moved, (4, 1)), rtol=1e-10)
    drawn = np.square(_draws(0, (3, 4, 1), size)).mean(0) / size**2
    np.testing.assert_allclose(sensitivity.sampled, moved * drawn, rtol=1e-6)
    assert sensitivity.agreement == pytest.approx(np.median(drawn), abs=1e-6)
    log_norms = [np.log(np.linalg.norm(power, 2)) for power in powers]
    np.testing.assert_allclose(sensitivity.singular_value, np.tile(log_norms, (4, 1)), atol=1e-10)
    largest = np.log(np.abs(np.linalg.eigvals(W)).max())
    assert sensitivity.finite_time_exponent[0, -2] == pytest.approx(largest, abs=1e-3)
    assert np.isnan(sensitivity.finite_time_exponent[:, -1]).all()
    np.testing.assert_allclose(sensitivity.correlation("singular_value"), 1)
    np.testing.assert_array_equal(sensitivity.position[0], np.arange(n_steps))


@pytest.mark.parametrize("each_step", [False, True])
@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_first_order_is_jacrevs(kind, each_step):
    torch.manual_seed(1)
    layer = kind(2, 4, num_layers=2, batch_first=True).double()
    net = net_of(layer, each_step=each_step)
    x = RNG.normal(size=(3, 5, 2))
    found = InputSensitivityScorer(size=0.5, n_draws=0).analyze(net, x)
    assert found.sampled is None
    for i in range(3):
        J = jacrev(net.module_)(torch.tensor(x[[i]])).flatten(0, -4).sum(1).detach().numpy()
        expected = 0.25 * np.square(J).sum((0, 2))
        np.testing.assert_allclose(found.first_order[i], expected, rtol=1e-9)


PROBABILITIES = {
    "cross-entropy": (NeuralNetClassifier, nn.CrossEntropyLoss, None, lambda o: o.softmax(-1)),
    "probabilities": (NeuralNetClassifier, nn.NLLLoss, nn.Softmax(-1), lambda o: o),
    "log-probabilities": (NeuralNet, nn.NLLLoss, nn.LogSoftmax(-1), torch.exp),
    "logits of one class": (
        NeuralNetBinaryClassifier,
        nn.BCEWithLogitsLoss,
        None,
        lambda o: torch.cat([o.sigmoid(), 1 - o.sigmoid()], -1),
    ),
    "one probability": (
        NeuralNetBinaryClassifier,
        nn.BCELoss,
        nn.Sigmoid(),
        lambda o: torch.cat([o, 1 - o], -1),
    ),
}


@pytest.mark.parametrize("case", PROBABILITIES)
def test_divergence_of_probabilities(case):
    kind, criterion, squash, probabilities = PROBABILITIES[case]
    n_outputs = 1 if "one" in case else 3
    net = net_of(
        make_layer("gru"), kind=kind, criterion=criterion, n_outputs=n_outputs, squash=squash
    )
    x, seed = RNG.normal(size=(2, 4, 3)), 5
    scorer = InputSensitivityScorer(size=0.3, n_draws=2, random_state=seed)
    found = scorer.analyze(net, x)
    small = InputSensitivityScorer(size=1e-4, n_draws=2000).analyze(net, x)
    np.testing.assert_allclose(small.sampled, small.first_order, rtol=0.2)
    with torch.no_grad():
        p = probabilities(net.module_(torch.tensor(x))).numpy()

        def divergence(t, noise):
            moved = torch.tensor(x)
            moved[:, t] += noise
            return rel_entr(p, probabilities(net.module_(moved)).numpy()).sum(-1)

        # The same draws for every step: found again from the seed that the scorer gets.
        noise = torch.as_tensor(_draws(seed, (2, 2, 3), 0.3))
        by_hand = [[divergence(t, e) for t in range(4)] for e in noise]
    np.testing.assert_allclose(found.sampled, np.mean(by_hand, 0).T, rtol=1e-8, atol=1e-12)
    spread = np.std(by_hand, 0, ddof=1).T / np.sqrt(2)
    np.testing.assert_allclose(found.sampling_error, spread, rtol=1e-8, atol=1e-12)


def _draws(random_state, shape, size):
    """Draws (n_draws, n_sequences, n_inputs), drawn sequence by sequence."""
    seed = int(np.random.RandomState(random_state).randint(2**31 - 1))
    n_draws, n_sequences, n_inputs = shape
    draws = np.random.default_rng(seed).normal(0, size, size=(n_sequences, n_draws, n_inputs))
    return draws.swapaxes(0, 1)


class Steps(nn.Module):
    """Logits at every step, with classes last or second."""

    def __init__(self, last):
        super().__init__()
        self.layer, self.readout = make_layer("gru"), nn.Linear(5, 4).double()
        self.last = last

    def forward(self, x):
        logits = self.readout(self.layer(x)[0])
        return logits if self.last else logits.transpose(1, 2)


class Flattening(NeuralNet):
    def get_loss(self, y_pred, y_true, X=None, training=False):
        return super().get_loss(y_pred.flatten(0, 1), y_true.flatten(), X=X, training=training)


class Focal(nn.CrossEntropyLoss):
    def forward(self, output, target):
        return super().forward(output, target) ** 2


@pytest.mark.parametrize(
    ("kind", "criterion", "last", "with_y"),
    [
        (NeuralNet, StepCrossEntropy, True, False),
        (NeuralNet, nn.CrossEntropyLoss, False, False),
        (Flattening, nn.CrossEntropyLoss, True, False),
        (NeuralNet, Focal, False, True),
    ],
)
def test_probabilities_at_every_step(kind, criterion, last, with_y):
    torch.manual_seed(0)
    net = kind(Steps, module__last=last, criterion=criterion).initialize()
    x, y = RNG.normal(size=(2, 6, 3)), RNG.integers(4, size=(2, 6))
    found = InputSensitivityScorer(size=1, n_draws=0).analyze(net, x, y if with_y else None)
    for i in range(2):
        own = torch.tensor(x[i])

        def log_p(u):
            return net.module_(u[None])[0].log_softmax(-1 if last else 0).flatten()

        J, p = jacrev(log_p)(own).detach(), log_p(own).detach().exp()
        expected = 0.5 * (p[:, None, None] * J.square()).sum((0, 2))
        np.testing.assert_allclose(found.first_order[i], expected, rtol=1e-9)


def test_loss_is_each_sequences_own():
    net = net_of(make_layer("gru"))
    x, y = RNG.normal(size=(3, 5, 3)), RNG.normal(size=(3, 2))
    found = InputSensitivityScorer(output="loss", n_draws=0, size=1).analyze(net, x, y)
    for i in range(3):
        own = torch.tensor(x[[i]], requires_grad=True)
        loss = nn.functional.mse_loss(net.module_(own), torch.tensor(y[[i]]))
        expected = torch.autograd.grad(loss, own)[0].square().sum(-1)[0]
        np.testing.assert_allclose(found.first_order[i], expected, rtol=1e-9)
    small = InputSensitivityScorer(output="loss", n_draws=500, size=1e-4).analyze(net, x, y)
    np.testing.assert_allclose(small.sampled, small.first_order, rtol=0.3)


class Looped(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.cell = nn.GRUCell(3, 5).double()
        for name, weight in layer.named_parameters():
            getattr(self.cell, name.removesuffix("_l0")).data = weight.data
        self.readout = nn.Linear(5, 2).double()

    def forward(self, x):
        h = x.new_zeros(len(x), 5)
        for step in x.unbind(1):
            h = self.cell(input=step, hx=h)
        return self.readout(h)


def test_a_cell_is_as_sensitive_as_its_layer():
    layer = make_layer("gru")
    net = net_of(layer)
    looped = NeuralNetRegressor(Looped, module__layer=layer).initialize()
    looped.module_.readout.load_state_dict(net.module_.readout.state_dict())
    x = RNG.normal(size=(3, 6, 3))
    first, second = (InputSensitivityScorer(n_draws=2).analyze(n, x) for n in (net, looped))
    for name in ("sampled", "first_order", "finite_time_exponent", "singular_value"):
        np.testing.assert_allclose(getattr(first, name), getattr(second, name), rtol=1e-9)


class Packing(nn.Module):
    def __init__(self, ordered=False):
        super().__init__()
        self.layer, self.readout = nn.GRU(2, 4).double(), nn.Linear(4, 1).double()
        self.ordered = ordered

    def forward(self, x, length):
        packed = pack_padded_sequence(
            x, length.cpu(), batch_first=True, enforce_sorted=self.ordered
        )
        return self.readout(self.layer(packed)[1][0])


@pytest.mark.parametrize("n_draws", [0, 2000])
@pytest.mark.parametrize("ordered", [False, True])
def test_packed_sequences_have_their_own_length(n_draws, ordered):
    net = NeuralNetRegressor(Packing, module__ordered=ordered, batch_size=3).initialize()
    lengths = np.array([6, 5, 4, 3] if ordered else [4, 6, 3, 5])
    x = RNG.normal(size=(4, 6, 2))
    scorer = InputSensitivityScorer(n_draws=n_draws, size=1e-3)
    together = scorer.analyze(net, {"x": x, "length": lengths})
    for i, length in enumerate(lengths):
        alone = scorer.analyze(net, {"x": x[[i], :length], "length": lengths[[i]]})
        for name in ("first_order", "finite_time_exponent", "singular_value", "step_growth"):
            own = getattr(together, name)[i]
            np.testing.assert_allclose(own[:length], getattr(alone, name)[0], rtol=1e-9)
            assert np.isnan(own[length:]).all()
        if n_draws:
            np.testing.assert_allclose(together.sampled[i, :length], alone.sampled[0], rtol=0.2)
    assert np.isfinite(together.correlation("position")).all()


def test_tokens_are_perturbed_behind_their_embedding():
    net = make_net()
    found = InputSensitivityScorer(n_draws=2).analyze(net, tokens())
    assert (found.sampled[:, -1] > 0).all()
    assert (found.first_order > 0).all()


def test_correlations_are_spearmans():
    net = net_of(make_layer("lstm-stacked"))
    found = InputSensitivityScorer(n_draws=2).analyze(net, RNG.normal(size=(4, 9, 3)))
    for of in ("sampled", "first_order"):
        for growth in GROWTHS:
            expected = [
                spearmanr(a[:-1], b[:-1]).statistic
                for a, b in zip(getattr(found, of), getattr(found, growth), strict=True)
            ]
            np.testing.assert_allclose(found.correlation(growth, of), expected)
    assert found.score == pytest.approx(found.correlation("finite_time_exponent").mean())
    assert found.control == pytest.approx(found.correlation("position").mean())
    assert f"{found.score:.4g}" in repr(found)
    mean, error = found.profile("sampled")
    np.testing.assert_allclose(mean, found.sampled.mean(0))
    np.testing.assert_allclose(error, found.sampled.std(0, ddof=1) / 2)


@pytest.mark.parametrize("growth", ["finite_time_exponent", "singular_value"])
@pytest.mark.parametrize("n_draws", [0, 2])
def test_score_is_that_of_the_analysis(growth, n_draws):
    net = net_of(make_layer("gru"))
    x = RNG.normal(size=(5, 6, 3))
    scorer = InputSensitivityScorer(growth=growth, n_draws=n_draws)
    analysis = scorer.analyze(net, x)
    assert scorer(net, x) == pytest.approx(analysis.score)
    expected = analysis.correlation(growth, "sampled" if n_draws else "first_order").mean()
    assert analysis.score == pytest.approx(expected)
    assert scorer(net, x) == clone(pickle.loads(pickle.dumps(scorer)))(net, x)


def test_growth_is_that_of_dense_jacobians():
    layer = make_layer("gru")
    net = net_of(layer)
    x = RNG.normal(size=(2, 6, 3))
    found = InputSensitivityScorer(n_draws=0).analyze(net, x)
    for i in range(2):
        J = dense_jacobians(layer, torch.tensor(x[i]), torch.zeros(5, dtype=torch.float64)).numpy()
        product = np.eye(5)
        for t in range(5, -1, -1):
            assert found.singular_value[i, t] == pytest.approx(np.log(np.linalg.norm(product, 2)))
            product = product @ J[t]
        steps = found.step_growth[i]
        for t in range(5):
            assert found.finite_time_exponent[i, t] == pytest.approx(steps[t + 1 :].mean())


def test_net_is_left_as_it_was():
    net = make_net()
    net.module_.train()
    before = torch.get_rng_state(), [w.clone() for w in net.module_.parameters()]
    InputSensitivityScorer(n_draws=1).analyze(net, tokens())
    assert torch.equal(torch.get_rng_state(), before[0])
    assert net.module_.training
    assert not net.module_.recurrent._forward_pre_hooks
    for weight, old in zip(net.module_.parameters(), before[1], strict=True):
        assert torch.equal(weight, old)
        assert weight.grad is None


def test_in_model_selection_and_training():
    net = make_net(callbacks=[("sensitivity", EpochScoring(InputSensitivityScorer(n_draws=1)))])
    x, y = tokens(n_sequences=30), np.tile([0, 1, 2], 10)
    net.fit(x, y)
    assert -1 <= net.history[-1, "input_sensitivity"] <= 1
    scores = cross_val_score(make_net(), x, y, scoring=InputSensitivityScorer(n_draws=0), cv=3)
    assert np.isfinite(scores).all()


def test_progress_shows_on_request(capsys):
    net = make_net()
    InputSensitivityScorer(n_draws=1)(net, tokens())
    assert capsys.readouterr().err == ""
    InputSensitivityScorer(n_draws=1, verbose=1)(net, tokens())
    assert "perturbing inputs" in capsys.readouterr().err


def test_too_short_sequences_have_no_correlation():
    net = net_of(make_layer("gru"))
    with pytest.warns(LyapskWarning, match="3 of 3 sequences have no rank correlation"):
        assert np.isnan(InputSensitivityScorer()(net, RNG.normal(size=(3, 2, 3))))


REFUSED = {
    "growth": ({"growth": "position"}, "growth: got 'position'.*'singular_value'"),
    "size": ({"size": 0}, r"size: got 0.*above 0, in the units"),
    "size of words": ({"size": "small"}, "size: got 'small'"),
    "draws": ({"n_draws": -1}, r"n_draws: got -1.*at least 0"),
    "output": ({"output": "logits"}, "output: got 'logits'.*'auto'"),
    "targets": ({"output": "loss"}, "y: got None"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_argument_value_and_remedy(case):
    given, message = REFUSED[case]
    with pytest.raises(InvalidInputError, match=message):
        InputSensitivityScorer(**given)(make_net(), tokens())


def test_what_cannot_be_read_is_refused():
    with pytest.raises(InvalidInputError, match="X: the net's own forward failed"):
        InputSensitivityScorer()(net_of(make_layer("gru")), RNG.normal(size=(3, 5, 2)))
    with pytest.raises(RecurrentLayerError, match="8 sequences to its RNN for 3 of X"):
        InputSensitivityScorer()(net_of(make_layer("tanh")), RNG.normal(size=(3, 8, 3)))
    logits = net_of(make_layer("gru"), kind=NeuralNetClassifier, criterion=nn.NLLLoss)
    with pytest.raises(InvalidInputError, match=r"output: .*NLLLoss asks, but range from -"):
        InputSensitivityScorer()(logits, RNG.normal(size=(3, 5, 3)))
    found = InputSensitivityScorer(n_draws=0).analyze(make_net(), tokens())
    with pytest.raises(InvalidInputError, match="of: got 'sampled', which was not computed"):
        found.correlation("position", "sampled")
    with pytest.raises(InvalidInputError, match="growth: got 'speed'"):
        found.correlation("speed")
    with pytest.raises(InvalidInputError, match="'sampled', which was not computed"):
        _ = found.agreement


class Feedback(nn.Module):
    """A cell whose answer so far is added to its next input."""

    def __init__(self):
        super().__init__()
        self.cell, self.readout = nn.GRUCell(1, 4).double(), nn.Linear(4, 1).double()

    def forward(self, x):
        h, y = x.new_zeros(len(x), 4), 0
        for step in x.unbind(1):
            h = self.cell(step + y, h)
            y = self.readout(h)
        return y


def test_what_is_fed_back_counts():
    torch.manual_seed(0)
    net = NeuralNetRegressor(Feedback).initialize()
    x = RNG.normal(size=(2, 5, 1))
    found = InputSensitivityScorer(size=1e-4, n_draws=1).analyze(net, x)
    draws = np.square(_draws(0, (1, 2, 1), 1))[0]
    np.testing.assert_allclose(found.sampled, draws * found.first_order, rtol=1e-2)


def test_batches_do_not_matter():
    net = net_of(make_layer("gru"))
    x = RNG.normal(size=(7, 5, 3))
    together = InputSensitivityScorer(n_draws=2).analyze(net, x)
    net.set_params(batch_size=3)
    apart = InputSensitivityScorer(n_draws=2).analyze(net, x)
    for name in ("sampled", "first_order", "finite_time_exponent", "singular_value"):
        np.testing.assert_allclose(getattr(apart, name), getattr(together, name), rtol=1e-9)


def test_a_compiled_criterion_is_looked_into():
    net = make_net()
    compiled = nn.Module()
    compiled._orig_mod = net.criterion_
    net.criterion_ = compiled
    assert isinstance(change_of(net, "auto"), OfProbabilities)


class Exploding(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.RNN(1, 2, nonlinearity="relu", batch_first=True).double()
        self.readout = nn.Linear(2, 1).double()
        nn.init.constant_(self.layer.weight_hh_l0, 1e200)
        nn.init.constant_(self.layer.weight_ih_l0, 1.0)

    def forward(self, x):
        return self.readout(self.layer(x)[0][:, 0])


class TimeFirst(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.readout = make_layer("gru"), nn.Linear(5, 1).double()

    def forward(self, x):
        return self.readout(self.layer(x)[0]).transpose(0, 1)


class Named(TimeFirst):
    def forward(self, x):
        return {"answer": super().forward(x)}


def test_what_is_not_finite_or_not_there_is_named():
    net, x = net_of(make_layer("gru")), RNG.normal(size=(3, 5, 3))
    broken = x.copy()
    broken[1, 2] = np.nan
    with pytest.raises(InvalidInputError, match=r"X: .*not finite in sequence 1.*at step 2"):
        InputSensitivityScorer()(net, broken)
    nn.init.constant_(net.module_.readout.weight, torch.nan)
    with pytest.raises(NumericalError, match="answers hold NaN"):
        InputSensitivityScorer()(net, x)
    nn.init.zeros_(net.module_.readout.weight)
    with pytest.warns(LyapskWarning, match="3 of 3 sequences"):
        InputSensitivityScorer()(net, x)
    exploding = NeuralNetRegressor(Exploding).initialize()
    with pytest.raises(NumericalError, match="explodes"):
        InputSensitivityScorer(n_draws=0)(exploding, np.ones((2, 9, 1)))
    for module, message in ((TimeFirst, r"shape \(5, 3, 1\) for 3"), (Named, "type dict")):
        other = NeuralNetRegressor(module).initialize()
        for n_draws in (0, 1):
            with pytest.raises(InvalidInputError, match=f"output: .*{message}"):
                InputSensitivityScorer(n_draws=n_draws)(other, x)


class Several(Model):
    def forward(self, x):
        return super().forward(x), None, torch.tensor(1.0)


class FirstCounts(NeuralNetRegressor):
    def get_loss(self, y_pred, y_true, X=None, training=False):
        return super().get_loss(y_pred[0], y_true, X=X, training=training)


def test_loss_of_answers_of_several_parts():
    torch.manual_seed(0)
    net = FirstCounts(Several, module__layer=make_layer("gru")).initialize()
    x, y = RNG.normal(size=(3, 5, 3)), RNG.normal(size=(3, 2))
    one = net_of(make_layer("gru"))
    one.module_.load_state_dict(net.module_.state_dict())
    scorer = InputSensitivityScorer(output="loss", n_draws=0)
    found, expected = (scorer.analyze(n, x, y).first_order for n in (net, one))
    np.testing.assert_allclose(found, expected)
