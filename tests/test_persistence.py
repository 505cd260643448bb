"""Estimators come back from files as they were, and no file can run anything."""

import contextlib
import copy
import inspect
import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from functools import partial
from itertools import cycle, islice

import joblib
import numpy as np
import pytest
import sklearn
import skops.io
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import RandomForestRegressor, VotingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RepeatedStratifiedKFold
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from skops.io._audit import NODE_TYPE_MAPPING

import lyapsk
from lyapsk import (
    AeLLEClassifier,
    AeLLERegressor,
    LearningCurveTransformer,
    LyapunovSpectrumTransformer,
    SpectrumStatistics,
    lyapunov_spectrum,
)
from lyapsk._array_file import ArrayFile
from lyapsk._persistence import OWN_TYPES, Persistent, _sealed
from lyapsk.exceptions import (
    FailedNetworkWarning,
    InconsistentVersionWarning,
    InvalidInputError,
    InvalidTypeError,
    LyapskWarning,
)

RNG = np.random.default_rng(0)
SPECTRA = np.sort(RNG.normal(size=(30, 12)))[:, ::-1]
PERFORMANCE = SPECTRA[:, 0] - SPECTRA[:, 5] ** 2
CLASSES = np.where(np.median(PERFORMANCE) < PERFORMANCE, "learns", "fails")
SEQUENCES = RNG.normal(size=(2, 10, 1))
HISTORIES = [[{"loss": 1 / (1 + i * j)} for j in range(4)] for i in range(30)]


def layers(n_layers=6):
    torch.manual_seed(0)
    return [torch.nn.GRU(1, 3 + i % 3, batch_first=True) for i in range(n_layers)]


LAYERS = layers()
quick = partial(AeLLERegressor, max_epochs=3, random_state=0)
quick_classifier = partial(AeLLEClassifier, max_epochs=3, random_state=0)

ESTIMATORS = {
    "regressor": (quick(), SPECTRA, PERFORMANCE),
    "classifier": (quick_classifier(), SPECTRA, CLASSES),
    "classifier of objects": (quick_classifier(), SPECTRA, CLASSES.astype(object)),
    "paper's regressor": (quick(architecture="paper"), SPECTRA, PERFORMANCE),
    "paper's classifier": (quick_classifier(architecture="paper"), SPECTRA, CLASSES),
    "few rows": (quick(), SPECTRA[:5], PERFORMANCE[:5]),
    "random state and device": (
        quick(random_state=np.random.RandomState(3), device=torch.device("cpu")),
        SPECTRA,
        PERFORMANCE,
    ),
    "spectra": (LyapunovSpectrumTransformer(SEQUENCES), LAYERS, None),
    "statistics": (SpectrumStatistics(), SPECTRA, None),
    "curves": (LearningCurveTransformer(), HISTORIES, None),
    "pipeline": (
        make_pipeline(LyapunovSpectrumTransformer(SEQUENCES), StandardScaler(), quick()),
        LAYERS,
        PERFORMANCE[:6],
    ),
    "union": (make_union(SpectrumStatistics(), quick_classifier()), SPECTRA, CLASSES),
    "search": (
        GridSearchCV(
            make_pipeline(SpectrumStatistics(), quick()), {"aelleregressor__noise": [0.1]}, cv=2
        ),
        SPECTRA,
        PERFORMANCE,
    ),
    "search with a scoring and splits": (
        GridSearchCV(
            make_pipeline(quick_classifier(), LogisticRegression()),
            {"aelleclassifier__latent_dim": [2, 3]},
            scoring="roc_auc",
            cv=RepeatedStratifiedKFold(n_splits=2, n_repeats=1, random_state=0),
        ),
        SPECTRA,
        CLASSES,
    ),
    "search with scorings": (
        GridSearchCV(
            quick(), {"latent_dim": [2]}, scoring=["r2", "neg_max_error"], refit="r2", cv=2
        ),
        SPECTRA,
        PERFORMANCE,
    ),
    "ensemble": (VotingRegressor([("aelle", quick())]), SPECTRA, PERFORMANCE),
    "transformed": (
        TransformedTargetRegressor(quick(), func=np.exp, inverse_func=np.log),
        SPECTRA,
        PERFORMANCE,
    ),
}
each = pytest.mark.parametrize("name", ESTIMATORS)


