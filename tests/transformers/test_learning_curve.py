"""``LearningCurveTransformer`` against numbers worked out by hand, and in company."""

import pickle

import numpy as np
import pytest
import torch
from helpers import make_net, tokens
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline, make_union
from sklearn.utils import get_tags
from skorch.history import History

from lyapsk import AeLLERegressor, LearningCurveTransformer, LyapunovSpectrumTransformer
from lyapsk.exceptions import FailedNetworkWarning, InvalidInputError, InvalidTypeError

X = tokens()


def history(**columns):
    """A history with the values of each column, one for each epoch."""
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def frame_of(histories, **arguments):
    transformer = LearningCurveTransformer(**arguments).set_output(transform="pandas")
    return transformer.fit_transform(histories)


@pytest.fixture(scope="module")
def nets():
    """Trained nets with two to four epochs, also of validation."""
    labels = np.arange(40) % 3
    trained = [make_net(seed=seed).set_params(max_epochs=2 + seed % 3) for seed in range(6)]
    torch.manual_seed(0)
    return [net.fit(tokens(40), labels) for net in trained]


def test_a_loss_by_hand():
    curve = [8.0, 2.0, 4.0, 2.0, 1.0]
    row = frame_of([history(loss=curve)]).iloc[0]
    log2 = np.log(2)
    assert row.to_dict() == pytest.approx(
        {
            **{f"loss_epoch_{i}": np.log(value) for i, value in enumerate(curve, start=1)},
            "loss_lowest": 0,
            "loss_highest": 3 * log2,
            "loss_change": -3 * log2,
            "loss_slope": -log2,
        }
    )


