"""Networks that cannot be processed, and memory that does not suffice: the others stay."""

from functools import cache, partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from skorch import NeuralNetClassifier
from torch import nn

from lyapsk import LyapunovSpectrumTransformer, lyapunov_spectrum
from lyapsk.exceptions import LyapskError
from lyapsk.nets import _solve
from lyapsk.tasks import SequenceNetwork

from .outcome import Outcome, attempted, wrong

X = torch.randn(3, 15, 1, generator=torch.Generator().manual_seed(0))
KINDS = ("RNN", "GRU", "LSTM", "LEM")
N_GOOD = 12


def good(seed):
    """A layer, a module or an initialised net of one of a few shapes."""
    torch.manual_seed(seed)
    module = SequenceNetwork(KINDS[seed % 4], hidden_size=3 + seed % 2)
    return [module.recurrent, module, NeuralNetClassifier(module).initialize()][seed % 3]


def with_weights(value):
    layer = nn.RNN(1, 3, nonlinearity="relu", batch_first=True)
    for weight in layer.parameters():
        nn.init.constant_(weight, value)
    return layer


def without_weights():
    layer = nn.GRU(1, 3)
    del layer.weight_hh_l0
    return layer


def with_weights_of_another():
    layer = nn.GRU(1, 3)
    layer.weight_hh_l0 = nn.GRU(1, 5).weight_hh_l0
    return layer


class Forward(nn.Module):
    """A module whose forward is a function of its recurrent layer and the input."""

    def __init__(self, forward):
        super().__init__()
        self.layer, self.of = nn.GRU(1, 3, batch_first=True), forward

    def forward(self, x):
        return self.of(self.layer, x)


def failing(error):
    """A network that spoils its input and everyone's generators, and fails."""

    def forward(layer, x):
        layer(x.zero_())
        torch.manual_seed(0)
        raise error

    return Forward(forward)


BAD = {
    "NaN weights": lambda: with_weights(np.nan),
    "infinite weights": lambda: with_weights(np.inf),
    "exploding": lambda: with_weights(1e30),
    "half NaN": lambda: with_weights(np.nan).half(),
    "no values": lambda: nn.GRU(1, 3, device="meta"),
    "no weights": without_weights,
    "weights of another": with_weights_of_another,
    "never initialised": lambda: NeuralNetClassifier(SequenceNetwork),
    "ValueError": lambda: failing(ValueError("no")),
    "StopIteration": lambda: failing(StopIteration()),
    "MemoryError": lambda: failing(MemoryError()),
    "no recurrent layer": lambda: nn.Linear(1, 2),
    "two recurrent layers": lambda: nn.ModuleList([nn.GRU(1, 2), nn.GRU(1, 2)]),
    "layer called twice": lambda: Forward(lambda layer, x: (layer(x), layer(x))),
    "layer never called": lambda: Forward(lambda layer, x: x),
    "layer without steps": lambda: Forward(lambda layer, x: layer(x[:, :0])),
    "other inputs": lambda: nn.GRU(2, 3),
    "a class": lambda: nn.GRU,
    "a function": lambda: torch.tanh,
    "a list": lambda: [nn.GRU(1, 3)],
    "a number": lambda: 3,
    "None": lambda: None,
    "a missing file": lambda: Path("missing.safetensors"),
    "a directory": lambda: Path(__file__).parent,
    "a name": lambda: "network",
}


class Lazily:
    """Networks that are made when they are asked for."""

    def __init__(self, makers):
        self.makers = makers

    def __len__(self):
        return len(self.makers)

    def __getitem__(self, index):
        return self.makers[index]()


def maker(entry):
    return BAD[entry] if entry in BAD else partial(good, entry)


def processed(networks, **options):
    """Rows of networks, and errors by position."""
    transformer = LyapunovSpectrumTransformer(X, n_points=3, error_score=-1.0, **options)
    rows = transformer.fit_transform(networks)
    return rows, dict(transformer.failures_)


@cache
def alone():
    """The row of each good network, taken by itself."""
    return [processed([good(seed)])[0][0] for seed in range(N_GOOD)]


def bad_networks(n_cases, directory, seed):
    """Lists, lazy or not, of good networks with bad ones anywhere among them."""
    rng, failures, lost = np.random.default_rng(seed), [], 0
    for _ in range(n_cases):
        entries = rng.permutation(N_GOOD)[: rng.integers(1, N_GOOD)].tolist()
        entries += rng.choice(list(BAD), size=rng.integers(1, 4)).tolist()
        rng.shuffle(entries)
        networks = Lazily([maker(entry) for entry in entries])
        networks = networks if rng.random() < 0.5 else list(networks)
        told, missing = judged(attempted(processed, networks), entries)
        failures, lost = failures + told, lost + missing
    return Outcome(n_cases, failures, lost)


def judged(found, entries, too_large=()):
    """What is wrong with rows and errors of entries, and how many good networks were lost."""
    good_ones = [entry for entry in entries if entry not in BAD and entry not in too_large]
    if isinstance(found, Exception):
        return [f"{entries}: {wrong(found, None, must_work=True)}"], len(good_ones)
    rows, errors = found
    lost = {
        entry: wrong([row], [alone()[entry]])
        for row, entry in zip(rows, entries, strict=True)
        if entry in good_ones
    }
    failures = [f"{entries}: {entry}: {told}" for entry, told in lost.items() if told]
    for position, entry in enumerate(entries):
        if entry not in good_ones and not isinstance(errors.get(position), LyapskError):
            failures.append(f"{entries}: no clear error for {entry}: {errors.get(position)!r}")
    return failures, sum(map(bool, lost.values()))


def short_of_memory(n_cases, directory, seed):
    """Memory for so many matrices at once, and for none of the networks of a certain size."""
    rng, failures, lost = np.random.default_rng(seed), [], 0
    sizes = [lyapunov_spectrum(good(entry), X).state_size for entry in range(N_GOOD)]
    follow = _solve.follow_frame
    for _ in range(n_cases):
        entries = rng.permutation(N_GOOD).tolist()
        most, never, error = rng.integers(1, 12), rng.choice([0, *sizes]), rng.choice(EXHAUSTED)

        def follow_within_memory(dynamics, drive, *args, **kwargs):
            too_many = drive.state[..., 0].numel() > most  # noqa: B023
            if too_many or dynamics.state_size == never:  # noqa: B023
                raise error  # noqa: B023
            return follow(dynamics, drive, *args, **kwargs)

        too_large = [entry for entry in entries if sizes[entry] == never]
        with patch.object(_solve, "follow_frame", follow_within_memory):
            found = attempted(processed, [good(entry) for entry in entries])
        told, missing = judged(found, entries, too_large)
        failures, lost = failures + told, lost + missing
    return Outcome(n_cases, failures, lost)


EXHAUSTED = (
    torch.OutOfMemoryError("CUDA out of memory."),
    RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
)

NETWORKS = {"bad networks": bad_networks, "short of memory": short_of_memory}
