"""How a spectrum is to be computed, checked before anything runs."""

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral, Real

import torch
from sklearn.utils import check_random_state

from ..exceptions import InvalidInputError

METHODS = ("auto", "lu", "qr")
COUPLINGS = ("auto", "full", "layers")
KEPT = ("growth", "frames")
DTYPES = {"float64": torch.float64, "float32": torch.float32}


@dataclass(frozen=True)
class Options:
    """Checked arguments that ``lyapunov_spectrum`` and the transformer share; see there."""

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
        _check_choice("method", method, METHODS)
        _check_choice("dtype", dtype, (*DTYPES, *DTYPES.values()))
        _check_choice("coupling", coupling, COUPLINGS)
        _check_count("warmup", warmup, least=0)
        _check_kept_by(method, keep)
        _check_tolerance(tol)
        return cls(
            n_exponents=_check_count("n_exponents", n_exponents, none="the whole spectrum"),
            n_steps=_check_count("n_steps", n_steps, none="the sequences' own length"),
            warmup=warmup,
            method=method,
            dtype=DTYPES[dtype] if isinstance(dtype, str) else dtype,
            device=_usable_device(device),
            keep=keep,
            seed=_seed(random_state),
            batch_size=_check_count("batch_size", batch_size, none="what fits in memory"),
            coupling=coupling,
            tol=tol,
        )

    def coupling_of(self, layers):
        """Whether layers, as ``cells_of`` gives them, share one frame: "full" or "layers"."""
        bidirectional = len(layers[0]) > 1
        if bidirectional and self.coupling == "full":
            raise InvalidInputError(
                "coupling: got 'full' for a bidirectional layer. Its directions run in opposite "
                "order and share no frame: use 'layers' or 'auto'."
            )
        return "layers" if bidirectional or self.coupling == "layers" else "full"

    def method_for(self, n_exponents, state_size):
        """How frames of a given shape are kept from collapsing: "lu" or "qr".

        Elimination keeps no orthonormal frames, and is no cheaper than QR for thin ones.
        """
        thin = 4 * n_exponents < state_size
        if self.method == "auto":
            return "qr" if self.keep or thin else "lu"
        return self.method


def _check_count(name, value, *, least=1, none=None):
    if value is None and none:
        return None
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        otherwise = f", or None for {none}" if none else ""
        raise InvalidInputError(
            f"{name}: got {value!r}. It must be a whole number of at least {least}{otherwise}."
        )
    return int(value)


def _checked_keep(keep):
    kept = (keep,) if isinstance(keep, str) or not isinstance(keep, Iterable) else tuple(keep)
    for value in kept:
        _check_choice("keep", value, KEPT)
    return kept


def _check_kept_by(method, keep):
    if keep and method == "lu":
        raise InvalidInputError(
            f"method: got 'lu' with keep={keep!r}. Growth and frames of every step are those of "
            "QR: use method='qr' or 'auto' to keep them."
        )


def _check_tolerance(tol):
    if tol is not None and not (isinstance(tol, Real) and tol > 0):
        raise InvalidInputError(
            f"tol: got {tol!r}. It must be a positive number of nats per step, or None."
        )


def _check_choice(name, value, allowed):
    if not any(value is choice or value == choice for choice in allowed):
        choices = " or ".join(map(repr, allowed))
        raise InvalidInputError(f"{name}: got {value!r}. It must be {choices}.")


def _usable_device(device):
    """``device``, or a GPU where there is one."""
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        tried = torch.zeros(1, device=device)
        tried.item()
        return tried.device
    except (RuntimeError, AssertionError, TypeError) as error:
        raise InvalidInputError(
            f"device: got {device!r}, which cannot be used here: {error}. It must be None, 'cpu', "
            "or a device that torch finds on this machine."
        ) from error


def _seed(random_state):
    """Seed of the initial frame; always the same where ``random_state`` is None."""
    if random_state is None:
        return 0
    try:
        return int(check_random_state(random_state).randint(2**31 - 1))
    except ValueError as error:
        raise InvalidInputError(
            f"random_state: got {random_state!r}. It must be None, a whole number or a numpy "
            "RandomState."
        ) from error
