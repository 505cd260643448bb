# The two commands of the README, and one that tries for ten minutes to break the library. Each
# makes the virtual environment it needs.

PYTHON ?= python3
# A CPU-only build of torch, taken where pip finds one; elsewhere pip chooses.
CPU_TORCH ?= torch==2.13.0+cpu
BIN := .venv/bin

.PHONY: demo test stress
demo: .venv/installed
	$(BIN)/python -m lyapsk demo

test: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --doctest-modules --doctest-glob="*.rst" lyapsk docs tests

stress: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/stress.py

.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet "$(CPU_TORCH)" || echo "No $(CPU_TORCH) at hand: pip chooses a build of torch."
	$(BIN)/python -m pip install --quiet --editable ".[plots,test]"
	touch $@
