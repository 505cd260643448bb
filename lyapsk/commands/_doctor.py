"""``python -m lyapsk doctor``."""

from textwrap import fill

from ._arguments import ON_JSON, add_computation, add_data, add_network, add_parser, add_quiet

N_SEQUENCES, N_STEPS = 8, 200
FOUND = 3

_DESCRIPTION = f"""\
Says in plain words what the network in CHECKPOINT does to small differences in its state, and so
to what it remembers and to the gradients that train it:

  stable      differences keep their size for long: gradients get through
  chaotic     differences grow, and gradients with them
  forgetting  differences, and gradients, are gone after a fraction of a sequence
  dead        nothing outlives a single step

Without --data a recurrent layer is driven by {N_SEQUENCES} sequences of {N_STEPS} steps of standard
normal noise.

{ON_JSON}"""

_ON_NOISE = (
    f"Driven by {N_SEQUENCES} sequences of {N_STEPS} steps of standard normal noise, for want of "
    "--data. On its own data the same network can be another: larger inputs saturate units and "
    "calm it, smaller or constant ones leave it to itself, and its own sequences may be shorter "
    "or longer. Give some of them with --data for a diagnosis that holds there."
)

_EXAMPLE = """\
  python -m lyapsk doctor gru.safetensors
  python -m lyapsk doctor gru.safetensors --data sequences.npy"""


def add_command(commands):
    """Add ``doctor`` to the subparsers of a command line."""
    parser = add_parser(
        commands,
        "doctor",
        help="say in plain words whether a saved network is stable, chaotic, forgetting or dead",
        description=_DESCRIPTION,
        example=_EXAMPLE,
        run=_run,
        exit_codes={0: "stable", FOUND: "chaotic, forgetting or dead"},
    )
    add_network(parser)
    add_data(parser, required=False)
    add_computation(parser)
    group = parser.add_argument_group("the results")
    group.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="of what is printed (default: %(default)s)",
    )
    add_quiet(group)


def _run(options):
    from ..spectrum import diagnose
    from ._formats import to_json
    from ._network import read_network
    from ._take import read_sequences, take_spectrum

    network = read_network(options)
    on_noise = options.data is None
    sequences = _noise(network, options) if on_noise else read_sequences(network, options)
    # Layers with frames of their own take less time, and tell which of them it is.
    spectrum = take_spectrum(network, sequences, options, coupling="layers")
    found = diagnose(spectrum, n_steps=int(spectrum.n_steps.max()) + options.warmup)
    told = {
        "checkpoint": str(options.checkpoint),
        "network": network.description,
        "driven_by": _ON_NOISE if on_noise else str(options.data),
    }
    if options.format == "json":
        print(to_json(told | vars(found)))
    else:
        driven_by = fill(_ON_NOISE, 79) if on_noise else f"Driven by {options.data}."
        print(f"{options.checkpoint}: {network.description}\n\n{found}\n\n{driven_by}")
    return 0 if found.kind == "stable" else FOUND


def _noise(network, options):
    """Standard normal inputs for a bare layer."""
    from .._random_state import random_numbers
    from ..exceptions import InvalidInputError

    width = getattr(network.recurrent, "input_size", None)
    if not network.is_bare or width is None:
        raise InvalidInputError(
            f"--data: {network.description} takes inputs of its own kind, which noise is not. Give "
            "a file of them."
        )
    return random_numbers(options.seed).standard_normal((N_SEQUENCES, N_STEPS, width))
