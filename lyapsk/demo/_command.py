"""The command line of the demo."""

import argparse
from pathlib import Path

from ._limits import DEFAULT_NETWORKS, LARGEST_SEED, MINIMUM_NETWORKS

_DESCRIPTION = """\
Trains a population of small recurrent networks on scikit-learn's bundled digits, read pixel by
pixel, and shows how well their Lyapunov spectra, taken before any training, predict the loss after
it. Prints one table and writes a report; takes a few minutes on two cores."""


def add_command(commands):
    """Add ``demo`` to the subparsers of a command line."""
    parser = commands.add_parser(
        "demo", help="predict how well untrained networks will learn", description=_DESCRIPTION
    )
    parser.add_argument(
        "--networks",
        type=_whole_number(MINIMUM_NETWORKS),
        default=DEFAULT_NETWORKS,
        metavar="N",
        help=f"networks to train, at least {MINIMUM_NETWORKS} (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=_directory,
        default=Path("demo-output"),
        metavar="DIR",
        help="where report.html and the tables go (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=_whole_number(0, LARGEST_SEED),
        default=0,
        metavar="S",
        help="same seed, same networks and folds (default: %(default)s)",
    )
    parser.set_defaults(run=_run)


def _run(options):
    from ._run import run_demo
    from ._tables import as_text

    outcome = run_demo(options.out, options.networks, options.seed)
    print(as_text(outcome.scores))
    print(f"\nThe report is {options.out / 'report.html'}")


def _whole_number(smallest, largest=None):
    """A parser of whole numbers within limits, for argparse."""

    def parse(text):
        if not text.isdecimal() or int(text) < smallest or (largest and int(text) > largest):
            upper = f" to {largest}" if largest else " or more"
            raise argparse.ArgumentTypeError(f"{text!r}: give a whole number, {smallest}{upper}")
        return int(text)

    return parse


def _directory(text):
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a file: give a directory")
    return path
