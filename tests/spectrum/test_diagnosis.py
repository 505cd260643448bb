import numpy as np
import pytest
import torch
from torch import nn

from lyapsk import Diagnosis, LyapunovSpectrum, diagnose, lyapunov_spectrum
from lyapsk.exceptions import InvalidInputError, InvalidTypeError


def spectrum(largest, error=0.0, n_steps=50, drift=0.0, others=(-6.0,), **parts):
    exponents = np.array([largest, *others])
    errors = np.array([error, *np.zeros(len(others))])
    return LyapunovSpectrum(
        exponents=exponents,
        standard_error=errors,
        per_sequence=np.tile(exponents, (4, 1)),
        drift=np.array([drift, *np.zeros(len(others))]),
        n_batches=4,
        n_steps=np.full(4, n_steps),
        state_size=len(exponents),
        **parts,
    )


@pytest.mark.parametrize(
    ("largest", "error", "kind"),
    [
        (0.2, 0.0, "chaotic"),
        (0.0922, 0.0, "chaotic"),
        (0.0920, 0.0, "stable"),
        (0.2, 0.11, "stable"),
        (0.2, np.inf, "stable"),
        (0.0, 0.0, "stable"),
        (-0.199, 0.0, "stable"),
        (-0.201, 0.0, "forgetting"),
        (-50.0, 0.0, "forgetting"),
        (-np.inf, 0.0, "dead"),
    ],
)
def test_kinds_and_where_one_ends(largest, error, kind):
    found = diagnose(spectrum(largest, error, others=(largest - 1,)))
    assert isinstance(found, Diagnosis)
    assert found.kind == kind
    text = str(found)
    assert text.startswith(f"Diagnosis: {kind}\n")
    assert "nan" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_length_that_counts_can_be_set():
    joined = spectrum(-0.05, n_steps=1000)
    assert diagnose(joined).kind == "forgetting"
    found = diagnose(joined, n_steps=100)
    assert found.kind == "stable"
    assert "told for sequences of      100 steps" in str(found)
    assert "told for sequences of      1000 steps" in str(diagnose(joined))


@pytest.mark.parametrize("n_steps", [0, -3, 2.5, "10", True])
def test_lengths_that_are_none(n_steps):
    with pytest.raises(InvalidInputError, match=r"n_steps: got .*whole number of at least 1"):
        diagnose(spectrum(-0.05), n_steps=n_steps)


@pytest.mark.parametrize("value", [None, [spectrum(-0.05)], nn.GRU(1, 2), np.zeros(3)])
def test_what_is_no_spectrum(value):
    with pytest.raises(InvalidTypeError, match=r"spectrum: got .* must be a LyapunovSpectrum"):
        diagnose(value)


def test_a_stable_network_that_shrinks_much_is_not_said_to_keep_all():
    for largest, keeps in ((-0.05, True), (-0.15, False), (0.05, True)):
        found = diagnose(spectrum(largest))
        assert found.kind == "stable"
        assert ("can use all of it" in found.meaning) == keeps
        assert (found.advice == "Nothing.") == keeps
    assert "more than 34 steps ago less than a hundredth" in diagnose(spectrum(-0.15)).meaning


def test_a_network_that_may_be_chaotic_is_not_said_to_keep_its_gradients():
    found = diagnose(spectrum(0.2, 0.11))
    assert found.kind == "stable"
    assert "cannot be told" in found.meaning
    assert found.advice == "Take more steps."


def test_numbers_are_told_without_needless_powers_of_ten():
    assert "every 200 steps" in diagnose(spectrum(-0.005, n_steps=5000)).summary
    assert "more than 1,000 steps ago" in diagnose(spectrum(-0.005, n_steps=5000)).meaning
    assert "grow 100 times" in diagnose(spectrum(0.0922)).summary
    assert "gradient horizon           2,000 steps" in str(diagnose(spectrum(-0.0005)))
    assert "gradient horizon           inf steps" in str(diagnose(spectrum(0.0)))
    assert "grow 7.2e+86 times" in diagnose(spectrum(4.0)).summary


