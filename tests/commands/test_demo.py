import sys
from types import SimpleNamespace

import pytest

from lyapsk import demo
from lyapsk.__main__ import main
from lyapsk.report._outcome import Outcome


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
