import json

import numpy as np
import pytest
import torch
from helpers import Reader, tokens
from torch import nn

from lyapsk import diagnose, lyapunov_spectrum
from lyapsk.commands._doctor import N_SEQUENCES, N_STEPS

NOISE = np.random.RandomState(0).standard_normal((N_SEQUENCES, N_STEPS, 2))


def layer(kind):
    """An Elman network with a diagnosis."""
    torch.manual_seed(0)
    made = nn.RNN(2, 20, nonlinearity="relu" if kind == "dead" else "tanh")
    with torch.no_grad():
        if kind == "stable":
            made.weight_hh_l0.copy_(0.99 * torch.eye(20))
            made.weight_ih_l0.mul_(1e-3)
            made.bias_hh_l0.zero_()
            made.bias_ih_l0.zero_()
        elif kind == "chaotic":
            made.weight_hh_l0.normal_(0, 3 / 20**0.5)
        elif kind == "dead":
            made.bias_hh_l0.fill_(-50)
    return made


@pytest.fixture
def checkpoint(tmp_path):
    def save(kind):
        torch.save(layer(kind).state_dict(), tmp_path / "net.pt")
        return tmp_path / "net.pt"

    return save


@pytest.mark.parametrize(
    ("kind", "code"), [("stable", 0), ("chaotic", 3), ("forgetting", 3), ("dead", 3)]
)
def test_diagnosis_is_that_of_the_library(run, checkpoint, kind, code):
    path = checkpoint(kind)
    extra = ["--nonlinearity", "relu"] if kind == "dead" else []
    expected = diagnose(lyapunov_spectrum(layer(kind), NOISE, random_state=0, coupling="layers"))
    assert expected.kind == kind
    ended, out, err = run("doctor", path, *extra)
    assert ended == code
    assert str(expected) in out
    assert "standard normal noise" in out
    assert "read as RNN" in err
    ended, out, err = run("doctor", path, *extra, "--format=json", "--quiet")
    assert (ended, err) == (code, "")
    told = json.loads(out, parse_constant=pytest.fail)
    assert told["kind"] == kind
    assert told["advice"] == expected.advice
    assert float(told["numbers"]["largest_exponent"]) == expected.numbers["largest_exponent"]
    assert "noise" in told["driven_by"]


def test_own_data_take_the_place_of_noise(run, checkpoint, tmp_path):
    x = 0.1 * NOISE[:2, :40]
    np.save(tmp_path / "x.npy", x)
    _, out, _ = run("doctor", checkpoint("chaotic"), "--data", tmp_path / "x.npy")
    spectrum = lyapunov_spectrum(layer("chaotic"), x, random_state=0, coupling="layers")
    assert str(diagnose(spectrum)) in out
    assert "noise" not in out
    assert out.endswith("x.npy.\n")


def test_stacked_layers_are_told_apart(run, tmp_path):
    torch.save(nn.GRU(2, 4, 2).state_dict(), tmp_path / "net.pt")
    assert "Layer by layer" in run("doctor", tmp_path / "net.pt")[1]


def test_whole_modules_need_data(run, tmp_path):
    torch.save(Reader(), tmp_path / "net.pt")
    code, out, err = run("doctor", tmp_path / "net.pt", "--trusted")
    assert (code, out) == (1, "")
    assert "in Reader takes inputs of its own kind, which noise is not" in err
    np.save(tmp_path / "x.npy", tokens())
    arguments = "doctor", tmp_path / "net.pt", "--trusted", "--data", tmp_path / "x.npy"
    assert run(*arguments)[0] in (0, 3)


def test_weights_and_states_that_are_not_finite(run, tmp_path):
    made = layer("chaotic")
    with torch.no_grad():
        made.weight_ih_l0[0, 0] = torch.inf
    torch.save(made.state_dict(), tmp_path / "net.pt")
    code, out, err = run("doctor", tmp_path / "net.pt", "--quiet")
    assert (code, out) == (1, "")
    assert "weight_ih_l0 of its RNN holds values that are not finite" in err
    exploding = nn.RNN(2, 4, nonlinearity="relu")
    nn.init.constant_(exploding.weight_hh_l0, 1e6)
    torch.save(exploding.state_dict(), tmp_path / "net.pt")
    code, out, err = run("doctor", tmp_path / "net.pt", "--nonlinearity=relu", "--quiet")
    assert (code, out) == (1, "")
    assert "the network explodes" in err


def test_missing_and_wrong_files(run, tmp_path):
    assert run("doctor", tmp_path / "net.pt")[0] == 1
    torch.save(nn.Linear(2, 3).state_dict(), tmp_path / "net.pt")
    code, _, err = run("doctor", tmp_path / "net.pt")
    assert code == 1
    assert "hold no recurrent layer" in err


def test_a_warm_up_changes_neither_the_length_told_nor_what_it_means(run, checkpoint):
    path = checkpoint("stable")
    for more in ((), ("--warmup", N_STEPS - 50)):
        code, out, _ = run("doctor", path, *more)
        assert code == 0
        assert f"{N_STEPS} steps of a sequence" in " ".join(out.split())
