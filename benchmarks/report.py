"""What the benchmarks print and write: the machine, tables, and sections of RESULTS.md."""

import os
import platform
import re
import time
from pathlib import Path

import torch

RESULTS = Path(__file__).with_name("RESULTS.md")


def machine():
    """Date, machine and torch in one line."""
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    cpu = re.search(r"model name\s*: (.*)|\Z", info)[1] or platform.machine()
    return f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {cpu}, torch {torch.__version__}"


def table(rows, columns):
    """Markdown of rows by name; what is missing stays empty."""
    lines = [["", *columns], ["---"] * (len(columns) + 1)]
    lines += [[name, *(shown(row.get(key, "")) for key in columns)] for name, row in rows.items()]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def shown(value):
    return value if isinstance(value, str) else f"{value:.2f}".replace("nan", "")


def record(heading, text):
    """Put the section of that heading in its place in RESULTS.md, or at the end."""
    before, found, rest = RESULTS.read_text().partition(f"## {heading}\n")
    _, following, after = rest.partition("\n## ") if found else ("", "", "")
    RESULTS.write_text(f"{before.rstrip()}\n\n{text.rstrip()}\n{following}{after}")
