# The two commands of the README, and one that tries for ten minutes to break the library. Each
# makes the virtual environment it needs.

PYTHON ?= python3
# A CPU-only build of torch, taken where pip finds one; elsewhere pip chooses.
CPU_TORCH ?= torch==2.13.0+cpu
BIN := .venv/bin

.PHONY: demo test docs stress
demo: .venv/installed
	$(BIN)/python -m lyapsk demo

test: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --doctest-modules --doctest-glob="*.rst" --doctest-glob="*.md" lyapsk docs tests

docs: .venv/documented
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --doctest-glob="*.rst" --doctest-glob="*.md" docs
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	$(BIN)/python docs/check_links.py docs/_build/html

stress: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/stress.py

.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet "$(CPU_TORCH)" || echo "No $(CPU_TORCH) at hand: pip chooses a build of torch."
	$(BIN)/python -m pip install --quiet --editable ".[plots,test]"
	touch $@

.venv/documented: .venv/installed
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	touch $@
