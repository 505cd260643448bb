"""``python -m lyapsk spectrum``."""

from ._arguments import (
    ON_JSON,
    add_computation,
    add_data,
    add_network,
    add_parser,
    add_quiet,
    output,
    picture,
    tell,
    whole_number,
)

_DESCRIPTION = f"""\
Takes the Lyapunov spectrum of the network in CHECKPOINT along the sequences in FILE, and prints
it in nats per step from the largest exponent to the smallest. "Settled" are exponents whose
standard error is at most 0.01 and that no longer drift.

{ON_JSON}"""

_EXAMPLE = """\
  python -m lyapsk spectrum gru.safetensors --data sequences.npy
  python -m lyapsk spectrum net.pt --module my_package.nets:make --data tokens.npy --format json"""


def add_command(commands):
    """Add ``spectrum`` to the subparsers of a command line."""
    parser = add_parser(
        commands,
        "spectrum",
        help="print the Lyapunov spectrum of a saved network",
        description=_DESCRIPTION,
        example=_EXAMPLE,
        run=_run,
    )
    add_network(parser)
    add_data(parser, required=True).add_argument(
        "--n-steps",
        type=whole_number(1),
        metavar="N",
        help="length of the trajectories: shorter than the sequences, it cuts them; longer, it "
        "joins them end to end (default: the sequences' own)",
    )
    add_computation(parser)
    group = parser.add_argument_group("the results")
    group.add_argument(
        "--format",
        choices=("table", "json", "csv"),
        default="table",
        help="of what is printed (default: %(default)s)",
    )
    group.add_argument(
        "--out", type=output, metavar="FILE", help="write there instead of to stdout"
    )
    group.add_argument(
        "--picture",
        type=picture,
        metavar="FILE",
        help="draw the spectrum there too, as .png, .pdf or .svg",
    )
    add_quiet(group)


def _run(options):
    from .._files import write_atomically
    from ..plotting import check_matplotlib
    from ._formats import spectrum_as_csv, spectrum_as_json, spectrum_as_table, to_json
    from ._network import read_network
    from ._take import read_sequences, take_spectrum

    if options.picture is not None:
        check_matplotlib("--picture")
    network = read_network(options)
    sequences = read_sequences(network, options)
    spectrum = take_spectrum(network, sequences, options, n_steps=options.n_steps)
    if options.format == "json":
        named = {"checkpoint": str(options.checkpoint), "network": network.description}
        text = to_json(named | spectrum_as_json(spectrum))
    else:
        text = {"table": spectrum_as_table, "csv": spectrum_as_csv}[options.format](spectrum)
    if options.out is None:
        print(text)
    else:
        write_atomically(options.out, f"{text}\n".encode())
        tell(options, f"wrote {options.out}")
    if options.picture is not None:
        from ._picture import spectrum_picture

        write_atomically(options.picture, spectrum_picture(spectrum, options.picture.suffix))
        tell(options, f"drew {options.picture}")
    return 0
