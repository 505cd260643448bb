"""Networks from files, one at a time."""

import gc
import pickle
import subprocess
import sys
import weakref
from functools import partial

import joblib
import numpy as np
import pytest
import torch
from helpers import Hostile
from safetensors.torch import save_file
from torch import nn

from lyapsk import LyapunovSpectrumTransformer
from lyapsk.exceptions import FailedNetworkWarning, InvalidInputError
from lyapsk.nets import _many
from lyapsk.tasks import SequenceNetwork

X = torch.randn(2, 15, 1, generator=torch.Generator().manual_seed(0))
SIZES = (3, 5, 4)


def made(metadata):
    return SequenceNetwork("GRU", hidden_size=int(metadata["hidden_size"]))


def networks():
    torch.manual_seed(0)
    return [SequenceNetwork("GRU", hidden_size=size) for size in SIZES]


def files(directory):
    """The networks as safetensors with their size."""
    paths = [directory / f"{size}.safetensors" for size in SIZES]
    for network, path, size in zip(networks(), paths, SIZES, strict=True):
        save_file(network.state_dict(), path, metadata={"hidden_size": str(size)})
    return paths


EXPECTED = LyapunovSpectrumTransformer(X).fit_transform(networks())


@pytest.mark.parametrize("n_points", [64, None])
def test_weights_and_what_makes_their_module(tmp_path, n_points):
    transformer = LyapunovSpectrumTransformer(X, module=made, n_points=n_points)
    expected = LyapunovSpectrumTransformer(X, n_points=n_points).fit_transform(networks())
    for paths in (files(tmp_path), list(map(str, files(tmp_path)))):
        np.testing.assert_array_equal(transformer.fit_transform(paths), expected)


def test_paths_and_networks_mix_and_pair(tmp_path):
    paths = files(tmp_path)
    transformer = LyapunovSpectrumTransformer(X, module=made)
    np.testing.assert_array_equal(transformer.fit_transform([*networks()[:2], paths[2]]), EXPECTED)
    change = LyapunovSpectrumTransformer(X, module=made, features=["change"])
    rows = change.fit_transform(list(zip(networks(), paths, strict=True)))
    np.testing.assert_allclose(rows, 0, atol=1e-12)


def test_the_module_is_told_the_path(tmp_path):
    (path, *_) = files(tmp_path)
    told = []
    LyapunovSpectrumTransformer(X, module=lambda m: told.append(m) or made(m)).fit_transform([path])
    assert told == [{"hidden_size": "3", "path": str(path)}]


class ThreeUnits(SequenceNetwork):
    def __init__(self, kind="GRU", hidden_size=3):
        super().__init__(kind, hidden_size)


MAKERS = {
    "class": ThreeUnits,
    "function of nothing": lambda: SequenceNetwork("GRU", 3),
    "function of one argument": made,
    "metadata by name": lambda metadata=None: made(metadata),
    "bound": partial(SequenceNetwork, "GRU", hidden_size=3),
}


@pytest.mark.parametrize("name", MAKERS)
def test_classes_and_functions_make_modules(tmp_path, name):
    (path, *_) = files(tmp_path)
    transformer = LyapunovSpectrumTransformer(X, module=MAKERS[name])
    np.testing.assert_array_equal(transformer.fit_transform([path])[0], EXPECTED[0])


class Sized(nn.Module):
    def __init__(self, hidden_size):
        super().__init__()
        self.recurrent = nn.GRU(1, hidden_size)


def test_what_fails_to_make_a_module_is_blamed_for_it(tmp_path):
    def lost(metadata):
        raise OSError("no such size")

    refused = {
        Sized: r"module: Sized failed with .*It was called with the metadata",
        (lambda a, b: None): r"module: <lambda> failed with TypeError: .*called with nothing for",
        lost: r"module: lost failed with OSError: no such size",
    }
    for maker, message in refused.items():
        with pytest.raises(InvalidInputError, match=message) as raised:
            LyapunovSpectrumTransformer(X, module=maker).fit_transform(files(tmp_path))
        assert "cannot be read" not in str(raised.value)


def test_a_module_itself_makes_none(tmp_path):
    transformer = LyapunovSpectrumTransformer(X, module=ThreeUnits(), error_score=0.0)
    with pytest.raises(InvalidInputError, match=r"module: got a Three.*pass the class"):
        transformer.fit(files(tmp_path))


SAVED_BY_LOOPS = {
    "among other things": lambda state: {"epoch": 3, "model": state, "best": {"loss": 0.1}},
    "of a wrapper": lambda state: {f"module._orig_mod.{k}": w for k, w in state.items()},
    "of a trainer": lambda state: {"state_dict": {f"net.{k}": w for k, w in state.items()}},
}


