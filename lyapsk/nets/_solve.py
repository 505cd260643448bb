"""From dynamics and drives to spectra."""

import torch

from .._cores import on_all_cores
from .._message import message_of
from .._parallel import one_thread
from ..exceptions import ExhaustedMemoryError, NumericalError
from ..spectrum import (
    Piece,
    assemble,
    follow_frame,
    initial_frame,
    standard_error,
)
from ..tangent import map_tensors
from ._precision import full_precision
from ._units import units_of

BATCH_MEANS = 16


def solve(problems, options, tell=None):
    """Spectra of many networks.

    Parameters
    ----------
    problems : list of Problem
    options : Options
    tell : callable, optional
        Told now and then, from any thread, how many more networks are done, in fractions.

    Returns
    -------
    list of LyapunovSpectrum, NumericalError or ExhaustedMemoryError
        In the order of ``problems``. Where a network explodes, or takes more memory than there is,
        the error that says so.
    """
    pieces, errors = [[] for _ in problems], [None for _ in problems]

    def follow(unit):
        return _follow_within_memory(unit, problems, options, tell)

    units = units_of(problems, options)
    on_cpu = options.device.type == "cpu"
    with full_precision():
        for followed in on_all_cores(follow, list(units)) if on_cpu else map(follow, units):
            for unit, growth in followed:
                for network, (index, part) in enumerate(unit.sources):
                    if isinstance(growth, ExhaustedMemoryError):
                        errors[index] = errors[index] or growth
                        continue
                    members = part.members[unit.members]
                    piece = Piece.of_network(growth, network, part.layer, members)
                    pieces[index].append(piece)
                    errors[index] = errors[index] or _explosion(piece)
    return [
        error
        or assemble(
            own,
            n_exponents=options.n_exponents,
            state_size=problem.state_size,
            tol=options.tol,
        )
        for problem, own, error in zip(problems, pieces, errors, strict=True)
    ]


def solve_elsewhere(problems, options):
    """The same in a process that shares its machine with others: on one thread, and on the GPU
    that it sees where no device was asked for."""
    options = options.on_this_machine()
    with one_thread():
        return solve(map_tensors(lambda tensor: tensor.to(options.device), problems), options)


def _follow_within_memory(unit, problems, options, tell):
    """Growth of a unit, halved as often as the memory of its device asks for, or an error."""
    try:
        return [(unit, _follow(unit, problems, options, tell))]
    except (MemoryError, RuntimeError) as error:
        if not _lacks_memory(error):
            raise
        reason = message_of(error)
    # The error held what the attempt had made: only here is its memory free again.
    halves = unit.halves()
    if len(halves) == 1:
        lacking = ExhaustedMemoryError(
            "model: memory does not suffice for one sequence of a state of size "
            f"{unit.dynamics.state_size}: {reason}. Ask for fewer exponents (n_exponents), or use "
            "dtype='float32'."
        )
        return [(unit, lacking)]
    return [
        done for half in halves for done in _follow_within_memory(half, problems, options, tell)
    ]


def _lacks_memory(error):
    """Whether an error is about memory, on which torch's libraries have different words."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(w in str(error) for w in ("allocate memory", "out of memory", "ALLOC_FAILED"))


def _follow(unit, problems, options, tell):
    n = unit.dynamics.state_size
    k = min(options.n_exponents or n, n)
    method = options.method_for(k, n, is_diagonal=unit.dynamics.is_diagonal)
    frame = None
    if method != "diagonal":
        frame = initial_frame(n, k, seed=options.seed, dtype=options.dtype, device=options.device)
    n_sequences = min(problems[index].n_sequences for index, _ in unit.sources)
    # In inference mode every operation is dispatched faster.
    with torch.inference_mode(not unit.dynamics.by_autograd), options.without_autocast():
        return follow_frame(
            unit.dynamics,
            unit.drive,
            frame,
            method=method,
            warmup=options.warmup,
            n_blocks=_n_blocks(n_sequences, unit.drive.n_steps - options.warmup, options),
            keep=options.keep,
            enough=_settled(options.tol),
            tell=tell and _in_networks(tell, unit, problems),
        )


def _in_networks(tell, unit, problems):
    """From steps of a unit to the fraction that they are of its networks' work."""
    totals = [
        sum(part.drive.n_steps * len(part.members) for part in problems[index].parts)
        for index, _ in unit.sources
    ]
    by_step = sum(unit.n_sequences / total for total in totals)
    return lambda n_steps: tell(n_steps * by_step)


def _n_blocks(n_sequences, n_steps, options):
    """Blocks in each sequence: an even number that gives all sequences enough batch means."""
    wanted = BATCH_MEANS if options.tol else max(2, -(-BATCH_MEANS // n_sequences))
    return min(wanted + wanted % 2, n_steps)


def _settled(tol):
    """Whether the standard errors of all exponents of all networks are at most ``tol``."""
    if tol is None:
        return None

    def enough(blocks, phases):
        by_block = torch.stack(blocks, 2).cpu().numpy()
        if len(blocks) < 2 or by_block[0, :, :, 0].size < BATCH_MEANS // 2:
            return False
        by_phase = torch.stack(phases, 2).cpu().numpy() if phases else [None] * len(by_block)
        return all(
            (standard_error([own], of_phases) <= tol).all()
            for own, of_phases in zip(by_block, by_phase, strict=True)
        )

    return enough


def _explosion(piece):
    failed = [(m, s) for m, s in zip(piece.members, piece.failed_step, strict=True) if s >= 0]
    if not failed:
        return None
    sequence, step = failed[0]
    return NumericalError(
        f"model: the state, or its derivative, of sequence {sequence} is not finite from step "
        f"{step} on: the network explodes, or a step has an infinite slope there. Use fewer steps "
        "(n_steps), smaller inputs or smaller weights."
    )
