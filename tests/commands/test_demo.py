import sys
from types import SimpleNamespace

import pytest

from lyapsk import demo
from lyapsk.__main__ import main
from lyapsk.report._outcome import Outcome


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo", "--networks", "9"], "--networks: '9': give a whole number, 10 or more"),
        (["demo", "--networks", "1.5"], "--networks: '1.5'"),
        (["demo", "--networks", "many"], "--networks: 'many'"),
        (["demo", "--seed", "-1"], "--seed: '-1': give a whole number, 0 to 4294967295"),
        (["demo", "--seed", "4294967296"], "--seed: '4294967296'"),
        (["demo", "--out", __file__], "is a file: give a directory"),
        (["demo", "--speed", "9"], "unrecognized arguments: --speed"),
    ],
)
def test_wrong_arguments_exit_with_2_and_a_reason(arguments, message, capsys):
    with pytest.raises(SystemExit, match=r"^2$"):
        main(arguments)
    assert message in capsys.readouterr().err


def test_missing_matplotlib_is_told_before_anything_is_done(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["demo", "--out", str(tmp_path / "new")]) == 1
    assert 'pip install "lyapsk[plots]"' in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_directory_that_cannot_be_made_exits_with_1(capsys):
    assert main(["demo", "--out", f"{__file__}/below"]) == 1
    assert "Not a directory" in capsys.readouterr().err


@pytest.mark.parametrize(("n_networks", "told"), [(29, True), (30, False)])
def test_scores_of_few_networks_are_called_guesses(monkeypatch, capsys, n_networks, told):
    training = SimpleNamespace(title="digits")
    outcome = Outcome(training, [], range(n_networks), is_log=True, scores=[], latent=None)
    monkeypatch.setattr(demo, "run_demo", lambda *args, **kwargs: outcome)
    assert main(["demo"]) == 0
    message = "lyapsk: digits: With fewer than 30 networks these scores are guesses."
    assert (message in capsys.readouterr().err.splitlines()) == told
