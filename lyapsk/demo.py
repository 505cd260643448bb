"""The main job, end to end, on real data: ``python -m lyapsk demo``."""

from ._files import writable_directory
from ._parallel import one_thread
from .exceptions import InvalidInputError
from .plotting import check_matplotlib
from .report._limits import DEFAULT_NETWORKS, MINIMUM_NETWORKS, N_SEQUENCES
from .report._study import study
from .report._training import Training
from .report._write import write_report
from .tasks import digits_by_pixels, make_population


def run_demo(out, n_networks=DEFAULT_NETWORKS, seed=0, *, max_epochs=12, n_jobs=2, verbose=1):
    """Measure, train and predict a population of networks; write what was found.

    Parameters
    ----------
    out : str or Path
        Directory of the report, the picture and the tables; made if missing.
    n_networks : int, default=150
        Size of the population, at least 10.
    seed : int, default=0
        Seeds the data split, the networks, the folds and the autoencoder.
    max_epochs : int, default=12
        Epochs of training.
    n_jobs, verbose : int, default=2 and 1
        As `study` takes them.

    Returns
    -------
    outcome : Outcome

    Raises
    ------
    ImportError
        If matplotlib is missing.
    InvalidInputError
        If `n_networks` is too small for the cross-validation.
    NumericalError
        If so many networks diverged that too few are left.
    OSError
        If `out` cannot be made or written to.
    """
    check_matplotlib("The demo")
    if n_networks < MINIMUM_NETWORKS:
        raise InvalidInputError(f"n_networks={n_networks}: take at least {MINIMUM_NETWORKS}.")
    out = writable_directory("out", out)
    with one_thread():
        population = make_population(
            digits_by_pixels(random_state=seed),
            n_networks,
            max_epochs=max_epochs,
            n_jobs=n_jobs,
            random_state=seed,
            verbose=verbose,
        )
    training = Training.of_population(population, epoch=0, n_sequences=N_SEQUENCES)
    outcome = study(training, seed, n_jobs=n_jobs, verbose=verbose)
    write_report([outcome], out, seed)
    return outcome
