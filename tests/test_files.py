import pytest

from lyapsk._files import writable_directory, write_atomically


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


def test_directory_is_made_and_left_empty(tmp_path):
    made = writable_directory("out", str(tmp_path / "a" / "b"))
    assert made == tmp_path / "a" / "b"
    assert list(made.iterdir()) == []


def test_directory_that_cannot_be_made_is_told_with_its_argument():
    with pytest.raises(OSError, match=r"out: .* cannot be made or written to: .*Give another"):
        writable_directory("out", f"{__file__}/below")
