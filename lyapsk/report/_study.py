"""From a training to what its spectra tell."""

import warnings

import numpy as np

from .._message import counted
from .._parallel import one_thread
from ..aelle import AeLLERegressor
from ..exceptions import FailedNetworkWarning, LyapskWarning, NumericalError
from ..transformers import LyapunovSpectrumTransformer
from ._evaluation import cross_validate
from ._limits import MINIMUM_NETWORKS
from ._outcome import Outcome


def study(training, seed=0, *, n_jobs=None, verbose=1):
    """Take spectra and cross-validate what they tell of the loss after training.

    Parameters
    ----------
    training : Training
    seed : int, default=0
        Of the folds and of the autoencoder.
    n_jobs : int, optional
        Processes. The results do not depend on their number.
    verbose : int, default=1
        Above 0, progress is shown.

    Returns
    -------
    outcome : Outcome

    Raises
    ------
    NumericalError
        If too few networks are left to predict.

    Warns
    -----
    LyapskWarning
        Of networks whose spectra could not be taken.
    """
    with one_thread():
        transformer = LyapunovSpectrumTransformer(
            training.sequences, n_jobs=n_jobs, error_score=np.nan, verbose=verbose
        )
        finished = np.isfinite(training.loss_final) & np.isfinite(training.loss_early)
        _check_enough(training, np.flatnonzero(finished))
        spectra = _spectra(transformer, training)
        unread = np.array([spectrum is None for spectrum in spectra])
        used = np.flatnonzero(finished & ~unread)
        _check_enough(training, used, transformer.failures_)
        features = transformer.from_spectra([spectra[i] for i in used])
        early, final = training.loss_early[used], training.loss_final[used]
        is_log = bool(min(early.min(), final.min()) > 0)
        early, target = (np.log(early), np.log(final)) if is_log else (early, final)
        return Outcome(
            training=training,
            spectra=spectra,
            used=used,
            is_log=is_log,
            scores=cross_validate(
                features,
                early,
                target,
                seed,
                early_name=f"loss {training.moment}",
                n_jobs=n_jobs,
                verbose=verbose,
            ),
            latent=_two_dimensional(features, target, seed),
        )


def _spectra(transformer, training):
    """A spectrum for each network, or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FailedNetworkWarning)
        spectra = transformer.fit(training.networks).spectra(training.networks)
    for index, cause in transformer.failures_[:1]:
        warnings.warn(
            f"{training.title}: the spectra of {len(transformer.failures_)} of {len(training)} "
            f"networks could not be taken. Of {training.names[index]}: {cause}",
            LyapskWarning,
            stacklevel=3,
        )
    return spectra


def _check_enough(training, used, failures=()):
    """Refuse what cannot be cross-validated."""
    if len(used) < MINIMUM_NETWORKS:
        n_diverged = int((~np.isfinite(training.loss_final)).sum())
        unread, remedy = "", "train more networks, or others."
        if failures:
            unread = f" and the spectra of {len(failures)} cannot be taken"
            remedy = f"mend that, of which the first is: {failures[0][1]}"
        raise NumericalError(
            f"{training.title}: {n_diverged} of {counted(len(training), 'network')} diverged"
            f"{unread}, and {MINIMUM_NETWORKS} are needed: {remedy}"
        )


def _two_dimensional(features, target, seed):
    aelle = AeLLERegressor(latent_dim=2, random_state=seed)
    return aelle.fit(features, target).transform(features)
