"""Inputs of every kind to the public entries: a clear error, or what a plain array gives."""

import inspect
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, partial

import numpy as np
import pandas as pd
import torch
from helpers import LAYERS, dense_jacobians, growth_of, make_layer
from hypothesis import reject
from hypothesis import strategies as st
from skorch import NeuralNetClassifier

from lyapsk import (
    AeLLEClassifier,
    AeLLERegressor,
    GradientAlignmentScorer,
    LearningCurveTransformer,
    LyapunovSpectrumTransformer,
    SpectrumStatistics,
    lyapunov_spectrum,
)
from lyapsk.spectrum import initial_frame
from lyapsk.tasks import SequenceNetwork

from .outcome import attempted, drawn, wrong

try:
    import polars as pl
except ImportError:
    pl = None


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def twice(array):
    return np.repeat(array, 2, axis=-1)


def tupled(array):
    return tuple(map(tupled, array)) if array.ndim else array.item()


def frames(frame, series):
    """Make data frames of the last two axes, in lists; a series of a single axis."""

    def make(array):
        if array.ndim > 2:
            return [make(part) for part in array]
        return series(array) if array.ndim == 1 else frame(array)

    return make


EVERYWHERE = {
    "array": np.array,
    "read-only": read_only,
    "strided": lambda array: twice(array)[..., ::2],
    "reversed": lambda array: array[::-1].copy()[::-1],
    "Fortran order": np.asfortranarray,
    "list": np.ndarray.tolist,
    "tuple": tupled,
}
"""Containers that must be taken wherever a plain array is."""

CONTAINERS = EVERYWHERE | {
    "other byte order": lambda array: array.astype(array.dtype.newbyteorder()),
    "list of arrays": list,
    "tensor": torch.tensor,
    "strided tensor": lambda array: torch.tensor(twice(array))[..., ::2],
    "tensor with grad": lambda array: torch.tensor(array, requires_grad=True),
    "list of tensors": lambda array: [torch.tensor(row) for row in array],
    "sparse tensor": lambda array: torch.tensor(array).to_sparse(),
    "object array": lambda array: array.astype(object),
    "generator": lambda array: (row for row in array),
    "dict": lambda array: dict(enumerate(array)),
    "memoryview": memoryview,
    "pandas": frames(pd.DataFrame, pd.Series),
    "pandas, nullable": frames(
        lambda array: pd.DataFrame(array).convert_dtypes(),
        lambda array: pd.Series(array).convert_dtypes(),
    ),
    **({"polars": frames(pl.DataFrame, pl.Series)} if pl else {}),
}

REAL = ("f8", "f4", "f2", "i8", "i1", "u1")
DTYPES = (*REAL, "u2", "u8", "?", "g", "c16", "U8", "M8[s]")


def with_first(value):
    def put(array):
        array = array.copy()
        array.reshape(-1)[:1] = value
        return array

    return put


SPOILS = {
    "NaN": with_first(np.nan),
    "infinity": with_first(np.inf),
    "minus infinity": with_first(-np.inf),
    "a huge number": with_first(1e300),
    "huge numbers": lambda array: array * 1e300,
    "a subnormal number": with_first(1e-310),
    "tiny numbers": lambda array: array * 1e-300,
    "zeros": np.zeros_like,
    "no rows": lambda array: array[:0],
    "one row": lambda array: array[:1],
    "no columns": lambda array: array[..., :0],
    "nothing in the second axis": lambda array: array[:, :0],
    "one axis more": lambda array: array[None],
    "one axis less": lambda array: array[0],
    "twice the columns": twice,
    "a single number": lambda array: array.reshape(-1)[0],
}


@dataclass(frozen=True)
class Given:
    """Numbers as a user may pass them.

    Attributes
    ----------
    plain : ndarray
        As a plain array of doubles.
    data : object
        In some container.
    sound : bool
        Whether the container must be taken.
    told : str
    """

    plain: np.ndarray
    data: object
    sound: bool
    told: str

    def __repr__(self):
        return self.told


