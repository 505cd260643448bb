"""Which networks and sequences run together."""

from dataclasses import dataclass, replace

import torch

from ..spectrum import Drive
from ..tangent import Dynamics

LARGEST_ON_CPU = 2**18
SMALLEST_ON_CPU = 2**15
COPIES_ON_GPU = 12


@dataclass(frozen=True)
class Unit:
    """Networks of one shape along sequences of one length, that run as one batch.

    Attributes
    ----------
    dynamics : Dynamics
    drive : Drive
    sources : tuple of (int, Part)
        For each network, the position of its problem and its part there.
    members : slice
        Which of the parts' sequences.
    """

    dynamics: Dynamics
    drive: Drive
    sources: tuple
    members: slice

    @classmethod
    def of(cls, sources):
        """All sequences of parts of one shape."""
        parts = [part for _, part in sources]
        return cls(
            type(parts[0].dynamics).concatenate([part.dynamics for part in parts]),
            Drive.concatenate([part.drive for part in parts]),
            tuple(sources),
            slice(0, parts[0].drive.state.shape[1]),
        )

    def split(self, size):
        """Units of at most ``size`` sequences of this one."""
        for start in range(0, self.n_sequences, size):
            own = slice(start, min(start + size, self.n_sequences))
            members = slice(self.members.start + own.start, self.members.start + own.stop)
            yield replace(self, drive=self.drive.of_sequences(own), members=members)

    def halves(self):
        """The unit in two, for want of memory; itself alone where it is a single matrix."""
        if len(self.sources) == 1:
            return list(self.split(-(-self.n_sequences // 2)))
        middle = len(self.sources) // 2
        return [Unit.of(self.sources[:middle]), Unit.of(self.sources[middle:])]

    @property
    def n_sequences(self):
        return self.members.stop - self.members.start


def units_of(problems, options):
    """Split problems into units that suit caches and cores, or the memory of a GPU.

    Parameters
    ----------
    problems : list of Problem
    options : Options

    Yields
    ------
    Unit
        Joined only when asked for: those of a GPU are followed one after the other.
    """
    groups = {}
    for index, problem in enumerate(problems):
        for part in problem.parts:
            key = (part.dynamics.shape, part.drive.shape)
            groups.setdefault(key, []).append((index, part))
    for sources in groups.values():
        yield from _split(sources, options)


def _split(sources, options):
    """Units of parts of one shape, of nearly equal size."""
    n_sequences, n = sources[0][1].drive.state.shape[1:]
    entries = n * min(options.n_exponents or n, n)
    total = len(sources) * n_sequences
    share = -(-total // _n_units(total * entries, options))
    n_networks = max(1, share // n_sequences)
    n_networks = min(n_networks, options.batch_size or n_networks)
    for start in range(0, len(sources), n_networks):
        unit = Unit.of(sources[start : start + n_networks])
        yield from [unit] if options.tol is not None else unit.split(max(share, 1))


def _n_units(entries, options):
    """How many units: on a GPU as few as fit, on a CPU what suits its caches and cores."""
    if options.device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(options.device)
        free += torch.cuda.memory_reserved(options.device)  # with what torch keeps for its tensors
        free -= torch.cuda.memory_allocated(options.device)
        return -(-entries * COPIES_ON_GPU * options.dtype.itemsize // max(free, 1))
    n_cores = torch.get_num_threads()
    wanted = max(-(-entries // LARGEST_ON_CPU), min(n_cores, entries // SMALLEST_ON_CPU), 1)
    return wanted if wanted == 1 else -(-wanted // n_cores) * n_cores
