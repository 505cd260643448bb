"""``python -m lyapsk demo``."""

from pathlib import Path

from ..report._limits import DEFAULT_NETWORKS, MINIMUM_NETWORKS
from ._arguments import add_parser, add_quiet, add_seed, directory, tell, tell_of_few, whole_number

_DESCRIPTION = """\
Trains a population of small recurrent networks on scikit-learn's bundled digits, read pixel by
pixel, and shows how well their Lyapunov spectra, taken before any training, predict the loss after
it. Prints one table and writes a report; takes a few minutes on two cores."""


def add_command(commands):
    """Add ``demo`` to the subparsers of a command line."""
    parser = add_parser(
        commands,
        "demo",
        help="predict how well untrained networks will learn",
        description=_DESCRIPTION,
        example="  python -m lyapsk demo --networks 60 --out my-demo",
        run=_run,
    )
    parser.add_argument(
        "--networks",
        type=whole_number(MINIMUM_NETWORKS),
        default=DEFAULT_NETWORKS,
        metavar="N",
        help=f"networks to train, at least {MINIMUM_NETWORKS} (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=directory,
        default=Path("demo-output"),
        metavar="DIR",
        help="where report.html and the tables go (default: %(default)s)",
    )
    add_seed(parser, "same seed, same networks and folds")
    add_quiet(parser)


def _run(options):
    from ..demo import run_demo
    from ..report._tables import as_text

    outcome = run_demo(options.out, options.networks, options.seed, verbose=not options.quiet)
    print(as_text([outcome]))
    tell_of_few(options, [outcome])
    tell(options, f"the report is {options.out / 'report.html'}")
    return 0
