"""``python -m lyapsk spectrum``: what it prints is what ``lyapunov_spectrum`` gives."""

import io
import json
import os
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from helpers import Hostile, Reader, make_net, tokens
from safetensors.torch import save_file
from torch import nn

from lyapsk import lyapunov_spectrum

X = np.random.default_rng(0).normal(size=(3, 20, 2))


@pytest.fixture(scope="module")
def layer():
    torch.manual_seed(0)
    return nn.GRU(2, 5, 2)


@pytest.fixture(scope="module")
def expected(layer):
    return lyapunov_spectrum(layer, X, random_state=0)


@pytest.fixture
def files(layer, tmp_path):
    """A checkpoint and driving sequences."""
    save_file(layer.state_dict(), tmp_path / "net.safetensors")
    np.save(tmp_path / "x.npy", X)
    return tmp_path / "net.safetensors", "--data", tmp_path / "x.npy"


def test_json_holds_all_numbers(run, files, expected):
    code, out, err = run("spectrum", *files, "--format", "json")
    assert code == 0
    told = json.loads(out, parse_constant=pytest.fail)
    for name in ("exponents", "standard_error", "drift", "per_sequence"):
        np.testing.assert_array_equal(told[name], getattr(expected, name))
    assert told["settled"] == expected.converged.tolist()
    assert told["kaplan_yorke_dimension"] == expected.kaplan_yorke_dimension
    assert told["entropy_rate"] == expected.entropy_rate
    assert told["gradient_horizon"] == expected.gradient_horizon
    assert told["n_steps"] == [20, 20, 20]
    assert told["layers"] is None
    assert told["network"].startswith("GRU, 2 layers of 5 units, 2 inputs")
    assert "is read as GRU, 2 layers of 5 units, 2 inputs" in err


def test_csv_has_a_row_for_each_exponent(run, files, expected):
    code, out, _ = run("spectrum", *files, "--format", "csv")
    table = pd.read_csv(io.StringIO(out))
    assert code == 0
    assert list(table.columns) == ["rank", "exponent", "standard_error", "drift", "settled"]
    np.testing.assert_allclose(table.exponent, expected.exponents, rtol=1e-12)
    np.testing.assert_allclose(table.standard_error, expected.standard_error, rtol=1e-10)


def test_table(run, files, expected):
    code, out, _ = run("spectrum", *files)
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == ["state", "size", "10"]
    head = lines.index("rank    exponent  std. error  settled")
    assert len(lines) == head + 1 + 10
    rank, exponent, _, settled = lines[head + 1].split()
    assert (rank, exponent) == ("1", f"{expected.exponents[0]:.5f}")
    assert settled == ("yes" if expected.converged[0] else "no")
    for name in ("Kaplan-Yorke dimension", "entropy rate", "gradient horizon"):
        assert name in out


def test_layers_of_two_directions_are_named(run, tmp_path):
    torch.save(nn.RNN(2, 3, bidirectional=True).state_dict(), tmp_path / "net.pt")
    np.save(tmp_path / "x.npy", X)
    files = tmp_path / "net.pt", "--data", tmp_path / "x.npy"
    assert "l0_reverse" in run("spectrum", *files)[1]
    assert "l0_reverse" in json.loads(run("spectrum", *files, "--format", "json")[1])["layers"]
    assert "layer" in run("spectrum", *files, "--format", "csv")[1].splitlines()[0]


def test_infinities_are_strings_in_json(run, tmp_path):
    layer = nn.RNN(2, 3, nonlinearity="relu")
    nn.init.constant_(layer.bias_hh_l0, -50.0)
    torch.save(layer.state_dict(), tmp_path / "net.pt")
    np.save(tmp_path / "x.npy", X)
    files = tmp_path / "net.pt", "--nonlinearity", "relu", "--data", tmp_path / "x.npy"
    told = json.loads(run("spectrum", *files, "--format", "json")[1], parse_constant=pytest.fail)
    assert told["exponents"] == ["-Infinity"] * 3
    assert float(told["exponents"][0]) == -np.inf
    table = pd.read_csv(io.StringIO(run("spectrum", *files, "--format", "csv")[1]))
    assert np.isneginf(table.exponent).all()
    assert "-inf" in run("spectrum", *files)[1]