@pytest.mark.parametrize("suffix", [".pt", ".ckpt", ".bin"])
@pytest.mark.parametrize("name", SAVED_BY_LOOPS)
def test_what_training_loops_save(tmp_path, name, suffix):
    path, network = tmp_path / f"checkpoint{suffix}", networks()[0]
    optimizer = torch.optim.Adam(network.parameters())
    sum(weight.sum() for weight in network.parameters()).backward()
    optimizer.param_groups[0]["lr"] = 0.0
    optimizer.step()
    saved = SAVED_BY_LOOPS[name](network.state_dict()) | {"optimizer": optimizer.state_dict()}
    torch.save(saved, path)
    transformer = LyapunovSpectrumTransformer(X, module=ThreeUnits)
    np.testing.assert_array_equal(transformer.fit_transform([path])[0], EXPECTED[0])


def test_trusted_checkpoints_may_hold_other_objects(tmp_path):
    torch.save({"state_dict": networks()[0].state_dict(), "at": tmp_path}, tmp_path / "net.ckpt")
    given = LyapunovSpectrumTransformer(X, module=ThreeUnits, trusted=True)
    row = given.fit_transform([tmp_path / "net.ckpt"])[0]
    np.testing.assert_array_equal(row, EXPECTED[0])
    with pytest.raises(InvalidInputError, match="cannot be read"):
        given.set_params(trusted=False).transform([tmp_path / "net.ckpt"])


def test_weights_that_do_not_fit_are_told_in_few_words(tmp_path):
    path, state = tmp_path / "weights.pt", networks()[0].state_dict()
    readout = {name for name in state if name.startswith("readout")}
    told = {
        "2 missing ('readout.weight', 'readout.bias')": {
            k: w for k, w in state.items() if k not in readout
        },
        "gave: 1 missing ('readout.bias')": {
            "model": {k: w for k, w in state.items() if k != "readout.bias"},
            "optimizer": {str(i): torch.ones(1) for i in range(9)},
        },
        "5 unexpected ('0', '1', '2', ...)": state | {str(i): torch.ones(1) for i in range(5)},
        "5 of another shape (recurrent.weight_ih_l0 (15, 1) for (9, 1), ": (
            networks()[1].state_dict()
        ),
        "more than once, each name behind one of 'a.', 'b.'": {"a": state, "b": state},
        "holds Tensor, no state dict": torch.zeros(3),
    }
    for message, saved in told.items():
        torch.save(saved, path)
        with pytest.raises(InvalidInputError, match="module") as raised:
            LyapunovSpectrumTransformer(X, module=ThreeUnits).fit_transform([path])
        assert message in str(raised.value)
        assert len(str(raised.value)) < 500  # torch lists all names


