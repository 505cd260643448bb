"""What happens where memory is short, and where something else fails."""

import weakref
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from helpers import make_layer

from lyapsk import lyapunov_spectrum
from lyapsk.exceptions import ExhaustedMemoryError
from lyapsk.nets import _solve
from lyapsk.nets._units import Unit

SEQUENCES = np.random.default_rng(0).normal(size=(3, 20, 3))


def test_out_of_memory_halves_the_batch_and_goes_on(monkeypatch):
    layer, sizes, follow = make_layer("gru"), [], _solve.follow_frame

    def with_little_memory(dynamics, drive, *args, **kwargs):
        sizes.append(drive.state.shape[1])
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("no more")
        return follow(dynamics, drive, *args, **kwargs)

    expected = lyapunov_spectrum(layer, SEQUENCES).per_sequence
    monkeypatch.setattr(_solve, "follow_frame", with_little_memory)
    found = lyapunov_spectrum(layer, SEQUENCES).per_sequence
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert sizes == [3, 2, 1]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("nothing fits"),
        torch.OutOfMemoryError("nothing fits"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_memory_has_many_words(error, monkeypatch):
    monkeypatch.setattr(_solve, "follow_frame", Mock(side_effect=error))
    with pytest.raises(ExhaustedMemoryError, match="one sequence of a state of size 5"):
        lyapunov_spectrum(make_layer("gru"), SEQUENCES)


@pytest.mark.parametrize("error", [NotImplementedError("no kernel"), RuntimeError("lost")])
def test_other_errors_are_not_about_memory(error, monkeypatch):
    monkeypatch.setattr(_solve, "follow_frame", Mock(side_effect=error))
    with pytest.raises(type(error), match=str(error)):
        lyapunov_spectrum(make_layer("gru"), SEQUENCES)


def test_what_an_attempt_held_is_free_before_the_next(monkeypatch):
    held, follow = [], _solve.follow_frame

    def with_little_memory(dynamics, drive, *args, **kwargs):
        assert all(made() is None for made in held)
        if drive.state.shape[1] > 1:
            large = torch.empty(3)
            held.append(weakref.ref(large))
            raise torch.OutOfMemoryError("no more")
        return follow(dynamics, drive, *args, **kwargs)

    halves = Unit.halves

    def split(unit):
        assert held[-1]() is None
        return halves(unit)

    monkeypatch.setattr(_solve, "follow_frame", with_little_memory)
    monkeypatch.setattr(Unit, "halves", split)
    lyapunov_spectrum(make_layer("gru"), SEQUENCES)
    assert len(held) == 2
