# payledger. `make up` runs it, `make test` tests it, `make help` lists the rest.
# Every target makes its own virtual environment first; nothing else has to be installed.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 3
READY := $(VENV)/.installed
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help up demo prove mutants psql test check format bench lock clean distclean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z][a-z-]*:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamp is newer than the lock file exactly when the environment matches it.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "payledger needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "making $(VENV) (once, and again when requirements.lock changes)" >&2
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

up: $(READY) ## run payledger on an embedded PostgreSQL (PAYLEDGER_DSN: on your own)
	@exec $(BIN)/payledger up

demo: $(READY) ## 20 s of retries, races, overdrafts and cached reads, then a verdict
	@exec $(BIN)/python -m loadgen demo

prove: $(READY) ## 10 minutes of load and faults, then the checker (SECONDS= SEED= FAULTS=)
	@exec $(BIN)/python -m loadgen prove $(if $(SECONDS),--seconds $(SECONDS)) \
	  $(if $(SEED),--seed $(SEED)) $(if $(FAULTS),--faults $(FAULTS))

mutants: $(READY) ## break the code in one place at a time; tests must notice (FRESH= ONLY= SAMPLE=)
	@exec env PYTHONPATH=tests $(BIN)/python -m mutants $(if $(FRESH),--fresh) \
	  $(if $(ONLY),--only $(ONLY)) $(if $(SAMPLE),--sample $(SAMPLE))

psql: $(READY) ## a psql session on the running embedded database
	@exec $(BIN)/payledger psql

# Whole files go to the workers, in the order of tests/conftest.py: each file's tests share servers.
# Hundreds of Python programs are started: they are not to compile this code again each time, as in
# containers, where that variable often is set.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(READY) ## all tests, as CI runs them
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(READY) ## lint, types, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(READY) ## format the Python
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix-only .

bench: $(READY) ## measure beside the yardsticks, write bench/results/latest.json
	@exec $(BIN)/python -m bench $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY)) $(if $(KEEP),--keep $(KEEP)) \
	  $(if $(PLOTS),--plots)

lock: ## pin the newest versions the ranges allow (needs uv)
	@uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-header --no-annotate --quiet --upgrade -o requirements.lock

clean: ## remove caches and results; keeps the data and the environment
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist build
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean ## remove the environment and the embedded database's data too
	@[ ! -x $(BIN)/payledger ] || { $(BIN)/payledger stop; $(BIN)/python -c \
	  'from pathlib import Path; from service.embedded import EmbeddedPostgres; \
	  EmbeddedPostgres(Path(".payledger")).remove_data()'; }
	@rm -rf $(VENV) .payledger .cache
