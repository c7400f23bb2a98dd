# On a fresh machine with git, make and python3 (3.11 or newer, with its venv module): `make demo`, `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bare lint style types imports format docs bench fuzz mutants lock clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | sort

setup: $(STAMP) ## the development environment, locked, in .venv

$(STAMP): requirements-dev.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "mailferry needs Python 3.11 or newer; $(PYTHON) was not found" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else \
	    "mailferry needs Python 3.11 or newer; $(PYTHON) is %d.%d. Try: make PYTHON=python3.11" % sys.version_info[:2])'
	@$(PYTHON) -c 'import ensurepip, venv' || \
	    { echo "$(PYTHON) lacks its venv module (on Debian: apt install python3-venv)" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q migrator jobs  # as pip does for what is not editable: else each start may compile it all
	@touch $@

demo: setup ## migrates a few hundred sample messages into ./demo/archive, and shows what happened
	$(BIN)/mailferry demo --dir demo

test: setup ## everything; what the machine cannot run is named. Less with TESTS="tests/unit -k mbox"
	tests/prepare
	$(BIN)/python -m pytest --durations=15 $(TESTS)

check: ## what CI runs: lint, then every test, none left out
	@.ci/run

bare: ## both commands of the README on a Debian 12 with nothing else on it; takes root and debootstrap
	tests/bare

lint: style types imports ## style, types, and who may import whom

style: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

imports: setup
	PYTHONPATH=. $(BIN)/lint-imports --no-logo

format: setup ## lays the code out
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

docs: setup ## prints the pages of docs/ that are made from the code
	$(BIN)/python -m tests.pages

# Beside it: python -m benchmarks.search (200,000 messages), python -m benchmarks.many_accounts (docs/performance.md).
bench: setup ## figures beside other programs, in half an hour: make bench CASES="small office" DELAYS="0 20"
	benchmarks/prepare
	$(BIN)/python -m compileall -q migrator jobs
	$(BIN)/python -m benchmarks $(if $(CASES),--cases $(CASES)) $(if $(DELAYS),--delays $(DELAYS))

fuzz: setup ## every parser against hostile bytes, for a long time
	$(BIN)/python -m tests.fuzz

mutants: setup ## small changes to what decides, each of which a test must notice: make mutants MODULES="run.plan run.fetch"
	$(BIN)/python -m tests.mutation $(MODULES)

lock: setup ## renews requirements-dev.txt from pyproject.toml
	$(BIN)/pip-compile --quiet --upgrade --strip-extras --allow-unsafe --generate-hashes --all-extras \
	    --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options --no-header \
	    --output-file requirements-dev.txt pyproject.toml

clean: ## removes what was made here, the environment included
	rm -rf $(VENV) build dist demo .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
