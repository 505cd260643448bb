"""The README's example runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path


def test_example(tmp_path):
    readme = Path(__file__).parents[1] / "README.md"
    (example,) = re.findall(r"```python\n(.*?)```", readme.read_text(), re.DOTALL)
    assert len(example.strip().splitlines()) <= 16
    run = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "8 of 8 exponents" in run.stdout