def test_options_reach_the_computation(run, files, layer):
    options = {"n_exponents": 3, "n_steps": 30, "warmup": 4, "dtype": "float32"}
    given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    code, out, _ = run("spectrum", *files, *given, "--seed", 3, "--device=cpu", "--format=json")
    expected = lyapunov_spectrum(layer, X, random_state=3, device="cpu", **options)
    assert code == 0
    np.testing.assert_array_equal(json.loads(out)["exponents"], expected.exponents)


def test_one_sequence_as_text(run, files, layer, tmp_path):
    np.savetxt(tmp_path / "x.csv", X[0], delimiter=",", header="a,b", comments="")
    _, out, _ = run("spectrum", files[0], "--data", tmp_path / "x.csv", "--format=json")
    expected = lyapunov_spectrum(layer, X[:1], random_state=0)
    np.testing.assert_allclose(json.loads(out)["exponents"], expected.exponents, rtol=1e-12)


def test_quiet_and_out(run, files, tmp_path):
    out = tmp_path / "new.csv"
    printed = run("spectrum", *files, "--format=csv", "--quiet")
    assert run("spectrum", *files, "--format=csv", "--quiet", "--out", out) == (0, "", "")
    assert printed == (0, out.read_text(), "")
    assert "wrote" in run("spectrum", *files, "--format=csv", "--out", out)[2]


