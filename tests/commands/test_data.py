import pickle

import numpy as np
import pytest
import torch
from helpers import Hostile
from safetensors.torch import save_file
from torch import nn

from lyapsk.commands._data import check_width, read_data
from lyapsk.exceptions import InvalidInputError

X = np.random.default_rng(0).normal(size=(2, 5, 3))


def test_arrays_are_read_as_they_are(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.savez(tmp_path / "x.npz", inputs=X)
    save_file({"inputs": torch.from_numpy(X)}, tmp_path / "x.safetensors")
    for name in ("x.npy", "x.npz", "x.safetensors"):
        np.testing.assert_array_equal(read_data(tmp_path / name), X)
    for name in ("x.npz", "x.safetensors"):
        np.testing.assert_array_equal(read_data(tmp_path / name, "inputs"), X)


def test_one_of_several_arrays(tmp_path):
    np.savez(tmp_path / "x.npz", a=X, b=X[0])
    save_file({"a": torch.ones(2), "b": torch.zeros(3)}, tmp_path / "x.safetensors")
    np.testing.assert_array_equal(read_data(tmp_path / "x.npz", "b"), X[0])
    assert read_data(tmp_path / "x.safetensors", "b").shape == (3,)
    for name in ("x.npz", "x.safetensors"):
        with pytest.raises(InvalidInputError, match=r"holds 2 arrays: 'a', 'b'.*--key"):
            read_data(tmp_path / name)
        with pytest.raises(InvalidInputError, match=r"--key c: .* holds 'a', 'b'"):
            read_data(tmp_path / name, "c")


@pytest.mark.parametrize(
    "text",
    [
        "1.5,2\n3,4\n",
        "a,b\n1.5,2\n3,4\n\n",
        "\ufeffa;b\n1.5;2\n3;4",
        "1.5 2\n3   4\n",
        "1.5\t2\n3\t4\n",
        '"first input","second, input"\n1.5,2\n3,4\n',
    ],
)
@pytest.mark.parametrize("name", ["x.csv", "x.txt"])
def test_text_with_and_without_a_header(tmp_path, text, name):
    (tmp_path / name).write_text(text, encoding="utf-8")
    np.testing.assert_array_equal(read_data(tmp_path / name), [[1.5, 2], [3, 4]])


def test_whole_numbers_stay_whole(tmp_path):
    (tmp_path / "x.csv").write_text("token\n3\n1\n")
    tokens = read_data(tmp_path / "x.csv")
    assert tokens.dtype == np.int64
    assert tokens.shape == (2, 1)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors", ".csv", ".txt"])
def test_hostile_files_execute_nothing(tmp_path, suffix):
    path, marker = tmp_path / f"x{suffix}", tmp_path / "marker"
    objects = np.array([Hostile(marker)], dtype=object)

    def as_array(path):
        with path.open("wb") as file:
            np.save(file, objects, allow_pickle=True)

    def as_arrays(path):
        with path.open("wb") as file:
            np.savez(file, x=objects)

    for save in (as_array, as_arrays, lambda p: p.write_bytes(pickle.dumps(Hostile(marker)))):
        save(path)
        with pytest.raises(InvalidInputError, match="cannot be read as data"):
            read_data(path)
        assert not marker.exists()


BAD = {
    "x.npy": (b"", "cannot be read as data"),
    "x.npz": (b"PK\x03\x04", "cannot be read as data"),
    "x.safetensors": (b"text", "cannot be read as data"),
    "x.csv": (b"", "holds no numbers"),
    "head.csv": (b"a,b\n", "holds no numbers"),
    "ragged.csv": (b"1,2\n3\n", "row 2 of its numbers is '3'. Each row must hold 2"),
    "words.csv": (b"1,2\nx,y\n", "row 2 of its numbers is 'x y'"),
    "gaps.csv": (b"1,,2\n3,,4\n", "row 1 of its numbers is"),
    "gap.csv": (b"1,,2\n3,3,4\n5,6,7\n", "row 1 of its numbers is '1  2'"),
    "missing.csv": (b"1,NA\n3,4\n", "row 1 of its numbers is '1 NA'"),
    "x.txt": (b"\xff\xfe\x00", "UnicodeDecodeError"),
    "x.json": (b"[1]", "must end in one of .npy, .npz"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_named(tmp_path, name):
    content, message = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInputError, match=message) as caught:
        read_data(tmp_path / name)
    assert name in str(caught.value)


def test_whole_numbers_of_any_size(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("99999999999999999999,1\n2,3\n")
    np.testing.assert_array_equal(read_data(path), [[1e20, 1], [2, 3]])


def test_missing_files_and_keys_without_a_choice(tmp_path):
    with pytest.raises(InvalidInputError, match=r"x\.npy: there is no such file"):
        read_data(tmp_path / "x.npy")
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(InvalidInputError, match=r"--key a: .*holds a single array"):
        read_data(tmp_path / "x.npy", "a")


def test_width_of_what_a_bare_layer_reads():
    layer = nn.GRU(28, 4)
    for shape in ((2, 5, 28), (5, 28)):
        check_width(np.zeros(shape), layer, "x.npy")
    for shape in ((2, 5, 1), (5, 1)):
        with pytest.raises(InvalidInputError) as caught:
            check_width(np.zeros(shape), layer, "x.npy")
        for part in ("x.npy", str(shape), "so 1 inputs", "28 inputs", "(n_sequences, n_steps, 28)"):
            assert part in str(caught.value)
    with pytest.raises(InvalidInputError, match=r"shape \(28,\), and this GRU"):
        check_width(np.zeros(28), layer, "x.npy")


def test_data_must_be_real_numbers(tmp_path):
    np.save(tmp_path / "text.npy", np.array(["a"]))
    np.save(tmp_path / "complex.npy", np.ones(2, complex))
    for path in tmp_path.iterdir():
        with pytest.raises(InvalidInputError, match=r"holds an array of .* real numbers"):
            read_data(path)
