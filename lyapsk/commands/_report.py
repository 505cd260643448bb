"""``python -m lyapsk report``."""

from pathlib import Path

from ..report._limits import ENOUGH_NETWORKS, MINIMUM_NETWORKS, N_SEQUENCES
from ._arguments import (
    add_data,
    add_module,
    add_parser,
    add_quiet,
    add_seed,
    directory,
    tell,
    tell_of_few,
    whole_number,
)

_DESCRIPTION = f"""\
Shows how well the Lyapunov spectra of the networks in POPULATION, a directory that
make_population(..., directory=...) of lyapsk.tasks wrote, predict their loss after training. Prints
a table, and writes a page that needs nothing beside it, a picture and tables. Networks of different
tasks, or trained differently, are reported apart; each needs at least {MINIMUM_NETWORKS} that did
not diverge, and scores of fewer than {ENOUGH_NETWORKS} are guesses."""


def add_command(commands):
    """Add ``report`` to the subparsers of a command line."""
    parser = add_parser(
        commands,
        "report",
        help="report how well spectra predict the losses of a population of trained networks",
        description=_DESCRIPTION,
        example="  python -m lyapsk report my-population --epoch 1 --out my-report",
        run=_run,
    )
    parser.add_argument(
        "population", type=Path, metavar="POPULATION", help="directory of trained networks"
    )
    parser.add_argument(
        "--epoch",
        type=whole_number(0),
        default=0,
        metavar="N",
        help="take the spectra after so many epochs, one of the population's checkpoints; 0 is "
        "before training (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=directory,
        default=Path("report-output"),
        metavar="DIR",
        help="where report.html and the tables go (default: %(default)s)",
    )
    parser.add_argument(
        "--sequences",
        type=whole_number(1),
        default=N_SEQUENCES,
        metavar="N",
        help="driving sequences of each spectrum (default: %(default)s)",
    )
    add_data(
        parser,
        required=False,
        default="those that the networks were validated on, where lyapsk.tasks makes them",
    )
    add_module(
        parser,
        "what makes networks that are no SequenceNetwork of lyapsk.tasks, called with kind, "
        "hidden_size and half_width",
    )
    parser.add_argument(
        "--jobs",
        type=whole_number(1),
        default=2,
        metavar="N",
        help="processes; the numbers do not depend on it (default: %(default)s)",
    )
    add_seed(parser, "draws the folds, and made the data of the tasks if 0 did not")
    add_quiet(parser)


def _run(options):
    from .._files import writable_directory
    from ..exceptions import NumericalError
    from ..plotting import check_matplotlib
    from ..report._directory import read_trainings
    from ..report._study import study
    from ..report._tables import as_text
    from ..report._write import write_report

    check_matplotlib("The report")
    trainings, left_out = read_trainings(options.population, _request(options))
    out = writable_directory("out", options.out)
    outcomes = []
    for training in trainings:
        tell(options, f"{training.title}: {len(training)} networks")
        try:
            outcomes.append(
                study(training, options.seed, n_jobs=options.jobs, verbose=not options.quiet)
            )
        except NumericalError as error:
            if len(trainings) == 1:
                raise
            left_out.append(str(error))
    if not outcomes:
        raise NumericalError(" ".join(left_out))
    write_report(outcomes, out, options.seed, left_out)
    for reason in left_out:
        tell(options, f"left out {reason}")
    print(as_text(outcomes))
    tell_of_few(options, outcomes)
    tell(options, f"the report is {options.out / 'report.html'}")
    return 0


def _request(options):
    """What the arguments ask of the directory."""
    import torch

    from ..exceptions import InvalidInputError
    from ..report._directory import Request
    from ._data import read_data
    from ._network import imported

    sequences = None
    if options.data is not None:
        sequences = torch.as_tensor(read_data(options.data, options.key)).float().numpy()
        if sequences.ndim not in (2, 3):
            raise InvalidInputError(
                f"{options.data}: its array has shape {sequences.shape}. It must be (n_sequences, "
                "n_steps, n_inputs), or (n_steps, n_inputs) for one sequence."
            )
        sequences = sequences[None] if sequences.ndim == 2 else sequences
    return Request(
        epoch=options.epoch,
        n_sequences=options.sequences,
        seed=options.seed,
        sequences=sequences,
        module=options.module and imported(*options.module),
    )
