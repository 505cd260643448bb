import io

import numpy as np
import pandas as pd
import pytest

from lyapsk.demo._files import to_csv, write_atomically


def test_content_replaces_what_was_there(tmp_path):
    path = tmp_path / "table.csv"
    for content in (b"first", b"second"):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    path.write_bytes(b"old")
    monkeypatch.setattr("os.replace", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_pandas_reads_back_what_was_written():
    columns = {
        "name": ["a, b", "c"],
        "size": np.array([1, 2]),
        "loss": np.array([0.1, np.nan]),
        "exponent": [-np.inf, np.float64(1 / 3)],
    }
    read = pd.read_csv(io.BytesIO(to_csv(columns)))
    pd.testing.assert_frame_equal(read, pd.DataFrame(columns))