@pytest.fixture(scope="module")
def fitted():
    """By name; each fitted once."""
    made = {}

    def of(name):
        if name not in made:
            estimator, X, y = ESTIMATORS[name]
            made[name] = copy.deepcopy(estimator).fit(X, y)
        return made[name]

    return of


def by_skops(estimator, directory):
    lyapsk.save(estimator, directory / "estimator.skops")
    return lyapsk.load(directory / "estimator.skops")


def by_joblib(estimator, directory):
    joblib.dump(estimator, directory / "estimator.joblib")
    return joblib.load(directory / "estimator.joblib")


def by_mapped_joblib(estimator, directory):
    joblib.dump(estimator, directory / "estimator.joblib")
    return joblib.load(directory / "estimator.joblib", mmap_mode="r")


WAYS = {
    "skops": by_skops,
    "pickle": lambda estimator, directory: pickle.loads(pickle.dumps(estimator)),
    "joblib": by_joblib,
    "mapped": by_mapped_joblib,
}
ways = pytest.mark.parametrize("way", WAYS)

METHODS = ("transform", "predict", "predict_proba", "reconstruction_error", "score_samples")


def outputs(estimator, X):
    """All that an estimator says of rows."""
    found = {name: getattr(estimator, name)(X) for name in METHODS if hasattr(estimator, name)}
    if isinstance(estimator, AeLLERegressor):
        found["spread"] = estimator.predict(X, return_std=True)[1]
    if hasattr(estimator, "inverse_transform"):
        found["decoded"] = estimator.inverse_transform(found["transform"])
    return found


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert one[name].dtype == other[name].dtype
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_no_estimator_is_forgotten():
    public = {getattr(lyapsk, name) for name in lyapsk.__all__}
    estimators = {found for found in public if hasattr(found, "fit")}
    assert estimators <= {type(estimator) for estimator, _, _ in ESTIMATORS.values()}
    assert all(issubclass(estimator, Persistent) for estimator in estimators)


def test_trusted_types_are_there_and_are_classes():
    for name in OWN_TYPES:
        module, _, type_name = name.rpartition(".")
        assert isinstance(getattr(sys.modules[module], type_name), type), name


@each
@ways
def test_fitted_estimators_give_the_same_numbers(name, way, fitted, tmp_path):
    X, estimator = ESTIMATORS[name][1], fitted(name)
    before = outputs(estimator, X)
    loaded = WAYS[way](estimator, tmp_path)
    assert type(loaded) is type(estimator)
    assert_same(before, outputs(loaded, X))
    assert_same(before, outputs(estimator, X))
    assert len(list(tmp_path.iterdir())) <= 1


@ways
def test_requests_for_weights_are_kept(way, tmp_path):
    X = np.random.default_rng(0).normal(size=(20, 3))
    with sklearn.config_context(enable_metadata_routing=True):
        aelle = clone(AeLLERegressor(max_epochs=1).set_fit_request(sample_weight=True))
        for estimator in (aelle, clone(aelle).fit(X, X[:, 0])):
            loaded = WAYS[way](estimator, tmp_path)
            assert loaded.get_metadata_routing().fit.requests == {"sample_weight": True}
            assert "AeLLERegressor(" not in repr(vars(loaded)["_metadata_request"].owner)


@each
@ways
def test_estimators_that_are_not_fitted_keep_their_parameters(name, way, tmp_path):
    estimator, X, y = ESTIMATORS[name]
    loaded = WAYS[way](estimator, tmp_path)
    before, after = estimator.get_params(), loaded.get_params()
    assert before.keys() == after.keys()
    assert all(
        (type(value), repr(value)) == (type(after[key]), repr(after[key]))
        for key, value in before.items()
        if isinstance(value, str | float | int | tuple | torch.device | None)
    )
    for method in ("predict", "transform"):
        if hasattr(loaded, method):
            with pytest.raises((NotFittedError, AttributeError)):
                getattr(loaded, method)(X)
    first, second = (copy.deepcopy(e).fit(X, y) for e in (estimator, loaded))
    assert_same(outputs(first, X), outputs(second, X))


