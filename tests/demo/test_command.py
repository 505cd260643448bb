import subprocess
import sys

import pytest

from lyapsk import __version__
from lyapsk.__main__ import main
from lyapsk.demo import _run
from lyapsk.exceptions import NumericalError


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: command"),
        (["dome"], "invalid choice: 'dome'"),
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


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(["--help"], "demo"), (["demo", "--help"], "--networks"), (["--version"], __version__)],
)
def test_help_and_version_exit_with_0(arguments, expected, capsys):
    with pytest.raises(SystemExit, match=r"^0$"):
        main(arguments)
    assert expected in capsys.readouterr().out


def test_help_does_not_wait_for_torch():
    code = "import sys, lyapsk.__main__; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_missing_matplotlib_is_told_before_anything_is_done(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["demo", "--out", str(tmp_path / "new")]) == 1
    assert 'pip install "lyapsk[plots]"' in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_directory_that_cannot_be_made_exits_with_1(capsys):
    assert main(["demo", "--out", f"{__file__}/below"]) == 1
    assert "Not a directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"), [(NumericalError("all diverged"), 1), (KeyboardInterrupt(), 130)]
)
def test_errors_become_exit_codes(error, code, tmp_path, monkeypatch, capsys):
    def fail(*_):
        raise error

    monkeypatch.setattr(_run, "run_demo", fail)
    assert main(["demo", "--out", str(tmp_path)]) == code
    assert capsys.readouterr().err.startswith("lyapsk: ")