@st.composite
def numbers(draw, make, dtypes=REAL):
    """Numbers as ``make(rng)`` gives them, as they are or spoiled, in any container."""
    seed = draw(st.integers(0, 999))
    spoil = draw(st.none() | st.sampled_from(list(SPOILS)))
    container = draw(st.sampled_from(list(CONTAINERS)))
    dtype = draw(st.sampled_from(dtypes) | st.sampled_from(DTYPES))
    values = make(np.random.default_rng(seed))
    ndim = values.ndim
    try:
        with np.errstate(all="ignore"):
            values = np.asarray(SPOILS[spoil](values) if spoil else values)
            array = values.astype("i8" if dtype == "M8[s]" else values.dtype).astype(dtype)
        data = CONTAINERS[container](array)
    except (TypeError, IndexError, RuntimeError, ValueError):
        reject()  # This container cannot hold such numbers.
    sound = container in EVERYWHERE and dtype in dtypes and array.ndim == ndim
    plain = (array.real if dtype == "c16" else array).astype(float)
    told = f"{container} of {dtype}" + (f" with {spoil}" if spoil else "") + f", seed {seed}"
    return Given(plain, data, sound, told)


def compared(entry, *data, plainly=None):
    """What is wrong with an entry, from data to arrays, on data as they are given.

    ``plainly`` is the entry for plain arrays, where that is another; any container may be refused
    then.
    """
    expected = attempted(plainly or entry, *(given.plain for given in data))
    found = attempted(entry, *(given.data for given in data))
    sound = plainly is None and all(given.sound for given in data)
    return wrong(found, expected, must_work=sound and not isinstance(expected, Exception))


def fuzz(entry, *strategies, plainly=None):
    """The fault of numbers of every kind for an entry."""

    def fault(n_cases, directory, seed):
        def case(data):
            return compared(entry, *data, plainly=plainly)

        return drawn(case, st.tuples(*strategies), n_cases, seed)

    return fault


# Spectra


def sequences(rng):
    return 2 * rng.normal(size=(2, 6, 3))


@st.composite
def problems(draw):
    """A layer, sequences for it, and options."""
    option = {"n_steps": [None, 3, 9], "warmup": [0, 2], "dtype": ["float64", "float32"]}
    drawn_options = {name: draw(st.sampled_from(values)) for name, values in option.items()}
    return draw(st.sampled_from(sorted(LAYERS))), draw(numbers(sequences)), drawn_options


def spectrum_inputs(n_cases, directory, seed):
    """``lyapunov_spectrum`` beside the textbook's products of dense Jacobians."""

    def case(problem):
        name, given, options = problem
        layer = make_layer(name)

        def entry(data):
            return [lyapunov_spectrum(layer, data, method="qr", **options).per_sequence]

        return compared(entry, given) or beside_textbook(layer, given.plain)

    return drawn(case, problems(), n_cases, seed)


def beside_textbook(layer, X):
    """What is wrong with exponents along a plain array."""
    spectrum = attempted(partial(lyapunov_spectrum, method="qr"), layer, X)
    if isinstance(spectrum, Exception):
        return None
    n = spectrum.state_size
    frame = initial_frame(n, n, seed=0, dtype=torch.float64, device="cpu").mT
    start = torch.zeros(n, dtype=torch.float64)
    J = [dense_jacobians(layer, x, start) for x in torch.tensor(X if X.ndim == 3 else X[None])]
    noise = 1e-13 * torch.randn(n, n, generator=torch.Generator().manual_seed(0))
    growth, shaken = (np.array([growth_of(own + by, frame) for own in J]) for by in (0, noise))
    # Where rounding errors decide, the textbook knows no more than we.
    known = np.isclose(growth, shaken, atol=1e-8).all(axis=(0, 1))
    own = spectrum.per_sequence
    expected, known = growth.mean(1)[:, spectrum.order], known[spectrum.order]
    return wrong([own[:, known], np.isnan(own).any()], [expected[:, known], False], atol=1e-7)