def test_saved_again_it_is_still_the_same(fitted, tmp_path):
    estimator = fitted("regressor")
    loaded = by_skops(by_skops(estimator, tmp_path), tmp_path)
    assert_same(outputs(estimator, SPECTRA), outputs(loaded, SPECTRA))


def test_pickles_hold_arrays_and_no_tensors(fitted):
    for name in ("regressor", "paper's classifier", "random state and device"):
        assert b"torch._utils" not in pickle.dumps(fitted(name))
        assert b"torch.storage" not in pickle.dumps(fitted(name))


def test_weights_are_held_bit_for_bit(fitted, tmp_path):
    for name in ("regressor", "paper's regressor"):
        expected = fitted(name).members_.state_dict()
        for way in WAYS.values():
            members = way(fitted(name), tmp_path).members_
            found = members.state_dict()
            assert found.keys() == expected.keys()
            assert all(torch.equal(found[key], expected[key]) for key in expected)
            assert all(found[key].dtype == expected[key].dtype for key in expected)
            assert not members.training
            assert not any(weight.requires_grad for weight in members.parameters())


def test_loading_draws_no_random_numbers(fitted, tmp_path):
    state = torch.get_rng_state()
    for way in WAYS.values():
        way(fitted("regressor"), tmp_path)
    assert torch.equal(torch.get_rng_state(), state)


def test_failures_come_along(tmp_path):
    transformer = LyapunovSpectrumTransformer(SEQUENCES, error_score=-1.0)
    with pytest.warns(FailedNetworkWarning):
        transformer.fit([*LAYERS[:2]]).transform([*LAYERS[:2], torch.nn.GRU(2, 3)])
    (position, cause), *others = by_skops(transformer, tmp_path).failures_
    assert (position, others) == (2, [])
    assert type(cause) is type(transformer.failures_[0][1])
    assert str(cause) == str(transformer.failures_[0][1])


def test_spectra_and_collections_of_them(tmp_path):
    spectra = [lyapunov_spectrum(layer, SEQUENCES, keep="growth") for layer in LAYERS[:2]]
    loaded = by_skops({"spectra": spectra, "rows": (1, 2.5)}, tmp_path)
    assert loaded["rows"] == (1, 2.5)
    for one, other in zip(spectra, loaded["spectra"], strict=True):
        assert repr(one) == repr(other)
        np.testing.assert_array_equal(one.growth, other.growth)
        np.testing.assert_array_equal(one.confidence_interval(), other.confidence_interval())


