# On a fresh machine with git, make and python3 (3.11 or newer, with its venv module): `make demo`, `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
RUNNABLE := $(VENV)/.runnable
WORKERS ?= 4

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bare lint style types imports format docs site screenshots bench fuzz mutants lock dist deb release clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | sort

setup: $(STAMP) ## the development environment, locked, in .venv

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "mailferry needs Python 3.11 or newer; $(PYTHON) was not found" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else \
	    "mailferry needs Python 3.11 or newer; $(PYTHON) is %d.%d. Try: make PYTHON=python3.11" % sys.version_info[:2])'
	@$(PYTHON) -c 'import ensurepip, venv' || \
	    { echo "$(PYTHON) lacks its venv module (on Debian: apt install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(STAMP): requirements-dev.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q migrator jobs  # as pip does for what is not editable: else each start may compile it all
	@touch $@ $(RUNNABLE)

# What running takes, the page included, and nothing for developers: a fifth of the whole environment.
$(RUNNABLE): requirements.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

demo: $(RUNNABLE) ## migrates a few hundred sample messages into ./demo/archive, and shows what happened
	$(BIN)/mailferry demo --dir demo
	@echo "The same in a browser: $(BIN)/mailferry demo --dir demo --serve"

# A file's tests stay together: they share servers. In the order of the folders the long ones begin, and the short ones fill up.
test: setup ## everything; what the machine cannot run is named. Less with TESTS="tests/unit -k mbox"
	tests/prepare
	$(BIN)/python -m pytest --durations=15 --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder $(TESTS)

check: ## what CI runs: lint, then every test, none left out
	@.ci/run

bare: ## every way of installing, each on a Debian 12 with nothing else on it; takes root and debootstrap: make bare WAYS="deb image"
	tests/bare $(WAYS)

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

screenshots: setup ## makes the pictures of docs/web.md: every screen of the page, on sample mail
	tests/prepare
	$(BIN)/python -m tests.browser_flows

docs: setup ## prints the pages of docs/ that are made from the code
	$(BIN)/python -m tests.pages

site: setup ## docs/ as pages for a browser, in build/site
	$(BIN)/zensical build --clean --strict

# Beside it: python -m benchmarks.search (200,000 messages), .many_accounts, .many_runs, .page (a large office): docs/performance.md.
bench: setup ## figures beside other programs, in half an hour, kept in bench-results/: make bench CASES="small office" DELAYS="0 20" MINUTES=10
	benchmarks/prepare
	$(BIN)/python -m compileall -q migrator jobs benchmarks tests/servers
	$(BIN)/python -m benchmarks $(if $(CASES),--cases $(CASES)) $(if $(DELAYS),--delays $(DELAYS)) $(if $(MINUTES),--minutes $(MINUTES))

fuzz: setup ## every parser against hostile bytes, for a long time
	$(BIN)/python -m tests.fuzz

mutants: setup ## small changes to what decides, each of which a test must notice: make mutants MODULES="run.plan run.fetch"
	$(BIN)/python -m tests.mutation $(MODULES)

COMPILE = $(BIN)/pip-compile --quiet $(UPGRADE) --strip-extras --allow-unsafe --generate-hashes \
    --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options --no-header

# What the Debian package and the image hold: everything but what developers need.
SERVICE = $(foreach extra,apprise fleet keyring oidc passkeys s3 web xlsx zstd,--extra $(extra))

lock: setup ## renews the lists of what is installed from pyproject.toml: make lock UPGRADE=--upgrade for newer versions
	$(COMPILE) --all-extras --output-file requirements-dev.txt pyproject.toml
	$(COMPILE) --extra web --constraint requirements-dev.txt --output-file requirements.txt pyproject.toml
	$(COMPILE) $(SERVICE) --constraint requirements-dev.txt --output-file deploy/requirements.txt pyproject.toml
	$(COMPILE) --output-file deploy/packaging/requirements.txt deploy/packaging/requirements.in

# What is given away is built from the commit, never from what only stands in the working tree (deploy/packaging).
INTO ?= dist
TOOLS := build/release-tools
TOOLS_STAMP := $(TOOLS)/.ready

$(TOOLS_STAMP): deploy/packaging/requirements.txt | $(BIN)/python
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r deploy/packaging/requirements.txt
	@touch $@

dist: setup $(TOOLS_STAMP) ## wheel and source archive, with the wheels of all that they need, in dist/: installs without a network
	$(BIN)/python -m deploy.packaging dist --into "$(INTO)"

deb: setup ## the Debian package in dist/; takes dpkg-dev and debhelper
	$(BIN)/python -m deploy.packaging deb --into "$(INTO)"

release: setup $(TOOLS_STAMP) ## from a tag: checks tree, version and changelog, then everything of dist and deb, a bill of materials and SHA256SUMS
	$(BIN)/python -m deploy.packaging release --into "$(INTO)"

clean: ## removes what was made here, the environment included
	rm -rf $(VENV) build dist demo .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
