"""What all commands share."""

import subprocess
import sys
import warnings

import pytest

from lyapsk import __version__
from lyapsk.__main__ import main
from lyapsk.commands import COMMANDS, _doctor
from lyapsk.exceptions import LyapskWarning, NumericalError

NAMES = [command.__name__.rpartition("._")[2] for command in COMMANDS]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: command"),
        (["dome"], "invalid choice: 'dome'"),
        (["spectrum"], "required: CHECKPOINT"),
        (["spectrum", "a.pt"], "required: --data"),
        (["spectrum", "a.pt", "--data", "b.npy", "--format", "xml"], "--format: invalid choice"),
        (["spectrum", "a.pt", "--data", "b.npy", "--picture", "c.txt"], "ends in .png, .pdf or"),
        (["spectrum", "a.pt", "--data", "b.npy", "--warmup", "-1"], "--warmup: '-1'"),
        (["spectrum", "a.pt", "--data", "b.npy", "--module", "net"], "give package.module:name"),
        (["demo", "--networks", "9"], "--networks: '9': give a whole number, 10 or more"),
        (["demo", "--networks", "1.5"], "--networks: '1.5'"),
        (["demo", "--networks", "many"], "--networks: 'many'"),
        (["demo", "--seed", "-1"], "--seed: '-1': give a whole number, 0 to 4294967295"),
        (["demo", "--seed", "4294967296"], "--seed: '4294967296'"),
        (["demo", "--out", __file__], "is a file: give a directory"),
        (["demo", "--speed", "9"], "unrecognized arguments: --speed"),
        (["doctor", "a.pt", "--speed", "9"], "unrecognized arguments: --speed"),
    ],
)
def test_wrong_arguments_exit_with_2_and_a_reason(arguments, message, capsys):
    with pytest.raises(SystemExit, match=r"^2$"):
        main(arguments)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", NAMES)
def test_help_has_an_example_and_the_exit_codes(name, capsys):
    with pytest.raises(SystemExit, match=r"^0$"):
        main([name, "--help"])
    out = capsys.readouterr().out
    example = f"python -m lyapsk {name}"
    assert example in out.partition("example:")[2]
    assert "exit codes:\n  0 " in out
    assert "--quiet" in out


def test_help_and_version(capsys):
    for arguments, expected in ((["--help"], NAMES), (["--version"], [__version__])):
        with pytest.raises(SystemExit, match=r"^0$"):
            main(arguments)
        out = capsys.readouterr().out
        assert all(word in out for word in expected)


def test_help_does_not_wait_for_torch():
    code = (
        "import sys, lyapsk.__main__ as m\n"
        "try: m.main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'numpy', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NumericalError("all\n  diverged"), 1),
        (ImportError("no torch"), 1),
        (PermissionError("not yours"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_errors_become_one_line_and_an_exit_code(error, code, monkeypatch, capsys):
    def fail(options):
        raise error

    monkeypatch.setattr(_doctor, "_run", fail)
    assert main(["doctor", "net.pt"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("lyapsk: ")
    assert len(err.splitlines()) == 1


def test_own_warnings_are_lines_too(monkeypatch, capsys):
    def warn(options):
        warnings.warn("two\nlines", LyapskWarning, stacklevel=1)
        return 0

    monkeypatch.setattr(_doctor, "_run", warn)
    assert main(["doctor", "net.pt"]) == 0
    assert capsys.readouterr().err == "lyapsk: warning: two lines\n"
