"""The README's examples run as they stand."""

import re
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text()
RESULTS = (Path(__file__).parents[1] / "benchmarks" / "RESULTS.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
PRINTED = ["8 of 8 exponents", "32 of 32 directions carry 1 of the gradient", "hidden_size"]


@pytest.mark.parametrize(("example", "printed"), list(zip(EXAMPLES, PRINTED, strict=True)))
def test_example(example, printed, tmp_path, monkeypatch, capsys):
    assert len(example.strip().splitlines()) <= 16
    monkeypatch.chdir(tmp_path)
    exec(example, {})
    shown = capsys.readouterr().out
    assert printed in shown
    assert "nan" not in shown.lower()


def tables(text):
    """Tables of a page, each with a dict by column for every row's label."""
    blocks = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    for block in blocks:
        header, _, *rows = (
            [cell.strip() for cell in line.split("|")[1:-1]] for line in block.splitlines()
        )
        yield header[1:], {row[0]: dict(zip(header[1:], row[1:], strict=True)) for row in rows}


def test_tables_hold_what_was_measured():
    measured = list(tables(RESULTS))
    shown = list(tables(README[README.index("## Measured") :]))
    assert len(shown) == 3
    for columns, rows in shown:
        (found,) = (
            own
            for names, own in measured
            if set(columns) <= set(names) and set(rows) <= set(own) and matches(rows, own)
        )
        assert found


def matches(rows, measured):
    return all(row.items() <= measured[label].items() for label, row in rows.items())
