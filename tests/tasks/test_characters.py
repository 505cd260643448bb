import numpy as np
import pytest

from lyapsk.exceptions import InvalidInputError
from lyapsk.tasks import characters


def read(task, alphabet):
    """Each sequence as text, with its last target."""
    X = np.concatenate([task.X_train, task.X_valid]).argmax(axis=2)
    y = np.concatenate([task.y_train, task.y_valid])
    np.testing.assert_array_equal(X[:, 1:], y[:, :-1])
    return ["".join(alphabet[row]) for row in np.column_stack([X, y[:, -1]])]


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text("Wer reitet so spät durch Nacht und Wind? " * 30, encoding="utf-8")
    return path


def test_pieces_of_a_file_do_not_overlap(book):
    """Put in order, they are the text."""
    text = book.read_text(encoding="utf-8")[: 7 * 35 + 1]
    book.write_text(text, encoding="utf-8")
    task = characters(book, n_train=25, n_valid=10, n_steps=7)
    pieces = read(task, np.unique(list(text)))
    assert sorted(pieces) == sorted(text[7 * i : 7 * i + 8] for i in range(35))


def test_seed_draws_the_pieces_of_a_file(book):
    one, other = (characters(book, 10, 5, 7, random_state=seed) for seed in (0, 1))
    assert not np.array_equal(one.X_valid, other.X_valid)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "nowhere.txt"}, "path: got 'nowhere.txt', which cannot be read: .*UTF-8"),
        ({"path": 3}, "path: got 3, which cannot be read"),
        ({"path": __file__}, r"path: .* has \d+ characters, and 51201 are needed. .*n_train"),
        ({"n_steps": 0}, "n_steps: got 0. It must be a whole number of at least 1"),
    ],
)
def test_texts_that_cannot_be_used_are_refused(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        characters(**arguments)


def test_other_encodings_are_refused(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes("später ".encode("latin-1") * 10_000)
    with pytest.raises(InvalidInputError, match=r"which cannot be read: .*UTF-8"):
        characters(path)