def test_texts_hold_the_numbers():
    chaotic = diagnose(spectrum(0.5, 0.02, n_steps=20))
    assert "0.5 ± 0.02 nats per step" in chaotic.summary
    assert "grow 22,000 times over the 20 steps" in chaotic.summary
    forgetting = diagnose(spectrum(-0.5))
    assert "every 2 steps, while sequences have 50" in forgetting.summary
    assert "more than 10 steps ago" in forgetting.meaning
    assert "shrink 1.6 times" in diagnose(spectrum(-0.01)).summary
    assert "grow 1.6 times" in diagnose(spectrum(0.01)).summary


def test_numbers():
    numbers = diagnose(spectrum(0.1, 0.01, others=(0.05, -1, -7))).numbers
    assert numbers["largest_exponent"] == 0.1
    assert numbers["gradient_horizon"] == pytest.approx(10)
    assert numbers["growth"] == pytest.approx(np.exp(5))
    assert numbers["n_positive"] == 2
    assert numbers["entropy_rate"] == pytest.approx(0.15)
    assert numbers["share_lost"] == 0.25
    assert numbers["n_exponents"] == numbers["state_size"] == 4
    assert numbers["layers"] is None
    assert numbers["share_settled"] == 1
    assert diagnose(spectrum(0.1, 0.02, others=(-1, -2, -3))).numbers["share_settled"] == 0.75


def test_layers_are_told_from_the_first_to_the_last():
    layers = np.array(["l10", "l2", "l2_reverse", "l1"])
    found = diagnose(spectrum(-0.1, others=(-0.2, -0.3, -0.4), layers=layers))
    assert list(found.numbers["layers"]) == ["l1", "l2", "l2_reverse", "l10"]


def test_how_many_more_steps_would_settle_it():
    (remark,) = diagnose(spectrum(-0.01, 0.03)).remarks
    assert "standard error is 0.03. About 1,600 steps more than the 200 " in remark
    assert remark.endswith("the diagnosis still stands.")
    (remark,) = diagnose(spectrum(-0.17, 0.02)).remarks
    assert remark.endswith("could yet change.")
    (remark,) = diagnose(spectrum(-0.01, np.inf)).remarks
    assert "so few steps" in remark


def test_drift_is_told_where_it_matters():
    assert not diagnose(spectrum(-0.5, 0.001, drift=0.1)).remarks
    assert not diagnose(spectrum(-0.1995, 0.009, drift=-0.01)).remarks
    (remark,) = diagnose(spectrum(-0.19, 0.001, drift=-0.1)).remarks
    assert "drifts, by -0.1 nats" in remark


def test_layers_are_told_apart():
    torch.manual_seed(0)
    layer = nn.RNN(2, 5, num_layers=2, nonlinearity="relu")
    with torch.no_grad():
        layer.bias_hh_l1.fill_(-50.0)
        layer.weight_hh_l0.copy_(0.99 * torch.eye(5))
        layer.weight_ih_l0.abs_()
        layer.bias_hh_l0.fill_(1.0)
    taken = lyapunov_spectrum(layer, torch.rand(2, 30, 2), coupling="layers")
    found = diagnose(taken)
    assert found.kind == "stable"
    assert {name: own["kind"] for name, own in found.numbers["layers"].items()} == {
        "l0": "stable",
        "l1": "dead",
    }
    assert "l0 stable (-0.0101), l1 dead (-inf)" in " ".join(found.remarks)


def test_dead_networks_of_any_precision():
    layer = nn.RNN(1, 3, nonlinearity="relu")
    nn.init.constant_(layer.bias_hh_l0, -50.0)
    assert diagnose(lyapunov_spectrum(layer, torch.zeros(1, 10, 1))).kind == "dead"
