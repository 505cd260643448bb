"""The demo from the first network to the last file."""

import numpy as np

from .._files import writable_directory, write_atomically
from .._parallel import one_thread
from ..aelle import AeLLERegressor
from ..exceptions import InvalidInputError, NumericalError
from ..plotting import check_matplotlib
from ..report import to_csv
from ..tasks import digits_by_pixels, make_population
from ..transformers import LyapunovSpectrumTransformer
from ._evaluation import N_REPEATS, N_SPLITS, cross_validate
from ._figures import overview_figure
from ._limits import DEFAULT_NETWORKS, MINIMUM_NETWORKS
from ._outcome import Outcome
from ._report import render
from ._tables import networks_table, scores_table, spectra_table

N_SEQUENCES = 4


def run_demo(out, n_networks=DEFAULT_NETWORKS, seed=0, *, max_epochs=12, n_jobs=2):
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
    n_jobs : int, default=2
        Processes. The results do not depend on their number.

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
        outcome = _experiment(n_networks, seed, max_epochs, n_jobs)
    _write(outcome, out)
    return outcome


def _experiment(n_networks, seed, max_epochs, n_jobs):
    """Spectra of the untrained networks, and what they tell about the trained ones."""
    task = digits_by_pixels(random_state=seed)
    population = make_population(
        task, n_networks, max_epochs=max_epochs, n_jobs=n_jobs, random_state=seed
    )
    before, final = population.losses[:, 0], population.final_loss
    finished = _finished(final)
    spectra, features = _measure(population.nets(epoch=0), task.X_valid[:N_SEQUENCES], n_jobs)
    features, target = features[finished], np.log(final[finished])
    return Outcome(
        recipes=population.recipes,
        spectra=spectra,
        loss_before=before,
        loss_final=final,
        scores=cross_validate(features, before[finished], target, seed, n_jobs),
        latent=_two_dimensional(features, target, seed),
        settings=_settings(task, n_networks, seed, max_epochs),
    )


def _measure(networks, sequences, n_jobs):
    """Spectrum and features of each network along driving sequences."""
    transformer = LyapunovSpectrumTransformer(sequences, n_jobs=n_jobs, verbose=1)
    spectra = transformer.fit(networks).spectra(networks)
    return [spectrum.exponents for spectrum in spectra], transformer.from_spectra(spectra)


def _finished(loss_final):
    """Indices of the networks that did not diverge."""
    finished = np.flatnonzero(np.isfinite(loss_final))
    if len(finished) < MINIMUM_NETWORKS:
        raise NumericalError(
            f"{len(loss_final) - len(finished)} of {len(loss_final)} networks diverged, and "
            f"{MINIMUM_NETWORKS} are needed: train more networks, or try another seed."
        )
    return finished


def _two_dimensional(features, target, seed):
    aelle = AeLLERegressor(latent_dim=2, random_state=seed)
    return aelle.fit(features, target).transform(features)


def _settings(task, n_networks, seed, max_epochs):
    return {
        "task": f"{task.name}, {task.X_train.shape[1]} steps",
        "networks": f"{n_networks}: RNN, GRU and LSTM, 8 to 48 units",
        "recurrent weights": "uniform in plus or minus p, p log-uniform from 0.03 to 2",
        "training": f"{max_epochs} epochs on {len(task.X_train)} sequences",
        "spectra": f"before training, along {N_SEQUENCES} validation sequences",
        "cross-validation": f"{N_SPLITS} folds, {N_REPEATS} times, the same for each predictor",
        "seed": seed,
    }


def _write(outcome, out):
    """Tables and pictures, the report last."""
    contents = {
        "results.csv": to_csv(networks_table(outcome)),
        "spectra.csv": to_csv(spectra_table(outcome)),
        "scores.csv": to_csv(scores_table(outcome.scores)),
        "overview.png": overview_figure(outcome),
        "report.html": render(outcome),
    }
    for name, content in contents.items():
        write_atomically(out / name, content)