OF_OBJECTS = {
    "list": list,
    "tuple": tuple,
    "object array": lambda entries: as_objects(entries),
    "column of objects": lambda entries: as_objects(entries)[:, None],
    "deque": deque,
    "generator": iter,
    "dict": lambda entries: dict(enumerate(entries)),
    "pandas": lambda entries: pd.Series(entries, dtype=object),
    "nested": lambda entries: [entries],
    "a single one": lambda entries: entries[0],
    "nothing": lambda entries: entries[:0],
}
TAKEN = ("list", "tuple", "object array")
"""Containers of networks or histories that must be taken."""


def as_objects(entries):
    array = np.empty(len(entries), dtype=object)
    array[:] = entries
    return array


def transformer_inputs(n_cases, directory, seed):
    """Networks and sequences of every kind for ``LyapunovSpectrumTransformer``."""
    torch.manual_seed(0)
    networks = [torch.nn.GRU(3, 2), make_layer("lstm"), torch.nn.RNN(3, 2)]

    def case(drawn_case):
        container, given = drawn_case

        def entry(X, data):
            return [LyapunovSpectrumTransformer(data, n_points=3).fit_transform(X)]

        expected = attempted(entry, networks, given.plain)
        found = attempted(entry, OF_OBJECTS[container](networks), given.data)
        must_work = given.sound and container in TAKEN and not isinstance(expected, Exception)
        return wrong(found, expected, must_work=must_work)

    strategy = st.tuples(st.sampled_from(list(OF_OBJECTS)), numbers(sequences))
    return drawn(case, strategy, n_cases, seed)


# Rows of features


def rows(rng):
    return 2 * rng.normal(size=(14, 3))


def targets(rng):
    return 2 * rng.normal(size=14)


def classes(rng):
    return np.arange(14.0) % 2


AELLE = {"n_members": 2, "hidden_dim": 4, "latent_dim": 2, "max_epochs": 2, "random_state": 0}
ROWS = rows(np.random.default_rng(0))


def fitted_regressor(X, y):
    return AeLLERegressor(**AELLE).fit(X, y).predict(ROWS, return_std=True)


def fitted_classifier(X, y):
    return [AeLLEClassifier(**AELLE).fit(X, y).predict_proba(ROWS)]


@cache
def fitted(kind):
    return kind(**AELLE).fit(ROWS, classes(None))


def predicted(kind, X):
    aelle = fitted(kind)
    return [aelle.predict(X), aelle.transform(X), aelle.reconstruction_error(X)]


def statistics(X):
    return [SpectrumStatistics().fit_transform(X)]


# Nets and their histories


@cache
def scored_net():
    torch.manual_seed(0)
    module = partial(SequenceNetwork, "GRU", hidden_size=4, n_inputs=3, n_outputs=2)
    return NeuralNetClassifier(module, criterion=torch.nn.CrossEntropyLoss).initialize()


def aligned(X, y):
    return [GradientAlignmentScorer(n_directions=2)(scored_net(), X, y)]


def plainly_aligned(X, y):
    return aligned(X.astype("f4"), y.astype("i8"))


VALUES = (0.5, 2, np.float16(0.5), np.int8(-3), np.nan, np.inf, -np.inf, 1e300, 1e-310, -1e300)
VALUES += (10**400, Fraction(1, 3), True, None, "0.5", torch.tensor(0.5), np.array([0.5]), 1j)


