"""What drives networks: as their own forwards take it, and as bare layers and step functions do."""

from dataclasses import dataclass

import torch
from torch.nn.utils.rnn import PackedSequence

from ..exceptions import InvalidInputError
from ..spectrum import Drive
from ._arrays import as_tensor
from ._check import check_inputs, check_sequences
from ._record import unpacked


class Sequences:
    """Driving sequences, which bare layers of one width share.

    Parameters
    ----------
    given : array-like or whatever the networks' own forward takes

    Attributes
    ----------
    taken_by : set
        Forms of bare layers whose own forward took them.
    """

    def __init__(self, given):
        self.given = given
        self.taken_by = set()
        self._trajectories = {}

    def bare(self, options, width=None):
        """Trajectories for a bare layer, or a step function.

        Parameters
        ----------
        options : Options
        width : int, optional
            Inputs that a layer takes.

        Raises
        ------
        InvalidInputError
        """
        key = str(width), options
        if key not in self._trajectories:
            check_sequences(self.given)
            inputs = bare_inputs(self.given, width)
            self._trajectories[key] = Trajectories.of(inputs, options)
        return self._trajectories[key]


@dataclass(frozen=True)
class Trajectories:
    """Sequences that were checked, cut or joined, and stacked with those of their length.

    Attributes
    ----------
    first : Tensor of shape (n_steps, n_inputs)
        The first sequence as it was given.
    n_sequences : int
        How many were given.
    starts : list of int
        With which of these each trajectory starts.
    stacked : list of (members, Tensor of shape (n_steps, 1, len(members), n_inputs))
        For each length, which trajectories have it.
    period : int or None
        Steps of all sequences together, where trajectories are longer and start over.
    """

    first: torch.Tensor
    n_sequences: int
    starts: list
    stacked: list
    period: int | None

    @classmethod
    def of(cls, inputs, options):
        """Trajectories from a list of Tensor of shape (n_steps, n_inputs).

        Raises
        ------
        InvalidInputError
            If there are none, or they have no steps, or hold what is not finite.
        """
        given, inputs = inputs, [x.to(options.dtype) for x in inputs]
        check_inputs(inputs)
        starts, followed = list(range(len(inputs))), [x.to(options.device) for x in inputs]
        if options.n_steps is not None:
            starts, followed = joined(followed, options.n_steps)
        members = {}
        for index, x in enumerate(followed):
            members.setdefault(len(x), []).append(index)
        stacked = [
            (tuple(own), torch.stack([followed[i] for i in own], 1).unsqueeze(1))
            for own in members.values()
        ]
        n_distinct = sum(map(len, inputs))
        period = n_distinct if n_distinct < (options.n_steps or 0) else None
        return cls(given[0], len(inputs), starts, stacked, period)

    def drives(self, state):
        """Drives of one network, one for each length.

        Parameters
        ----------
        state : Tensor of shape (n_sequences, n)
            Where each of the sequences starts.

        Returns
        -------
        list of (members, Drive)
        """
        state = state[self.starts]
        return [(own, Drive(state[None, own], x, len(x), self.period)) for own, x in self.stacked]


def bare_inputs(sequences, width=None):
    """Sequences (n_steps, n_inputs) from an array of them, a list of unequal ones, or packed."""
    if isinstance(sequences, PackedSequence):
        sequences = unpacked(sequences)
    if isinstance(sequences, list | tuple):
        inputs = [as_tensor(x, "sequences") for x in sequences]
    else:
        whole = as_tensor(sequences, "sequences")
        inputs = list(whole) if whole.ndim == 3 else [whole]
    for x in inputs:
        if x.ndim != 2 or x.shape[1] != (width or inputs[0].shape[1]):
            raise InvalidInputError(
                f"sequences: got one of shape {tuple(x.shape)}. They must be (n_sequences, "
                f"n_steps, {width or 'n_inputs'}), or a list of (n_steps, {width or 'n_inputs'})."
            )
    return inputs


def joined(inputs, n_steps):
    """Join sequences end to end into trajectories of ``n_steps``, starting over if need be.

    Returns
    -------
    starts : list of int
        Position of the first sequence of each trajectory.
    trajectories : list of Tensor of shape (n_steps, n_inputs)
    """
    starts, trajectories, position = [], [], 0
    while position < len(inputs):
        first, parts, missing = position, [], n_steps
        while missing > 0 and (position < len(inputs) or not trajectories):
            parts.append(inputs[position % len(inputs)][:missing])
            missing -= len(parts[-1])
            position += 1
        if missing == 0:
            starts.append(first)
            trajectories.append(torch.cat(parts))
    return starts, trajectories
