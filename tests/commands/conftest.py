import pytest

from lyapsk.__main__ import main


@pytest.fixture
def run(capsys):
    """Run a command in this process: its exit code, and what it wrote to stdout and to stderr."""

    def run(*arguments):
        code = main(list(map(str, arguments)))
        return code, *capsys.readouterr()

    return run
