# Every target works from a fresh clone: it makes what it needs in .venv from hashed locks.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One worker more than there are cores: many tests wait for servers. `make test WORKERS=0` runs them in one process.
WORKERS ?= $(shell echo $$(($$(nproc) + 1)))
# The tests start some hundred processes: each would compile every module again where this is set.
unexport PYTHONDONTWRITEBYTECODE

CHECKS := types style walls dockerfile definitions wire

.PHONY: help install demo test check soak bench openapi screenshots lock clean $(CHECKS)

help: ## what each target does
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: $(VENV)/.installed ## the environment, from the locks

$(VENV)/.installed: requirements/build.lock requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "This Python cannot make environments. On Debian: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: install ## a small nation through every door, then serve until Ctrl-C
	$(BIN)/hounsfield demo

test: check ## the whole suite, in under 10 minutes
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

check: install ## style, types, walls, definitions, Dockerfile, openapi
	@$(MAKE) --no-print-directory -j 2 $(CHECKS)

types: install
	$(BIN)/mypy
	$(BIN)/mypy perf

style: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

walls: install
	$(BIN)/lint-imports

dockerfile: install
	$(BIN)/hadolint Dockerfile

definitions: install
	$(BIN)/hounsfield registry check

wire: install
	$(BIN)/hounsfield openapi --check

soak: install ## the long runs: crash storms, large simulations, fuzzing
	$(BIN)/python -m pytest -m soak -n 0

bench: install ## every speed script, short form
	@for script in perf/*.py; do echo "== $$script"; $(BIN)/python $$script --short || exit 1; done

openapi: install ## write openapi/openapi.json and docs/reference from the app
	$(BIN)/hounsfield openapi
	$(BIN)/python -m tests.docs.reference

screenshots: install ## pictures of the pages people see, into docs/pictures
	$(BIN)/python -m tests.browser.screenshots

lock: install ## renew the locks
	$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-emit-index-url --python-version 3.11 requirements/build.in -o requirements/build.lock
	$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-emit-index-url --python-version 3.11 pyproject.toml -o requirements/run.lock
	$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-emit-index-url --python-version 3.11 --extra dev -c requirements/run.lock pyproject.toml -o requirements/dev.lock

clean: ## remove the environment and what tools leave behind
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info build
