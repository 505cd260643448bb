"""How a spectrum is to be computed, checked before anything runs."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch

from .._checks import check_choice, check_count, check_positive
from .._message import message_of
from .._random_state import random_numbers
from ..exceptions import InvalidInputError

METHODS = ("auto", "lu", "qr")
COUPLINGS = ("auto", "full", "layers")
KEPT = ("growth", "frames")
MOST_STEPS = 10**9
DTYPES = {"float64": torch.float64, "float32": torch.float32}


@dataclass(frozen=True)
class Options:
    """Checked arguments that ``lyapunov_spectrum`` and the transformer share; see there.

    ``local`` says that no device was asked for.
    """

    n_exponents: int | None
    n_steps: int | None
    warmup: int
    method: str
    dtype: torch.dtype
    device: torch.device
    keep: tuple
    seed: int
    batch_size: int | None
    coupling: str
    tol: float | None
    local: bool = False

    @classmethod
    def checked(
        cls,
        *,
        n_exponents=None,
        n_steps=None,
        warmup=0,
        method="auto",
        dtype="float64",
        device=None,
        keep=(),
        random_state=None,
        batch_size=None,
        coupling="auto",
        tol=None,
    ):
        """Options from arguments as users give them.

        Raises
        ------
        InvalidInputError
            Naming the argument, its value and what is allowed.
        """
        keep = _checked_keep(keep)
        check_choice("method", method, METHODS)
        check_choice("dtype", dtype, (*DTYPES, *DTYPES.values()))
        check_choice("coupling", coupling, COUPLINGS)
        check_count("warmup", warmup, least=0)
        _check_kept_by(method, keep)
        if tol is not None:
            check_positive("tol", tol, also=" of nats per step, or None")
        return cls(
            n_exponents=_count_or_none("n_exponents", n_exponents, "the whole spectrum"),
            n_steps=_count_or_none("n_steps", n_steps, "the sequences' own length", MOST_STEPS),
            warmup=warmup,
            method=method,
            dtype=DTYPES[dtype] if isinstance(dtype, str) else dtype,
            device=_usable_device(device),
            keep=keep,
            seed=_seed(random_state),
            batch_size=_count_or_none("batch_size", batch_size, "what fits in memory"),
            coupling=coupling,
            tol=tol,
            local=device is None,
        )

    def on_this_machine(self):
        """The same, with the device that this process sees where none was asked for."""
        return replace(self, device=_usable_device(None)) if self.local else self

    def without_autocast(self):
        """Within the block all is computed in ``dtype``, also where ``torch.autocast`` is on."""
        return torch.autocast("cuda" if self.device.type == "cuda" else "cpu", enabled=False)

    def coupling_of(self, layers):
        """Whether layers, as ``cells_of`` gives them, share one frame: "full" or "layers"."""
        bidirectional = len(layers[0]) > 1
        if bidirectional and self.coupling == "full":
            raise InvalidInputError(
                "coupling: got 'full' for a bidirectional layer. Its directions run in opposite "
                "order and share no frame: use 'layers' or 'auto'."
            )
        return "layers" if bidirectional or self.coupling == "layers" else "full"

    def method_for(self, n_exponents, state_size, *, is_diagonal=False):
        """How frames of a given shape are kept from collapsing: "lu", "qr" or "diagonal".

        Elimination keeps no orthonormal frames, and is no cheaper than QR for thin ones.
        """
        if is_diagonal and self.method == "auto" and "frames" not in self.keep:
            return "diagonal"
        thin = 4 * n_exponents < state_size
        if self.method == "auto":
            return "qr" if self.keep or thin else "lu"
        return self.method


def _count_or_none(name, value, none, most=math.inf):
    limit = "" if most == math.inf else f" and at most {most}"
    also = f"{limit}, or None for {none}"
    return None if value is None else check_count(name, value, most=most, also=also)


def _checked_keep(keep):
    kept = (keep,) if isinstance(keep, str) or not isinstance(keep, Iterable) else tuple(keep)
    for value in kept:
        check_choice("keep", value, KEPT)
    return kept


def _check_kept_by(method, keep):
    if keep and method == "lu":
        raise InvalidInputError(
            f"method: got 'lu' with keep={keep!r}. Growth and frames of every step are those of "
            "QR: use method='qr' or 'auto' to keep them."
        )


def _usable_device(device):
    """``device``, or a GPU where there is one."""
    if device is None:
        if not torch.cuda.is_available():
            return torch.device("cpu")
        try:
            return torch.device("cuda", torch.cuda.current_device())
        except RuntimeError:  # in a process that was forked from one that uses it
            return torch.device("cpu")
    try:
        tried = torch.zeros(1, device=device)
        tried.item()
        return tried.device
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = message_of(error).partition(". ")[0]  # torch may go on with all that it is made of
        raise InvalidInputError(
            f"device: got {device!r}, which cannot be used here: {reason}. It must "
            "be None, 'cpu', or a device that torch finds on this machine."
        ) from error


def _seed(random_state):
    """Seed of the initial frame; always the same where ``random_state`` is None."""
    return 0 if random_state is None else int(random_numbers(random_state).randint(2**31 - 1))
