"""Networks from files, one at a time."""

import gc
import pickle
import weakref

import joblib
import numpy as np
import pytest
import torch
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


class Hostile:
    """Unpickled, it writes a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


@pytest.mark.parametrize("suffix", [*SAVE, ".pth", ".safetensors", ".txt"])
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
    "another size": (of_another_size, "cannot be read as a network: RuntimeError"),
    "no metadata": (
        lambda path: save_file(networks()[0].state_dict(), path),
        "cannot be read as a network: KeyError: 'hidden_size'",
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