class Driven(torch.nn.Module):
    """Takes its inputs by name."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.GRU(1, 3, batch_first=True)

    def forward(self, signal, gain):
        return self.layer(gain * signal)


SIGNAL = SEQUENCES.astype(np.float32)
ARRAYS = {
    "list": (SIGNAL.tolist(), LAYERS),
    "ragged": ([SIGNAL[0], SIGNAL[1, :7]], LAYERS),
    "single precision": (SIGNAL, LAYERS),
    "columns first": (np.asfortranarray(SEQUENCES), LAYERS),
    "strided": (SEQUENCES[:, ::2], LAYERS),
    "dict": ({"signal": SIGNAL, "gain": np.float32([[[2]], [[3]]])}, [Driven(), Driven()]),
}
TENSORS = {
    "tensor": (torch.tensor(SEQUENCES), LAYERS),
    "transposed": (torch.tensor(SEQUENCES.swapaxes(0, 1).copy()).transpose(0, 1), LAYERS),
    "half": (torch.tensor(SEQUENCES).half(), LAYERS),
    "dict": (
        {"signal": torch.tensor(SIGNAL), "gain": torch.tensor([[[2.0]], [[3.0]]])},
        [Driven(), Driven()],
    ),
    "list": ([torch.tensor(SIGNAL[0]), torch.tensor(SIGNAL[1, :7])], LAYERS),
}


def assert_same_rows(transformer, loaded, networks):
    assert type(loaded.sequences) is type(transformer.sequences)
    assert_same(outputs(transformer, networks), outputs(loaded, networks))


@pytest.mark.parametrize("way", ["skops", "pickle", "joblib"])
@pytest.mark.parametrize("kind", ARRAYS)
def test_sequences_come_along(kind, way, tmp_path):
    sequences, networks = ARRAYS[kind]
    transformer = LyapunovSpectrumTransformer(sequences).fit(networks)
    assert_same_rows(transformer, WAYS[way](transformer, tmp_path), networks)


@pytest.mark.parametrize("way", ["skops", "pickle", "joblib"])
@pytest.mark.parametrize("kind", TENSORS)
def test_tensors_come_along(kind, way, tmp_path):
    sequences, networks = TENSORS[kind]
    transformer = LyapunovSpectrumTransformer(sequences).fit(networks)
    assert_same_rows(transformer, WAYS[way](transformer, tmp_path), networks)


class Held(Persistent, BaseEstimator):
    """An estimator that holds whatever it is given."""

    def __init__(self, held=None):
        self.held = held


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor([[1.5, -0.0, torch.nan], [torch.inf, 2, 3]]),
        torch.arange(6.0).reshape(2, 3).T,
        torch.tensor(3, dtype=torch.int16),
        torch.zeros(0, 3),
        torch.tensor([True, False]),
        torch.tensor([1.5, 2]).bfloat16(),
        torch.ones(2, requires_grad=True),
    ],
)
def test_state_holds_tensors_as_arrays(tensor):
    held = Held({"a": [tensor, (tensor, 1)], 2: torch.float32, "b": torch.device("cuda:1")})
    for loaded in (pickle.loads(pickle.dumps(held)), copy.deepcopy(held)):
        found, (same, one) = loaded.held["a"]
        assert (one, loaded.held[2], loaded.held["b"]) == (1, torch.float32, torch.device("cuda:1"))
        for copied in (found, same):
            assert copied.dtype == tensor.dtype
            assert copied.shape == tensor.shape
            assert copied.stride() == tensor.stride() or tensor.numel() == 0
            assert torch.allclose(copied, tensor.detach(), rtol=0, atol=0, equal_nan=True)
    has_array = tensor.dtype != torch.bfloat16
    assert (b"torch._utils" in pickle.dumps(held)) != has_array


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("way", ["skops", "pickle", "joblib"])
def test_fitted_on_a_gpu_it_loads_without_one(way, tmp_path):
    aelle = quick(device="cuda").fit(SPECTRA, PERFORMANCE)
    np.save(tmp_path / "rows.npy", SPECTRA)
    np.save(tmp_path / "expected.npy", aelle.predict(SPECTRA))
    WAYS[way](aelle, tmp_path)
    code = f"""
        import joblib, numpy, pathlib, pickle, torch, lyapsk
        assert not torch.cuda.is_available()
        read = {{
            "skops": lambda: lyapsk.load("estimator.skops"),
            "pickle": lambda: pickle.loads(pathlib.Path("estimator.pickle").read_bytes()),
            "joblib": lambda: joblib.load("estimator.joblib"),
        }}[{way!r}]
        predicted = read().predict(numpy.load("rows.npy"))
        numpy.testing.assert_array_equal(predicted, numpy.load("expected.npy"))
    """
    (tmp_path / "estimator.pickle").write_bytes(pickle.dumps(aelle))
    run_alone(code, tmp_path, CUDA_VISIBLE_DEVICES="")


def run_alone(code, directory, **environment):
    """Run code in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-c", inspect.cleandoc(code)],
        cwd=directory,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def test_a_fresh_process_loads_the_same_numbers(fitted, tmp_path):
    np.save(tmp_path / "rows.npy", SPECTRA)
    np.save(tmp_path / "expected.npy", fitted("classifier").predict_proba(SPECTRA))
    lyapsk.save(fitted("classifier"), tmp_path / "classifier.skops")
    code = """
        import lyapsk, numpy
        probabilities = lyapsk.load("classifier.skops").predict_proba(numpy.load("rows.npy"))
        numpy.testing.assert_array_equal(probabilities, numpy.load("expected.npy"))
    """
    run_alone(code, tmp_path)