@pytest.mark.parametrize("suffix", [".pkl", ".joblib", ".pt"])
def test_pickles_of_scripts(tmp_path, suffix):
    path = tmp_path / f"network{suffix}"
    script = f"""
import joblib, pickle, torch
from lyapsk.tasks import SequenceNetwork
class Mine(SequenceNetwork):
    pass
network, path = Mine("GRU", hidden_size=3), {str(path)!r}
match {suffix!r}:
    case ".pkl":
        pickle.dump(network, open(path, "wb"))
    case ".joblib":
        joblib.dump(network, path)
    case ".pt":
        torch.save(network, path)
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    with pytest.raises(InvalidInputError, match=r"class was defined in a script.*module") as raised:
        LyapunovSpectrumTransformer(X, trusted=True).fit_transform([path])
    assert "Save it again" not in str(raised.value)


@pytest.mark.parametrize("suffix", [".pt", ".pth"])
def test_torchs_state_dicts(tmp_path, suffix):
    path = tmp_path / f"weights{suffix}"
    torch.save(networks()[0].state_dict(), path)
    transformer = LyapunovSpectrumTransformer(X, module=lambda _: SequenceNetwork("GRU", 3))
    np.testing.assert_array_equal(transformer.fit_transform([path])[0], EXPECTED[0])


def test_torchs_files_are_checked_bit_by_bit(tmp_path):
    path = tmp_path / "weights.pt"
    torch.save(networks()[0].state_dict(), path)
    content = bytearray(path.read_bytes())
    content[content.index(networks()[0].readout.weight.detach().numpy().tobytes())] ^= 1
    path.write_bytes(content)
    transformer = LyapunovSpectrumTransformer(X, module=lambda _: SequenceNetwork("GRU", 3))
    with pytest.raises(InvalidInputError, match=r"is damaged: '.*' in it is not what was written"):
        transformer.fit_transform([path])


@pytest.mark.skipif(
    not hasattr(torch.serialization, "set_crc32_options"), reason="this torch writes them always"
)
def test_torchs_files_without_check_sums(tmp_path):
    path = tmp_path / "weights.pt"
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(networks()[0].state_dict(), path)
    finally:
        torch.serialization.set_crc32_options(before)
    transformer = LyapunovSpectrumTransformer(X, module=lambda _: SequenceNetwork("GRU", 3))
    np.testing.assert_array_equal(transformer.fit_transform([path])[0], EXPECTED[0])


SAVE = {
    ".pkl": lambda network, path: path.write_bytes(pickle.dumps(network)),
    ".pickle": lambda network, path: path.write_bytes(pickle.dumps(network)),
    ".joblib": joblib.dump,
    ".pt": torch.save,
}


@pytest.mark.parametrize("suffix", SAVE)
def test_pickles_only_where_they_are_trusted(tmp_path, suffix):
    path = tmp_path / f"network{suffix}"
    SAVE[suffix](networks()[0], path)
    with pytest.raises(InvalidInputError, match=r"network 0: X: .*trust"):
        LyapunovSpectrumTransformer(X).fit_transform([path])
    rows = LyapunovSpectrumTransformer(X, trusted=True).fit_transform([path])
    np.testing.assert_array_equal(rows[0], EXPECTED[0])


@pytest.mark.parametrize("suffix", [*SAVE, ".pth", ".ckpt", ".bin", ".safetensors", ".txt"])
def test_hostile_files_execute_nothing(tmp_path, suffix):
    path, marker = tmp_path / f"network{suffix}", tmp_path / "marker"
    for save in (SAVE[".pkl"], SAVE[".pt"], SAVE[".joblib"]):
        save(Hostile(marker), path)
        for module in (None, made):
            with pytest.raises(InvalidInputError, match="network 0: X: "):
                LyapunovSpectrumTransformer(X, module=module).fit_transform([path])
            assert not marker.exists()


def damage(name):
    """A file that is not as it should be, where that is done by bytes."""

    def change(path):
        content = path.read_bytes()
        path.write_bytes({"empty": b"", "cut": content[:-9], "no weights": b"text"}[name])

    return change


def of_another_size(path):
    save_file(networks()[1].state_dict(), path, metadata={"hidden_size": "3"})


def with_nan(path):
    weights = networks()[0].state_dict()
    weights["recurrent.weight_hh_l0"][0, 0] = torch.nan
    save_file(weights, path, metadata={"hidden_size": "3"})


BAD = {
    "missing": (lambda path: path.unlink(), "there is no file"),
    "directory": (lambda path: (path.unlink(), path.mkdir()), "cannot be read|damaged"),
    "empty": (damage("empty"), "damaged"),
    "cut": (damage("cut"), "damaged"),
    "no weights": (damage("no weights"), "damaged"),
    "another size": (of_another_size, "are not those of the SequenceNetwork that module gave"),
    "no metadata": (
        lambda path: save_file(networks()[0].state_dict(), path),
        "module: made failed with KeyError: 'hidden_size'",
    ),
    "not finite": (with_nan, "not finite"),
}


@pytest.mark.parametrize("name", BAD)
def test_one_bad_file_never_loses_the_others(tmp_path, name):
    spoil, message = BAD[name]
    paths = files(tmp_path)
    spoil(paths[0])
    with pytest.raises(InvalidInputError, match=f"network 0: .*({message})"):
        LyapunovSpectrumTransformer(X, module=made).fit_transform(paths)
    transformer = LyapunovSpectrumTransformer(X, module=made, error_score=-1.0)
    with pytest.warns(FailedNetworkWarning, match="1 of 3 networks"):
        rows = transformer.fit_transform(paths)
    np.testing.assert_array_equal(rows[1:], EXPECTED[1:])
    assert (rows[0] == -1).all()
    assert [position for position, _ in transformer.failures_] == [0]


def test_what_the_module_gives_must_be_one(tmp_path):
    with pytest.raises(InvalidInputError, match=r"module: gave 3 for .*torch module"):
        LyapunovSpectrumTransformer(X, module=lambda _: 3).fit_transform(files(tmp_path))


class Lazily:
    """Makes a network when asked for it, and remembers whether any two lived at once."""

    def __init__(self, n, broken=None):
        self.n, self.broken, self.living, self.most = n, broken, weakref.WeakSet(), 0

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        if index >= self.n:
            raise IndexError(index)
        if index == self.broken:
            raise OSError("the disk is gone")
        gc.collect()
        torch.manual_seed(index)
        network = SequenceNetwork("RNN", hidden_size=4)
        self.living.add(network)
        self.most = max(self.most, len(self.living))
        return network


def test_collections_are_read_one_by_one(monkeypatch):
    monkeypatch.setattr(_many, "AT_A_TIME", 5)
    lazily = Lazily(12)
    rows = LyapunovSpectrumTransformer(X).fit_transform(lazily)
    assert lazily.most <= 2  # the one before may still be in a local variable
    in_memory = [lazily[i] for i in range(12)]
    expected = LyapunovSpectrumTransformer(X).fit_transform(in_memory)
    np.testing.assert_allclose(rows, expected, atol=1e-12)


def test_a_collection_that_fails_in_one_place():
    with pytest.raises(InvalidInputError, match="network 3: X: reading it failed with OSError"):
        LyapunovSpectrumTransformer(X).fit_transform(Lazily(6, broken=3))
    transformer = LyapunovSpectrumTransformer(X, error_score=0.0)
    with pytest.warns(FailedNetworkWarning, match="network 3: X: reading it failed"):
        rows = transformer.fit_transform(Lazily(6, broken=3))
    assert (rows != 0).any(1).tolist() == [True] * 3 + [False] + [True] * 2


def test_modules_are_no_collections():
    with pytest.raises(TypeError, match="X: got Sequential"):
        LyapunovSpectrumTransformer(X).fit_transform(nn.Sequential(nn.GRU(1, 2)))
