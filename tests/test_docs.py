"""The pages are complete, and their commands run as they stand."""

import re
import shlex
from functools import partial
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import pytest

from lyapsk import AeLLERegressor
from lyapsk.__main__ import main
from lyapsk.report import _evaluation, _study

DOCS = Path(__file__).parents[1] / "docs"
ROOMS = ("callbacks", "nn", "plotting", "scorers", "search", "tasks")
NOT_DESCRIBED = {"__version__", "check_matplotlib", "ACCURACY", "NRMSE", "TASKS"}
PROMPT = "$ python -m lyapsk "


@pytest.mark.parametrize("room", ["lyapsk", *(f"lyapsk.{room}" for room in ROOMS)])
def test_every_public_name_is_in_the_reference(room):
    described = re.findall(r"^   [\w.]*?(\w+)$", (DOCS / "api.rst").read_text(), re.MULTILINE)
    assert set(import_module(room).__all__) - NOT_DESCRIBED <= set(described)


def test_every_page_of_the_guide_is_in_its_index():
    index = (DOCS / "guide" / "index.md").read_text()
    pages = sorted(page.name for page in (DOCS / "guide").iterdir() if page.stem != "index")
    assert pages == sorted(re.findall(r"\]\((.+?)\)", index))
    assert {Path(page).stem for page in pages} == set(re.findall(r"^(\w+)$", index, re.MULTILINE))


def test_commands_run(tmp_path, monkeypatch):
    page = (DOCS / "guide" / "command_line.rst").read_text()
    blocks = re.findall(r"\.\. code-block:: (\w+)\n\n((?:    .*\n|\n)+)", page)
    assert {language for language, _ in blocks} == {"python", "console"}
    monkeypatch.chdir(tmp_path)
    for room in (_study, _evaluation):
        monkeypatch.setattr(room, "AeLLERegressor", partial(AeLLERegressor, max_epochs=5))
    for language, block in blocks:
        if language == "python":
            exec(dedent(block), {})
            continue
        for line in filter(None, dedent(block).split("\n")):
            assert line.startswith(PROMPT)
            code = main(shlex.split(line.removeprefix(PROMPT)))
            assert code in ({0, 3} if " doctor " in line else {0})
    for name in ("spectrum.json", "spectrum.png", "report/report.html"):
        assert (tmp_path / name).stat().st_size > 1000