@pytest.mark.parametrize(
    ("estimator", "named"),
    [
        (LyapunovSpectrumTransformer(SEQUENCES, module=quick), "functools.partial"),
        (LyapunovSpectrumTransformer(SEQUENCES, module=layers), r"\.layers'"),
        (make_pipeline(SpectrumStatistics(), Held()), r"\.Held"),
        (
            make_pipeline(RandomForestRegressor(n_estimators=1).fit(SPECTRA, PERFORMANCE)),
            "sklearn.tree._tree.Tree",
        ),
        (LyapunovSpectrumTransformer(SEQUENCES, memory=joblib.Memory(None)), "joblib.memory"),
        ([LAYERS[0]], "Tensor"),
        ({None: 1}, "NoneType"),
    ],
)
def test_what_would_not_load_is_not_saved(estimator, named, tmp_path):
    path = tmp_path / "estimator.skops"
    path.write_text("as it was")
    with pytest.raises(InvalidInputError, match=rf"estimator: .*pickle or joblib.*\(.*{named}"):
        lyapsk.save(estimator, path)
    assert path.read_text() == "as it was"
    assert list(tmp_path.iterdir()) == [path]


def test_a_path_that_cannot_be_written_is_told(tmp_path):
    for path in (tmp_path, tmp_path / "missing" / "estimator.skops"):
        with pytest.raises(OSError, match=f"path: {path} cannot be written: .*Give the path"):
            lyapsk.save(quick(), path)
    assert not list(tmp_path.iterdir())


def test_types_that_are_not_trusted_are_named(tmp_path):
    path = tmp_path / "estimator.skops"
    path.write_bytes(_sealed(skops.io.dumps([Held(), layers])))
    with pytest.raises(InvalidInputError) as error:
        lyapsk.load(path)
    for part in (str(path), "skops.io.load(", "trusted=[...]", ".Held'", ".layers'"):
        assert part in str(error.value)


def test_skops_itself_reads_the_file(fitted, tmp_path):
    path = tmp_path / "estimator.skops"
    lyapsk.save(fitted("regressor"), path)
    assert {*skops.io.get_untrusted_types(file=path)} <= {*OWN_TYPES}
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.comment.startswith(f"lyapsk {lyapsk.__version__} ".encode())
    loaded = skops.io.load(path, trusted=[*OWN_TYPES])
    assert_same(outputs(fitted("regressor"), SPECTRA), outputs(loaded, SPECTRA))


@pytest.mark.parametrize(
    ("wrote", "reads", "warns"),
    [
        ("0.1.0", "0.1.0", False),
        ("0.1.0", "0.1.7", False),
        ("0.1.7", "0.1.0", True),
        ("0.1.0", "0.2.0", True),
        ("0.9.0", "0.10.0", True),
        ("0.2.0.dev1", "0.1.0", True),
        ("1.0.0", "0.1.0", True),
        ("0.1.0", "1.0.0", True),
    ],
)
@ways
def test_versions_that_may_differ_are_told(wrote, reads, warns, way, fitted, tmp_path, monkeypatch):
    def read_later(read):
        def reading(*args, **kwargs):
            monkeypatch.setattr("lyapsk._persistence.__version__", reads)
            return read(*args, **kwargs)

        return reading

    monkeypatch.setattr("lyapsk._persistence.__version__", wrote)
    for module, name in ((lyapsk, "load"), (pickle, "loads"), (joblib, "load")):
        monkeypatch.setattr(module, name, read_later(getattr(module, name)), raising=False)
    told = pytest.warns(InconsistentVersionWarning) if warns else contextlib.nullcontext()
    with told as warned:
        loaded = WAYS[way](fitted("regressor"), tmp_path)
    assert_same(outputs(fitted("regressor"), SPECTRA), outputs(loaded, SPECTRA))
    if warns:
        (message,) = (str(warning.message) for warning in warned)
        assert f"written by lyapsk {wrote} and is read by lyapsk {reads}" in message
        assert f"Install lyapsk {wrote}" in message
        assert warned[0].filename == __file__ or way in ("joblib", "mapped")


def test_a_state_without_a_version_is_told():
    with pytest.warns(InconsistentVersionWarning, match="written by lyapsk 0 "):
        quick().__setstate__(vars(quick()))


@pytest.mark.parametrize(("found", "advice"), [(None, "pip install"), ("0.14.9", "0.15 or newer")])
def test_skops_that_is_missing_or_old_is_told(found, advice, tmp_path, monkeypatch):
    if found is None:
        monkeypatch.setitem(sys.modules, "skops", None)
        monkeypatch.delitem(sys.modules, "skops.io")
    else:
        monkeypatch.setattr("skops.__version__", found)
    for call in (lambda: lyapsk.save(quick(), tmp_path / "x"), lambda: lyapsk.load(tmp_path / "x")):
        with pytest.raises(ImportError, match=rf'{advice}.*"lyapsk\[skops\]"'):
            call()
    assert not list(tmp_path.iterdir())


