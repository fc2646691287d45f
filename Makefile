# Two commands: `make demo` shows what Seedwatch does, `make test` proves it.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install demo test lint clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Seedwatch needs Python 3.11 or newer; run: make PYTHON=python3 $(MAKECMDGOALS)"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,postgresql]'
	touch $@

demo: install  ## run the main job on simulated providers, then serve the dashboard
	$(BIN)/seedwatch demo

test: install  ## the embedded suite: no server, no browser, no network
	$(BIN)/python -m pytest -m 'not real' -n auto --dist loadfile --no-loadscope-reorder

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
