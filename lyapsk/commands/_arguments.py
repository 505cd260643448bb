"""Arguments that commands share. Nothing here imports torch."""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryFile

LARGEST_SEED = 2**32 - 1
PICTURES = (".png", ".pdf", ".svg")
ON_JSON = """\
JSON has no word for what is not finite: infinities are the strings "Infinity" and "-Infinity" (of
a direction that dies within a step), what is not a number is null."""
EXIT_CODES = {
    0: "done",
    1: 'an error, told on stderr in one line that begins with "lyapsk:"',
    2: "wrong arguments",
    130: "interrupted",
}


def add_parser(commands, name, *, help, description, example, run, exit_codes=None):
    """A subparser with an example and the exit codes below its options.

    Parameters
    ----------
    exit_codes : dict of int to str, optional
        What those of the command mean, where it is more or other than ``EXIT_CODES``.
    """
    codes = sorted((EXIT_CODES | (exit_codes or {})).items())
    lines = "\n".join(f"  {code:<3}  {meaning}" for code, meaning in codes)
    parser = commands.add_parser(
        name,
        help=help,
        description=description,
        epilog=f"example:\n{example}\n\nexit codes:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    return parser


def add_quiet(parser):
    """``--quiet``."""
    parser.add_argument(
        "--quiet", action="store_true", help="tell nothing on stderr but warnings and errors"
    )


def add_network(parser):
    """What a network is read from, and how."""
    group = parser.add_argument_group("the network")
    group.add_argument(
        "checkpoint",
        type=Path,
        metavar="CHECKPOINT",
        help="weights as .safetensors, or as .pt, .pth, .ckpt or .bin with a state dict, alone or "
        "among what else a training loop saves; with --trusted also a whole network, as one of "
        "torch's files or as .pkl, .pickle or .joblib",
    )
    group.add_argument(
        "--layer",
        metavar="NAME",
        help="the recurrent layer, where there are several",
    )
    group.add_argument(
        "--nonlinearity",
        choices=("tanh", "relu"),
        help="of a torch.nn.RNN that is read from its weights, which do not tell (default: tanh)",
    )
    add_module(
        group,
        "what makes the torch module whose weights these are; it is called with nothing, or with "
        "the metadata of the file as a dict if it takes one argument. Without it, the recurrent "
        "layer is inferred from the weights and read by itself",
    )
    group.add_argument(
        "--trusted",
        action="store_true",
        help="let pickles be opened, which can run any code that their author wished",
    )


def add_module(parser, what):
    """``--module``."""
    parser.add_argument(
        "--module",
        type=_reference,
        metavar="PACKAGE.MODULE:NAME",
        help=f"a class or function, importable from here: {what}",
    )


def add_data(parser, *, required, default=None):
    """Which driving sequences."""
    group = parser.add_argument_group("the driving sequences")
    group.add_argument(
        "--data",
        type=Path,
        required=required,
        metavar="FILE",
        help="a file .npy, .npz or .safetensors with an array (n_sequences, n_steps, n_inputs), "
        "or .csv or .txt with the steps of one sequence as rows; with --module an array as the "
        "module takes it, of .csv and .txt (1, n_steps, n_inputs)"
        f"{'' if default is None else f' (default: {default})'}",
    )
    group.add_argument("--key", metavar="NAME", help="the array, where FILE holds several")
    return group


def add_computation(parser):
    """How spectra are taken, as for ``lyapunov_spectrum``."""
    group = parser.add_argument_group("the computation")
    group.add_argument(
        "--warmup",
        type=whole_number(0),
        default=0,
        metavar="N",
        help="steps at the start that are left out of the mean (default: %(default)s)",
    )
    group.add_argument(
        "--n-exponents",
        type=whole_number(1),
        metavar="K",
        help="leading exponents, which take less time (default: all)",
    )
    group.add_argument(
        "--dtype",
        choices=("float64", "float32"),
        default="float64",
        help="of the computation (default: %(default)s)",
    )
    group.add_argument("--device", help="cpu or cuda (default: a GPU where there is one)")
    add_seed(group, "draws the initial frame")
    return group


def add_seed(parser, what):
    """``--seed``."""
    parser.add_argument(
        "--seed",
        type=whole_number(0, LARGEST_SEED),
        default=0,
        metavar="S",
        help=f"{what} (default: %(default)s)",
    )


def whole_number(smallest, largest=None):
    """A parser of whole numbers within limits, for argparse."""

    def parse(text):
        if not text.isdecimal() or int(text) < smallest or (largest and int(text) > largest):
            upper = f" to {largest}" if largest else " or more"
            raise argparse.ArgumentTypeError(f"{text!r}: give a whole number, {smallest}{upper}")
        return int(text)

    return parse


def directory(text):
    """A directory, which need not be there."""
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a file: give a directory")
    return path


def output(text):
    """A file to write, which need not be there."""
    path = Path(text)
    if path.exists() and not path.is_file():
        raise argparse.ArgumentTypeError(f"{text!r} is no file that can be replaced")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r}: there is no directory {str(path.parent)!r}")
    try:
        TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written: {error.strerror}") from error
    return path


def picture(text):
    """A file for a picture, which need not be there."""
    path = output(text)
    if path.suffix.lower() not in PICTURES:
        raise argparse.ArgumentTypeError(
            f"{text!r}: give a name that ends in {', '.join(PICTURES[:-1])} or {PICTURES[-1]}"
        )
    return path


def _reference(text):
    module, _, name = text.partition(":")
    if not (module and name):
        raise argparse.ArgumentTypeError(f"{text!r}: give package.module:name")
    return module, name


def tell(options, message):
    """Say on stderr what goes on, unless ``--quiet``."""
    if not options.quiet:
        print(f"lyapsk: {message}", file=sys.stderr)


def tell_of_few(options, outcomes):
    """Say where there are too few networks to believe the scores, unless ``--quiet``."""
    for outcome in outcomes:
        if outcome.caution:
            tell(options, f"{outcome.training.title}: {outcome.caution}")
