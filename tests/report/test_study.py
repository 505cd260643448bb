from dataclasses import replace

import numpy as np
import pytest

from lyapsk import LyapunovSpectrumTransformer
from lyapsk.exceptions import LyapskWarning, NumericalError
from lyapsk.report._study import study
from lyapsk.report._training import Training


@pytest.fixture(scope="module")
def training(digits):
    return Training.of_population(digits, epoch=0, n_sequences=2)


@pytest.mark.parametrize("epoch", [0, 1])
def test_spectra_and_losses_are_those_of_the_epoch(digits, epoch):
    training = Training.of_population(digits, epoch=epoch, n_sequences=2)
    outcome = study(training, verbose=0)
    nets = digits.nets(epoch)
    expected = LyapunovSpectrumTransformer(digits.task.X_valid[:2]).fit(nets).spectra(nets)
    for one, other in zip(outcome.spectra, expected, strict=True):
        np.testing.assert_allclose(one.exponents, other.exponents, rtol=1e-9)
    np.testing.assert_array_equal(training.loss_early, digits.losses[:, epoch])
    assert outcome.scores[1].predictor == f"loss {training.moment}"
    assert training.moment == ("before training", "after 1 epoch")[epoch]
    np.testing.assert_array_equal(outcome.target, np.log(digits.final_loss))


def spoiled(training, losses=(), weights=()):
    """The same with some networks that diverged, and some whose weights are not finite."""
    curves, networks = training.losses.copy(), list(training.networks)
    curves[list(losses), 1:] = np.nan
    for index in weights:
        (weight, *_) = networks[index].module_.recurrent.parameters()
        weight.data[0, 0] = np.nan
    return replace(training, losses=curves, networks=networks)


def test_failed_networks_do_not_lose_the_others(quick, digits):
    training = Training.of_population(quick(digits.task, 12), 0, 2)
    with pytest.warns(LyapskWarning, match=r"spectra of 1 of 12 networks could not .* Of 3: "):
        outcome = study(spoiled(training, losses=[7], weights=[3]), verbose=0)
    assert outcome.used.tolist() == [0, 1, 2, 4, 5, 6, 8, 9, 10, 11]
    assert outcome.spectra[3] is None
    assert (outcome.n_diverged, outcome.n_unread) == (1, 1)
    assert len(outcome.latent) == len(outcome.loss) == 10


def test_failed_networks_are_as_if_they_had_never_been(quick, digits):
    training = Training.of_population(quick(digits.task, 12), 0, 2)
    with pytest.warns(LyapskWarning, match="spectra of 1 of 12"):
        outcome = study(spoiled(training, losses=[7], weights=[3]), verbose=0)
    recipes, names, networks = (
        [list(parts)[i] for i in outcome.used]
        for parts in (training.recipes, training.names, training.networks)
    )
    left = replace(
        training,
        losses=training.losses[outcome.used],
        metrics=training.metrics[outcome.used],
        **{"recipes": recipes, "names": names, "networks": networks},
    )
    for one, other in zip(outcome.scores, study(left, verbose=0).scores, strict=True):
        np.testing.assert_allclose(one.out_of_fold, other.out_of_fold, rtol=1e-6)


def test_too_few_networks_are_an_error(quick, digits):
    training = Training.of_population(quick(digits.task), 0, 2)
    with pytest.raises(NumericalError, match="digits by rows: 2 of 11 networks diverged, and 10"):
        study(spoiled(training, losses=[0, 1]), verbose=0)
    with (
        pytest.raises(
            NumericalError,
            match=r"of 2 cannot be taken, .* mend that, of which the first is: ",
        ),
        pytest.warns(LyapskWarning, match="2 of 11"),
    ):
        study(spoiled(training, weights=[0, 1]), verbose=0)


def test_losses_that_are_not_positive_are_predicted_as_they_are(training):
    outcome = study(replace(training, losses=training.losses - 3), verbose=0)
    assert not outcome.is_log
    np.testing.assert_array_equal(outcome.target, training.loss_final - 3)
    assert outcome.target_name == "loss"


def test_networks_without_an_early_loss_are_not_predicted(quick, digits):
    training = Training.of_population(quick(digits.task, 12), 0, 2)
    losses = training.losses.copy()
    losses[[1, 2], 0] = np.nan, np.inf
    outcome = study(replace(training, losses=losses), verbose=0)
    assert outcome.used.tolist() == [0, *range(3, 12)]


def test_early_losses_that_are_not_positive_keep_the_scale_too(training):
    losses = training.losses.copy()
    losses[2, 0] = -1.0
    outcome = study(replace(training, losses=losses), verbose=0)
    assert not outcome.is_log
    np.testing.assert_array_equal(outcome.target, training.loss_final)