# Files that are damaged.


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The bytes of a small file, and what its estimator says."""
    aelle = quick(2, n_members=1, hidden_dim=2).fit(SPECTRA[:5, :3], PERFORMANCE[:5])
    path = tmp_path_factory.mktemp("small") / "aelle.skops"
    lyapsk.save(aelle, path)
    return path.read_bytes(), outputs(aelle, SPECTRA[:, :3])


@pytest.fixture
def refuses(tmp_path):
    """Assert that some bytes are refused as a file."""

    def check(content, match="path: .*estimator.skops"):
        path = tmp_path / "estimator.skops"
        path.write_bytes(content)
        with pytest.raises(InvalidInputError, match=match):
            lyapsk.load(path)

    return check


@pytest.fixture
def attempt(tmp_path):
    """Load some bytes as a file and predict, unless they are refused."""

    def load_and_use(content):
        (tmp_path / "estimator.skops").write_bytes(content)
        with contextlib.suppress(InvalidInputError):
            loaded = lyapsk.load(tmp_path / "estimator.skops")
            with contextlib.suppress(Exception):
                loaded.predict(SPECTRA[:, :3], return_std=True)

    return load_and_use


def test_a_flipped_byte_is_found_out(small, refuses):
    content, _ = small
    rng = np.random.default_rng(1)
    places = rng.choice(len(content), 100, replace=False).tolist() + [*range(-110, 0)]
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= int(rng.integers(1, 256))
        refuses(bytes(damaged))


def test_a_file_that_is_cut_off_or_goes_on_is_found_out(small, refuses):
    content, _ = small
    for length in np.linspace(0, len(content) - 1, 30, dtype=int):
        refuses(content[:length], match="or not all of it")
    refuses(content + b"\n")
    refuses(content[:-64] + b"0" * 64, match=r"of lyapsk 0\.1\.0, is damaged")


def test_a_file_as_it_was_saved_is_not_refused(small, tmp_path):
    content, expected = small
    (tmp_path / "x").write_bytes(content)
    assert_same(outputs(lyapsk.load(str(tmp_path / "x")), SPECTRA[:, :3]), expected)


def test_other_files_are_refused(fitted, refuses, tmp_path):
    for content in (b"", b"text", pickle.dumps(fitted("statistics")), b"PK\x05\x06" + bytes(18)):
        refuses(content, match="no file that lyapsk.save wrote")
    refuses(skops.io.dumps(fitted("statistics")), match="no file that lyapsk.save wrote")
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InvalidInputError, match=f"path: {path} cannot be read: .* a file"):
            lyapsk.load(path)


# Files that are hostile: they try to leave a mark.


class Crafted:
    """Makes a directory when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def mark(tmp_path, monkeypatch):
    """What no test may leave behind; importing the module ``crafted`` leaves it too."""
    mark = tmp_path / "mark"
    (tmp_path / "crafted.py").write_text(f"import os\nos.mkdir({str(mark)!r})\nThing = dict\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield mark
    sys.modules.pop("crafted", None)
    assert not mark.exists()


def test_crafted_things_leave_a_mark_where_they_are_let(tmp_path):
    pickle.loads(pickle.dumps(Crafted(tmp_path / "mark")))
    assert (tmp_path / "mark").exists()


def crafted_contents(mark):
    """Crafted pickles as they are, as arrays of objects, and as archives of those."""
    crafted = np.array([Crafted(mark)], dtype=object)
    array, archive = io.BytesIO(), io.BytesIO()
    np.save(array, crafted, allow_pickle=True)
    np.savez(archive, format=crafted, data=crafted)
    torch_file = io.BytesIO()
    torch.save(Crafted(mark), torch_file)
    contents = [pickle.dumps(Crafted(mark), protocol) for protocol in range(6)]
    return [*contents, array.getvalue(), archive.getvalue(), torch_file.getvalue()]


def members_of(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def as_file(members):
    """A file that lyapsk might have written, but for what is in it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return _sealed(content.getvalue())


def test_a_pickle_in_any_member_is_not_run(small, mark, refuses, attempt):
    members = members_of(small[0])
    assert "schema.json" in members
    assert len(members) > 10
    for content in crafted_contents(mark):
        refuses(content)
        refuses(_sealed(content + bytes(22)))
        refuses(as_file(members | {"schema.json": content}))
        for name in members:
            attempt(as_file(members | {name: content}))


def text(value):
    return {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": json.dumps(value),
    }


def sequence(kind, nodes):
    loader = f"{kind.title()}Node"
    return {
        "__class__": kind,
        "__module__": "builtins",
        "__loader__": loader,
        "content": nodes,
    }


def calls(mark):
    """Module, name and arguments of calls that would leave a mark."""
    code = f"__import__('os').mkdir({str(mark)!r})"
    pickled = mark.with_name("crafted.pkl")
    pickled.write_bytes(pickle.dumps(Crafted(mark)))
    script = mark.with_name("crafted.py")
    return [
        ("os", "system", [f"mkdir {mark}"]),
        ("posix", "system", [f"mkdir {mark}"]),
        ("os", "mkdir", [str(mark)]),
        ("builtins", "exec", [code]),
        ("builtins", "eval", [code]),
        ("builtins", "open", [str(mark), "w"]),
        ("builtins", "__import__", ["crafted"]),
        ("importlib", "import_module", ["crafted"]),
        ("runpy", "run_path", [str(script)]),
        ("subprocess", "check_call", [["mkdir", str(mark)]]),
        ("operator", "methodcaller", ["mkdir", str(mark)]),
        ("operator", "call", [str(mark)]),
        ("functools", "partial", [str(mark)]),
        ("pathlib.Path", "mkdir", [str(mark)]),
        ("joblib", "load", [str(pickled)]),
        ("pandas", "read_pickle", [str(pickled)]),
        ("torch", "load", [str(pickled)]),
        ("lyapsk._files", "writable_directory", ["path", str(mark)]),
        ("lyapsk.nets._saved", "opened", [str(pickled), None, True]),
        ("lyapsk.transformers._spectrum", "os.mkdir", [str(mark)]),
        ("lyapsk.aelle._base", "np.load", [str(pickled)]),
        ("crafted", "Thing", []),
    ]


def nodes(loader, module, name, arguments):
    """Whatever might make one kind of skops' nodes call a function."""
    arguments = sequence("tuple", [text(argument) for argument in arguments])
    function = {"__module__": module, "__class__": name}
    contents = [
        arguments,
        arguments["content"],
        {"attrs": arguments},
        {
            "func": function | {"__loader__": "FunctionNode"},
            "args": arguments,
            "kwds": sequence("dict", {}) | {"key_types": sequence("list", [])},
            "namespace": text(None),
        },
        {"obj": function | {"__loader__": "ObjectNode", "content": arguments}, "func": "__call__"},
        {"main": arguments, "default_factory": function | {"__loader__": "TypeNode"}},
        {"data": arguments, "mask": arguments, "bit_generator": arguments, "seed_seq": arguments},
        {"start": 1, "stop": 2, "step": 3},
        "[]",
        None,
    ]
    for content in contents:
        yield function | {
            "__loader__": loader,
            "__reduce__": {"args": arguments},
            "attrs": arguments,
            "content": content,
            "key_types": sequence("list", [function | {"__loader__": "TypeNode"}]),
            "type": "json",
            "shape": arguments,
            "file": "schema.json",
        }


LOADERS = sorted({loader for loader, _ in NODE_TYPE_MAPPING})


@pytest.mark.parametrize("loader", LOADERS)
def test_no_kind_of_node_calls_a_function_or_imports_a_module(loader, mark, refuses, attempt):
    protocols = cycle({protocol for _, protocol in NODE_TYPE_MAPPING})
    check = attempt if loader in ("JsonNode", "SliceNode") else refuses
    for call in calls(mark):
        for node, protocol in zip(nodes(loader, *call), protocols, strict=False):
            check(as_file({"schema.json": json.dumps(node | {"protocol": protocol})}))
    assert "crafted" not in sys.modules


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_no_generator_calls_a_function_of_numpy(protocol, mark, refuses, monkeypatch):
    monkeypatch.setattr(np.random, "crafted", lambda _: os.mkdir(mark), raising=False)
    members = members_of(skops.io.dumps(np.random.default_rng(0)))
    schema = members["schema.json"].replace(b"PCG64", b"crafted")
    schema = json.dumps(json.loads(schema) | {"protocol": protocol})
    refuses(as_file(members | {"schema.json": schema}))


def parts_of(schema):
    """All nodes of a schema."""
    if isinstance(schema, dict):
        yield from [schema] if "__loader__" in schema else []
        schema = [*schema.values()]
    for part in schema if isinstance(schema, list) else []:
        yield from parts_of(part)


def test_our_own_types_in_a_crafted_state_run_nothing(small, mark, attempt):
    members = members_of(small[0])
    functions = (node for call in calls(mark) for node in nodes("FunctionNode", *call))
    plain = [text(1), text("x"), text([1]), text(None), sequence("list", [])]
    poisons = cycle([*plain, *islice(functions, 0, None, 40)])
    schema = members["schema.json"]
    for position in range(1, len([*parts_of(json.loads(schema))])):
        for poison in islice(poisons, 3):
            poisoned = json.loads(schema)
            node = [*parts_of(poisoned)][position]
            node.clear()
            node.update(poison)
            attempt(as_file(members | {"schema.json": json.dumps(poisoned)}))


def test_no_file_gives_leave_to_unpickle(mark, tmp_path):
    pickled = tmp_path / "net.pkl"
    pickled.write_bytes(pickle.dumps(Crafted(mark)))
    transformer = LyapunovSpectrumTransformer(SEQUENCES, trusted=True, memory=str(tmp_path / "m"))
    array = np.ma.MaskedArray([transformer, None], mask=[True, False], dtype=object)
    for held in (
        transformer,
        make_pipeline(transformer, quick(), memory=str(tmp_path / "m")),
        GridSearchCV(make_pipeline(transformer), {}),
        {"a": [(np.array([[transformer]], dtype=object),)]},
        {"a": array},
    ):
        loaded = by_skops(held, tmp_path)
        assert "trusted=True" not in repr(loaded)
        assert "memory='" not in repr(loaded)
    assert transformer.trusted
    loaded = by_skops(make_pipeline(transformer, quick()), tmp_path)
    with pytest.raises(InvalidInputError, match=r"net\.pkl.*trusted=True"):
        loaded.fit([pickled] * 3, PERFORMANCE[:3])
    assert not (tmp_path / "m").exists()


# The other files that lyapsk reads.


def test_a_pickle_for_arrays_is_not_run(mark, tmp_path):
    path = tmp_path / "arrays.safetensors"
    for content in crafted_contents(mark):
        path.write_bytes(content)
        with pytest.warns(LyapskWarning, match="is damaged: made anew"):
            assert ArrayFile(path, "some").read("made anew") is None


def test_a_pickle_for_a_spectrum_that_is_kept_is_not_run(mark, tmp_path):
    transformer = LyapunovSpectrumTransformer(SEQUENCES, memory=tmp_path / "memory")
    rows = transformer.fit_transform(LAYERS[:1])
    (path,) = (tmp_path / "memory").rglob("*.safetensors")
    for content in crafted_contents(mark):
        path.write_bytes(content)
        with pytest.warns(LyapskWarning, match="is damaged"):
            np.testing.assert_array_equal(transformer.transform(LAYERS[:1]), rows)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth", ".pkl", ".pickle", ".joblib"])
@pytest.mark.parametrize("module", [None, lambda metadata: torch.nn.GRU(1, 3)])
def test_a_pickle_for_a_network_is_not_run(suffix, module, mark, tmp_path):
    path = tmp_path / f"net{suffix}"
    transformer = LyapunovSpectrumTransformer(SEQUENCES, module=module)
    for content in crafted_contents(mark):
        path.write_bytes(content)
        with pytest.raises(InvalidInputError, match=f"net{suffix}"):
            transformer.fit_transform([path])


def test_paths_that_are_none(fitted):
    with pytest.raises(InvalidTypeError, match="path: got None"):
        lyapsk.load(None)
    with pytest.raises(InvalidTypeError, match="path: got 3"):
        lyapsk.save(fitted("statistics"), 3)
    with pytest.raises(OSError, match=r"path: \. cannot be written"):
        lyapsk.save(fitted("statistics"), ".")