@pytest.mark.parametrize("n_epochs", [2, 3, 4, 5, 11])
def test_slope_is_that_of_a_line_through_the_later_half(n_epochs):
    curves = np.random.default_rng(n_epochs).lognormal(size=(3, n_epochs))
    slopes = frame_of([history(loss=curve.tolist()) for curve in curves])["loss_slope"]
    late = slice(n_epochs - max(2, (n_epochs + 1) // 2), None)
    for curve, slope in zip(curves, slopes, strict=True):
        time = np.arange(n_epochs)[late, None]
        line = LinearRegression().fit(time, np.log(curve)[late])
        assert slope == pytest.approx(line.coef_[0])


def test_one_epoch_is_enough():
    row = frame_of([history(loss=[0.5, 0.1])], n_epochs=1).iloc[0]
    expected = {"loss_epoch_1": np.log(0.5), "loss_lowest": np.log(0.5)}
    expected |= {"loss_highest": np.log(0.5), "loss_change": 0, "loss_slope": 0}
    assert row.to_dict() == pytest.approx(expected)


def test_columns_with_negative_values_are_read_by_their_signed_log():
    frame = frame_of([history(r2=[-3.0, 0.5]), history(r2=[0.0, 1.0])])
    np.testing.assert_allclose(frame["r2_epoch_1"], [-np.log(4), 0])
    np.testing.assert_allclose(frame["r2_epoch_2"], [np.log(1.5), np.log(2)])


def test_a_diverged_network_is_one_range_above_all_others():
    losses = [[1.0, np.exp(-3)], [1.0, np.nan], [np.e, np.inf], [1.0, 0.0]]
    frame = frame_of([history(loss=loss) for loss in losses])
    np.testing.assert_allclose(frame["loss_epoch_2"], [-3, 5, 5, -7])
    np.testing.assert_allclose(frame["loss_change"], [-3, 5, 4, -7])
    assert np.isfinite(frame).all(axis=None)


def test_a_score_of_minus_infinity_is_one_range_below_all_others():
    scores = [[-1.0, np.e - 1], [0.0, -np.inf], [0.0, np.inf], [0.0, np.nan]]
    frame = frame_of([history(r2=score) for score in scores])
    worst, best = -2 * np.log(2) - 1, np.log(2) + 2
    np.testing.assert_allclose(frame["r2_epoch_2"], [1, worst, best, best])
    np.testing.assert_allclose(frame["r2_lowest"], [-np.log(2), worst, 0, 0])
    np.testing.assert_allclose(frame["r2_change"], [1 + np.log(2), worst, best, best])


def test_minus_infinity_does_not_change_the_scale_of_the_others():
    transformer = LearningCurveTransformer()
    rows = transformer.fit_transform([history(loss=[value]) for value in (0.5, 2.0, -np.inf)])
    assert transformer.plain_log_.all()
    np.testing.assert_allclose(rows[:, 0], np.log(2) * np.array([-1, 1, -3]))


def test_what_is_beyond_the_values_of_fit_is_clipped():
    transformer = LearningCurveTransformer().fit([history(loss=[1.0]), history(loss=[np.exp(2)])])
    values = [np.exp(3), np.exp(-1), 1e30, np.nan, 1e-30, 0.0, -1.0, -np.inf]
    rows = transformer.transform([history(loss=[value]) for value in values])
    np.testing.assert_allclose(rows[:, 0], [3, -1, 4, 4, -2, -2, -2, -2])
    assert [transformer.lower_, transformer.upper_] == [[-2], [4]]


@pytest.mark.parametrize("value", [np.nan, 0.0, 1.0])
def test_a_column_without_range_is_widened_by_one(value):
    transformer = LearningCurveTransformer().fit([history(loss=[value, value])])
    assert [transformer.lower_, transformer.upper_] == [[-1], [1]]
    assert transformer.transform([history(loss=[np.nan, 1.0])])[0, :2].tolist() == [1, 0]


def test_columns_by_default_are_the_numbers_that_all_have(nets):
    transformer = LearningCurveTransformer().fit(nets)
    assert sorted(transformer.keys_) == ["train_loss", "valid_acc", "valid_loss"]
    assert transformer.n_epochs_ == 2
    first = {"note": ["a", "b"], "sometimes": [None, 1.0], "best": [True, False]}
    first["beyond_all_floats"] = [1, 10**400]
    histories = [history(loss=[1.0, 2.0], only=[1, 2], **first), history(loss=[1.0, 2.0])]
    histories[0][0][7] = histories[0][1][7] = 7.0
    assert LearningCurveTransformer().fit(histories).keys_ == ["loss"]
    assert LearningCurveTransformer().fit(histories[:1]).keys_ == ["loss", "only"]


def test_values_are_those_of_the_history(nets):
    frame = frame_of(nets, keys=["valid_loss", "valid_acc"])
    assert frame.shape == (6, 2 * (2 + 4))
    for net, (_, row) in zip(nets, frame.iterrows(), strict=True):
        expected = np.log(net.history[:2, "valid_loss"])
        np.testing.assert_allclose(row[["valid_loss_epoch_1", "valid_loss_epoch_2"]], expected)
        assert row["valid_loss_lowest"] == min(expected)
        assert row["valid_loss_highest"] == max(expected)


def test_nets_histories_lists_and_pairs_give_the_same_rows(nets):
    transformer = LearningCurveTransformer().fit(nets)
    expected = transformer.transform(nets)
    histories = [net.history for net in nets]
    as_array = np.empty(6, dtype=object)
    as_array[:] = nets
    first_epochs = [entry[:2] for entry in histories]
    of_dicts = np.array(first_epochs, dtype=object)
    assert of_dicts.shape == (6, 2)
    pairs = [(net, make_net()) for net in nets]
    two_columns = np.array(pairs, dtype=object)
    for entries in (histories, as_array, first_epochs, of_dicts, pairs, two_columns):
        np.testing.assert_array_equal(transformer.transform(entries), expected)


def test_interrupted_epochs_are_left_out():
    stopped = History(history(epoch=[1, 2], loss=[4.0, 2.0], dur=[1.0, 1.0], batches=[[], []]))
    stopped.new_epoch()
    transformer = LearningCurveTransformer().fit([stopped])
    assert (transformer.n_epochs_, transformer.keys_) == (2, ["loss"])
    with pytest.raises(InvalidInputError, match="holds 2 of the n_epochs=3"):
        LearningCurveTransformer(3).fit([stopped])


def test_names_sort_by_epoch():
    transformer = LearningCurveTransformer(10, keys=["a", "b"])
    names = transformer.fit([history(a=range(1, 11), b=range(10))]).get_feature_names_out()
    assert names[[0, 9]].tolist() == ["a_epoch_01", "a_epoch_10"]
    assert names[10:15].tolist() == ["a_lowest", "a_highest", "a_change", "a_slope", "b_epoch_01"]


def test_clone_pickle_and_pandas(nets):
    transformer = LearningCurveTransformer(keys=("valid_loss",)).set_output(transform="pandas")
    frame = transformer.fit_transform(nets)
    assert list(frame.columns) == list(transformer.get_feature_names_out())
    assert frame.equals(pickle.loads(pickle.dumps(transformer)).transform(nets))
    assert clone(transformer).get_params()["keys"] == ("valid_loss",)
    assert not get_tags(transformer).input_tags.two_d_array


def test_beside_spectra_in_cross_validation_and_grid_search(nets):
    union = make_union(LyapunovSpectrumTransformer(X, n_points=4), LearningCurveTransformer())
    expected = LearningCurveTransformer().fit_transform(nets)
    np.testing.assert_array_equal(union.fit_transform(nets)[:, -expected.shape[1] :], expected)
    assert union.get_feature_names_out()[-1].startswith("learningcurvetransformer__")
    y = np.arange(6.0)
    assert np.isfinite(cross_val_score(make_pipeline(union, Ridge()), nets, y, cv=3)).all()
    grid = {"learningcurvetransformer__n_epochs": [1, 2]}
    pipeline = make_pipeline(LearningCurveTransformer(), Ridge())
    assert GridSearchCV(pipeline, grid, cv=3).fit(nets, y).predict(nets[:2]).shape == (2,)


def test_one_aelle_reads_change_and_learning_curves_of_pairs(nets):
    pairs = [(net, make_net(seed=seed)) for seed, net in enumerate(nets)]
    union = make_union(
        LyapunovSpectrumTransformer(X, features=["quantiles", "spread", "change"], n_points=4),
        LearningCurveTransformer(),
    )
    pipeline = make_pipeline(union, AeLLERegressor(latent_dim=2, max_epochs=2, random_state=0))
    assert np.isfinite(pipeline.fit(pairs, np.arange(6.0)).predict(pairs)).all()


def test_one_bad_network_never_loses_the_others(nets):
    untrained = make_net()
    mixed = [untrained, nets[0], history(train_loss=[1.0]), nets[1], history(loss=[1.0, 2.0])]
    transformer = LearningCurveTransformer(2, keys=["train_loss"], error_score=-1.0)
    message = r"3 of 5 networks.*network 0: .*holds 0.*network 2: .*holds 1.*network 4: keys"
    with pytest.warns(FailedNetworkWarning, match=message):
        rows = transformer.fit_transform(mixed)
    alone = LearningCurveTransformer(2, keys=["train_loss"]).fit_transform(nets[:2])
    np.testing.assert_array_equal(rows[[1, 3]], alone)
    assert (rows[[0, 2, 4]] == -1).all()
    assert [position for position, _ in transformer.failures_] == [0, 2, 4]
    transformer.transform(nets)
    assert transformer.failures_ == []


LOSS = history(loss=[2.0, 1.0])


@pytest.mark.parametrize(
    ("networks", "arguments", "error", "message"),
    [
        ([], {}, InvalidInputError, "X: got no networks"),
        (make_net(), {}, InvalidTypeError, "X: got NeuralNetClassifier"),
        (LOSS, {}, InvalidTypeError, r"^network 0: X: got dict.*\[net\]"),
        ([LOSS, 3], {}, InvalidTypeError, "^network 1: X: got int"),
        ([LOSS, None], {}, InvalidTypeError, "^network 1: X: got NoneType"),
        ([LOSS, torch.nn.GRU(1, 1)], {}, InvalidTypeError, "^network 1: X: got GRU"),
        (
            [LOSS, make_net()],
            {},
            InvalidInputError,
            "^network 1: X: .*holds 0 of the n_epochs=1",
        ),
        ([LOSS, []], {}, InvalidInputError, "^network 1: X: .*holds 0 of"),
        ([LOSS], {"n_epochs": 3}, InvalidInputError, "^network 0: .*holds 2 of the n_epochs=3"),
        ([LOSS], {"n_epochs": 0}, ValueError, "n_epochs"),
        ([LOSS], {"keys": ["acc"]}, InvalidInputError, "^network 0: keys: epoch 1 .*'acc'.*'loss'"),
        ([LOSS], {"keys": []}, InvalidInputError, r"keys: got \[\]"),
        ([LOSS], {"keys": ["loss", "loss"]}, InvalidInputError, "keys: got .*each once"),
        ([LOSS], {"keys": [3]}, InvalidInputError, r"keys: got \[3\]"),
        ([LOSS], {"keys": "loss"}, ValueError, "keys"),
        ([LOSS, history(acc=[1, 2])], {}, InvalidInputError, "keys: got None.*share no.*'loss'"),
        ([[], 3], {"error_score": 0.0}, InvalidInputError, "none of 2 networks.*network 0: X: "),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_refused(networks, arguments, error, message):
    with pytest.raises(error, match=message):
        LearningCurveTransformer(**arguments).fit(networks)


def test_a_net_that_was_never_initialised_has_no_epochs():
    net = make_net().__class__(torch.nn.GRU)
    with pytest.raises(InvalidInputError, match=r"network 0: X: .*holds 0 of"):
        LearningCurveTransformer().fit([net])


def test_a_shorter_history_than_in_fit_is_refused():
    transformer = LearningCurveTransformer().fit([LOSS])
    with pytest.raises(InvalidInputError, match=r"network 1: X: .*holds 1 of the n_epochs=2"):
        transformer.transform([LOSS, LOSS[:1]])