@pytest.mark.parametrize(
    ("suffix", "start"),
    [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml"), (".PNG", b"\x89")],
)
def test_picture(run, files, tmp_path, suffix, start):
    path = tmp_path / f"spectrum{suffix}"
    code, out, err = run("spectrum", *files, "--picture", path)
    assert code == 0
    assert "rank" in out
    assert f"drew {path}" in err
    assert path.read_bytes().startswith(start)


def test_missing_matplotlib_is_told_before_anything_is_done(run, files, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, out, err = run("spectrum", *files, "--picture", tmp_path / "p.png")
    assert (code, out) == (1, "")
    assert 'pip install "lyapsk[plots]"' in err


# Whole modules

MODULES = """\
from torch import nn
from helpers import Reader

told = []

def make():
    return Reader(nn.LSTM, n_units=4)

def make_of(metadata):
    told.append(metadata)
    return Reader(nn.LSTM, n_units=int(metadata["units"]))

def make_optionally(metadata=None):
    return make_of(metadata)

class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.recurrent = nn.GRU(2, 5, batch_first=True)
        self.readout = nn.Linear(5, 1)

    def forward(self, x):
        return self.readout(self.recurrent(x)[0][:, -1])

class Net(Reader):
    def __init__(self, kind=nn.LSTM, n_units=4):
        super().__init__(kind, n_units)

def fail():
    raise RuntimeError("no such size")

def nothing():
    return 3

number = 3
itself = Reader()
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A directory with a module file, weights and tokens, to which the process has moved."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    (tmp_path / "nets_of_mine.py").write_text(MODULES)
    torch.manual_seed(0)
    net = Reader(nn.LSTM, n_units=4)
    save_file(net.state_dict(), "net.safetensors", metadata={"units": "4"})
    np.save("tokens.npy", tokens())
    return net


@pytest.mark.parametrize("name", ["make", "make_of", "make_optionally", "Net"])
def test_modules_are_run_whole(run, project, name):
    code, out, err = run(
        *("spectrum", "net.safetensors", "--data", "tokens.npy", "--format=json"),
        *("--module", f"nets_of_mine:{name}"),
    )
    assert code == 0, err
    expected = lyapunov_spectrum(project, tokens(), random_state=0)
    np.testing.assert_array_equal(json.loads(out)["exponents"], expected.exponents)
    assert "LSTM, 1 layer of 4 units, 4 inputs, in " in err


@pytest.mark.parametrize("suffix", [".pt", ".ckpt", ".bin"])
def test_modules_among_what_training_loops_save(run, project, suffix):
    torch.save({"model": project.state_dict(), "epoch": 3}, f"net{suffix}")
    files = f"net{suffix}", "--data", "tokens.npy", "--format=json"
    code, out, err = run("spectrum", *files, "--module", "nets_of_mine:Net")
    assert code == 0, err
    expected = lyapunov_spectrum(project, tokens(), random_state=0)
    np.testing.assert_array_equal(json.loads(out)["exponents"], expected.exponents)
    np.save("features.npy", np.ones((2, 5, 4)))
    _, _, err = run("spectrum", f"net{suffix}", "--data", "features.npy")
    assert "(model.recurrent, inferred from the weights)" in err


@pytest.mark.parametrize("suffix", [".csv", ".txt"])
def test_modules_take_text_as_a_batch_of_one(run, project, suffix):
    net = nn.ModuleDict({"recurrent": nn.GRU(2, 5), "readout": nn.Linear(5, 1)})
    torch.save(net.state_dict(), "regressor.pt")
    np.savetxt(f"x{suffix}", X[0], delimiter=",")
    arguments = "spectrum", "regressor.pt", "--module", "nets_of_mine:Regressor", "--format=json"
    code, out, err = run(*arguments, "--data", f"x{suffix}")
    assert code == 0, err
    expected = lyapunov_spectrum(net["recurrent"], X[:1], random_state=0).exponents
    np.testing.assert_allclose(json.loads(out)["exponents"], expected, atol=1e-9)
    np.save("x.npy", X[0])
    code, _, err = run(*arguments, "--data", "x.npy", "--quiet")
    assert code == 1
    assert "x.npy, read as an array of shape (20, 2): the module's own forward failed" in err


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nets_of_mine:absent", "nets_of_mine has no absent"),
        ("nets_of_mine:number", "has int, no function or class, number"),
        ("nets_of_yours:make", "importing nets_of_yours failed with ModuleNotFoundError"),
        ("nets_of_mine:fail", "RuntimeError: no such size"),
        ("nets_of_mine:nothing", "module: gave 3"),
        ("nets_of_mine:itself", "module: got a Reader itself"),
        ("torch.nn:Identity", "of the Identity that module gave: 7 unexpected ("),
    ],
)
def test_modules_that_cannot_be_made(run, project, reference, message):
    code, out, err = run(
        *("spectrum", "net.safetensors", "--data", "tokens.npy", "--module", reference)
    )
    assert (code, out) == (1, "")
    assert message in err
    assert len(err.splitlines()) == 1


SAVE = {
    ".pkl": lambda network, path: path.write_bytes(pickle.dumps(network)),
    ".pickle": lambda network, path: path.write_bytes(pickle.dumps(network)),
    ".joblib": joblib.dump,
    ".pt": torch.save,
    ".pth": torch.save,
}


@pytest.mark.parametrize("suffix", SAVE)
@pytest.mark.parametrize("whole", [True, False])
def test_pickles_only_where_they_are_trusted(run, tmp_path, suffix, whole):
    net = make_net() if whole else Reader()
    path = tmp_path / f"net{suffix}"
    SAVE[suffix](net, path)
    np.save(tmp_path / "x.npy", tokens())
    arguments = "spectrum", path, "--data", tmp_path / "x.npy", "--format=json"
    code, out, err = run(*arguments)
    assert (code, out) == (1, "")
    assert "is a pickle, and to open one can run any code" in err
    assert len(err.splitlines()) == 1
    code, out, err = run(*arguments, "--trusted")
    expected = lyapunov_spectrum(net, tokens(), random_state=0).exponents
    assert code == 0
    np.testing.assert_array_equal(json.loads(out)["exponents"], expected)
    assert "GRU, 1 layer of 5 units, 4 inputs, in Reader" in err


def test_trusted_state_dicts_are_weights_all_the_same(run, layer, tmp_path, expected):
    for suffix, save in SAVE.items():
        save(dict(layer.state_dict()), tmp_path / f"net{suffix}")
        np.save(tmp_path / "x.npy", X)
        files = tmp_path / f"net{suffix}", "--data", tmp_path / "x.npy"
        out = run("spectrum", *files, "--trusted", "--format=json")[1]
        np.testing.assert_array_equal(json.loads(out)["exponents"], expected.exponents)


def test_whole_networks_without_a_layer_or_with_several(run, tmp_path):
    np.save(tmp_path / "x.npy", X)
    path = tmp_path / "net.pt"
    arguments = "spectrum", path, "--data", tmp_path / "x.npy", "--trusted"
    torch.save(nn.Linear(2, 3), path)
    code, _, err = run(*arguments)
    assert code == 1
    assert err.endswith("with torch's own forward, or one of lyapsk.nn.\n")
    assert len(err.splitlines()) == 1
    torch.save(nn.ModuleDict({"a": nn.GRU(2, 3), "b": nn.GRU(2, 3)}), path)
    code, _, err = run(*arguments)
    assert code == 1
    assert "2 recurrent layers: 'a', 'b'. Say which one to follow, for example --layer 'a'" in err


@pytest.mark.parametrize("command", ["spectrum", "doctor"])
@pytest.mark.parametrize("suffix", [*SAVE, ".safetensors"])
def test_hostile_checkpoints_execute_nothing(run, tmp_path, command, suffix):
    path, marker = tmp_path / f"net{suffix}", tmp_path / "marker"
    np.save(tmp_path / "x.npy", X)
    for save in SAVE.values():
        save(Hostile(marker), path)
        code, out, err = run(command, path, "--data", tmp_path / "x.npy")
        assert (code, out) == (1, "")
        assert len(err.splitlines()) == 1
        assert not marker.exists()


def refusals(directory, layer):
    """Arguments and what the error says."""
    np.save(directory / "x.npy", X)
    np.save(directory / "wide.npy", np.zeros((2, 5, 7)))
    np.save(directory / "nan.npy", np.full((1, 5, 2), np.nan))
    torch.save(layer.state_dict(), directory / "net.pt")
    torch.save(torch.zeros(3), directory / "tensor.pt")
    torch.save({"epoch": 3}, directory / "none.pt")
    ring = dict(layer.state_dict())
    ring["ring"] = ring
    torch.save(ring, directory / "ring.pt")
    (directory / "empty.pt").write_bytes(b"")
    (directory / "d.npy").mkdir()
    os.mkfifo(directory / "pipe.pt")
    (directory / "net.onnx").write_bytes(b"")
    (directory / "net.pkl").write_bytes(b"")
    bad = dict(layer.state_dict())
    bad["weight_hh_l0"] = torch.full_like(bad["weight_hh_l0"], torch.nan)
    torch.save(bad, directory / "nan.pt")
    return [
        ("gone.pt x.npy", "gone.pt: there is no such file"),
        ("net.pt gone.npy", "gone.npy: there is no such file"),
        (". x.npy", ". is a directory. Give a file."),
        ("net.pt d.npy", "d.npy is a directory. Give a file."),
        ("pipe.pt x.npy", "pipe.pt is no regular file"),
        ("net.onnx x.npy", "must end in one of .safetensors, .pt"),
        ("net.pkl x.npy --module a:b", "--module: net.pkl is a pickle of a whole network"),
        ("tensor.pt x.npy", "tensor.pt: these weights hold no recurrent layer"),
        ("none.pt x.npy", "none.pt: these weights hold no recurrent layer"),
        ("ring.pt x.npy", "ring.pt: its parts hold each other"),
        ("empty.pt x.npy", "empty.pt cannot be read as a network"),
        ("nan.pt x.npy", "weight_hh_l0 of its GRU holds values that are not finite"),
        ("net.pt wide.npy", "wide.npy: its array has shape (2, 5, 7) and so 7 inputs"),
        ("net.pt nan.npy", "holds nan in sequence 0 at step 0"),
        ("net.pt x.npy --n-exponents 11", "between 1 and the state size, 10"),
        ("net.pt x.npy --warmup 20", "warmup: got 20, but there are 20 steps"),
        ("net.pt x.npy --device tpu", "device: got 'tpu'"),
        ("net.pt x.npy --layer rnn", "--layer rnn: the recurrent layers are ''"),
        ("net.pt x.npy --nonlinearity relu", "--nonlinearity relu"),
    ]


def test_every_refusal_is_one_line(run, layer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments, message in refusals(tmp_path, layer):
        checkpoint, data, *rest = arguments.split()
        code, out, err = run("spectrum", checkpoint, "--data", data, "--quiet", *rest)
        assert (code, out) == (1, ""), arguments
        assert err.startswith("lyapsk: "), arguments
        assert message in err
        assert len(err.splitlines()) == 1, err


@pytest.mark.parametrize("option", ["--out", "--picture"])
def test_places_that_cannot_be_written_are_refused_before_anything_is_done(
    run, files, tmp_path, option, capsys
):
    (tmp_path / "d.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    for place, message in [
        ("gone/x.png", "there is no directory"),
        ("d.png", "no file that can be replaced"),
        ("pipe.png", "no file that can be replaced"),
    ]:
        with pytest.raises(SystemExit, match=r"^2$"):
            run("spectrum", *files, option, tmp_path / place)
        assert message in capsys.readouterr().err
    assert (tmp_path / "pipe.png").is_fifo()


def test_reading_stops_when_the_reader_has_enough(files):
    command = [sys.executable, "-m", "lyapsk", "spectrum", *map(str, files), "--quiet"]
    script = f"{' '.join(command)} | true"
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert ended.stderr == ""
    assert ended.stdout == ""
