"""Spectra as the arguments of the command line ask for them."""

from .. import lyapunov_spectrum
from ..exceptions import InvalidInputError
from ._arguments import tell
from ._data import TEXTS, check_width, read_data


def read_sequences(network, options):
    """The driving sequences in ``--data``, if they are what the network takes."""
    sequences = read_data(options.data, options.key)
    if network.is_bare:
        check_width(sequences, network.recurrent, options.data)
    elif options.data.suffix in TEXTS:
        return sequences[None]  # one sequence, which modules take in a batch
    return sequences


def take_spectrum(network, sequences, options, **more):
    """The spectrum of a network that was read."""
    shape = " x ".join(map(str, sequences.shape))
    tell(options, f"{options.checkpoint} is read as {network.description}")
    tell(options, f"taking its spectrum along {shape} numbers")
    try:
        return lyapunov_spectrum(
            network.model,
            sequences,
            layer=network.layer,
            warmup=options.warmup,
            n_exponents=options.n_exponents,
            dtype=options.dtype,
            device=options.device,
            random_state=options.seed,
            verbose=not options.quiet,
            **more,
        )
    except InvalidInputError as error:
        if options.data is None or not str(error).startswith("sequences: "):
            raise
        told = f"{options.data}, read as an array of shape {tuple(sequences.shape)}"
        raise InvalidInputError(str(error).replace("sequences", told, 1)) from error