def curve_inputs(n_cases, directory, seed):
    """Histories of every kind for ``LearningCurveTransformer``."""

    def entry(X):
        return [LearningCurveTransformer().fit_transform(X)]

    def case(history):
        container, value, seed = history
        curves = np.random.default_rng(seed).random((3, 4)).tolist()
        curves[1][2] = value
        plain = [[{"train_loss": loss, "epoch": 1} for loss in curve] for curve in curves]
        expected, found = attempted(entry, plain), attempted(entry, OF_OBJECTS[container](plain))
        must_work = container in TAKEN and not isinstance(expected, Exception)
        return wrong(found, expected, must_work=must_work)

    strategy = st.tuples(
        st.sampled_from(list(OF_OBJECTS)), st.sampled_from(VALUES), st.integers(0, 99)
    )
    return drawn(case, strategy, n_cases, seed)


# Options

LAYER = make_layer("gru")
X = sequences(np.random.default_rng(0))
ENTRIES = {
    lyapunov_spectrum: lambda **options: lyapunov_spectrum(LAYER, **{"sequences": X, **options}),
    LyapunovSpectrumTransformer: lambda **options: LyapunovSpectrumTransformer(
        **{"sequences": X, **options}
    ).fit_transform([LAYER]),
    SpectrumStatistics: lambda **options: SpectrumStatistics(**options).fit_transform(ROWS),
    LearningCurveTransformer: lambda **options: LearningCurveTransformer(**options).fit_transform(
        [[{"train_loss": 1.0}, {"train_loss": 0.5}]]
    ),
    AeLLERegressor: lambda **options: (
        AeLLERegressor(**{**AELLE, **options}).fit(ROWS, ROWS[:, 0]).predict(ROWS)
    ),
    AeLLEClassifier: lambda **options: (
        AeLLEClassifier(**{**AELLE, **options}).fit(ROWS, classes(None)).predict_proba(ROWS)
    ),
    GradientAlignmentScorer: lambda **options: GradientAlignmentScorer(**options)(
        scored_net(), X.astype("f4"), np.arange(2)
    ),
}
ELSEWHERE = ("model", "n_jobs", "memory")
"""Arguments with faults of their own."""
JUNK = (None, -1, 0, 1, 2, 2.5, 1e300, np.nan, np.inf, -np.inf, "", "x", b"x", [], (), {})
JUNK += (["x"], [1, 2], np.int64(2), np.float32(0.5), np.ones(2), torch.ones(1), object, len, 1j)


def options(n_cases, directory, seed):
    """A parameter of any public entry that is set to what it is not made for."""
    places = [
        (entry, name)
        for entry in ENTRIES
        for name in inspect.signature(entry).parameters
        if name not in ELSEWHERE
    ]

    def case(drawn_case):
        (entry, name), value = drawn_case
        found = attempted(partial(ENTRIES[entry], **{name: value}))
        if isinstance(found, Exception):
            return wrong(found, found)
        numbers = getattr(found, "exponents", found)
        return None if np.isfinite(numbers).all() else f"not finite: {numbers}"

    return drawn(case, st.tuples(st.sampled_from(places), st.sampled_from(JUNK)), n_cases, seed)


INPUTS = {
    "options": options,
    "inputs of lyapunov_spectrum": spectrum_inputs,
    "inputs of LyapunovSpectrumTransformer": transformer_inputs,
    "inputs of SpectrumStatistics": fuzz(statistics, numbers(rows)),
    "inputs of LearningCurveTransformer": curve_inputs,
    "inputs of AeLLERegressor.fit": fuzz(fitted_regressor, numbers(rows), numbers(targets)),
    "inputs of AeLLERegressor.predict": fuzz(partial(predicted, AeLLERegressor), numbers(rows)),
    "inputs of AeLLEClassifier.fit": fuzz(fitted_classifier, numbers(rows), numbers(classes)),
    "inputs of AeLLEClassifier.predict": fuzz(partial(predicted, AeLLEClassifier), numbers(rows)),
    "inputs of GradientAlignmentScorer": fuzz(
        aligned,
        numbers(sequences, ("f4",)),
        numbers(lambda rng: np.arange(2.0), ("i8",)),
        plainly=plainly_aligned,
    ),
}
