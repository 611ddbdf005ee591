# make run | test | lint | bench | screenshots: each sets the project's environment up first.

VENV   ?= .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready

.DEFAULT_GOAL := run
.PHONY: run test lint bench screenshots clean

run: $(STAMP)
	@$(BIN)/python -m ipctui

test: lint
	@$(BIN)/python -m pytest -n 2 --dist loadgroup

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

bench: $(STAMP)
	@$(BIN)/python -m tests.bench

screenshots: $(STAMP)
	@$(BIN)/python -m tests.pictures && $(BIN)/python -m tests.readme

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "ipctui needs Python 3.11 or newer; '$(PYTHON)' is not. Install one, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@if command -v uv >/dev/null 2>&1 && uv sync --quiet --extra png --group dev 2>/dev/null; then \
	  echo "environment ready in $(VENV) (uv)"; \
	elif $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1' \
	     && $(BIN)/python -m pip install --quiet --editable '.[png]' --group dev; then \
	  echo "environment ready in $(VENV) (venv)"; \
	else \
	  rm -rf $(VENV); \
	  echo "could not make $(VENV): ipctui needs uv, or Python's venv and pip (on Debian: apt install python3-venv), and a network or a package mirror" >&2; exit 1; \
	fi
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
