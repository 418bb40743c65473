# Two commands matter: `make serve` and `make test`. Each sets up what it needs on a fresh Debian or Ubuntu with Python 3.11+.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
MAKEFLAGS += --no-builtin-rules

UV_VERSION := 0.13.8
VENV := .venv
BIN := $(VENV)/bin
DEFAULT := $(VENV)/.installed-default
DEV := $(VENV)/.installed-dev
DATA ?=
export UV_PYTHON_DOWNLOADS := never
export UV_LINK_MODE ?= copy
export VIRTUAL_ENV := $(CURDIR)/$(VENV)

.PHONY: help serve test test-fast check bench clean setup lock packages

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

serve: $(DEFAULT) ## set everything up and run the product
	exec $(BIN)/devops-chatbot serve

test: $(DEV) packages ## set everything up and run every test, real services included
	$(BIN)/pytest

test-fast: $(DEV) ## only the tests of the parts: no service, no browser, no server; under a minute
	$(BIN)/pytest -m "not service" -q

check: $(DEV) ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	(cd sandbox/image/supervisor; MYPYPATH=$(CURDIR)/sandbox/docker $(CURDIR)/$(BIN)/mypy --config-file= --strict --no-namespace-packages --cache-dir=$(CURDIR)/.mypy_cache/supervisor *.py)
	$(BIN)/lint-imports

bench: $(DEV) ## every benchmark, which takes long (NAMES="startup streams": 4 minutes); DATA=folder names the public data sets
	$(BIN)/python -m benchmarks $(NAMES) $(if $(DATA),--data "$(DATA)")

clean: ## remove what the other commands made here (your data directory stays)
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist benchmark-results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup: $(DEFAULT) ## install the product without starting it

packages: ## install the Debian packages that the real tests need (as root or with CI=true)
	@.ci/packages

lock: ## resolve the dependencies of pyproject.toml anew
	UV=$$(.ci/uv $(UV_VERSION))
	options="--quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate"
	$$UV pip compile $$options pyproject.toml -o requirements/default.txt
	$$UV pip compile $$options pyproject.toml --all-extras --group dev -c requirements/default.txt -o requirements/dev.txt

$(BIN)/python:
	UV=$$(.ci/uv $(UV_VERSION))
	$$UV venv --quiet --python '>=3.11' $(VENV)

$(DEFAULT): requirements/default.txt pyproject.toml .ci/uv | $(BIN)/python
	UV=$$(.ci/uv $(UV_VERSION))
	echo "Installing the product (about 1.2 GB on disk, no torch) …"
	$$UV pip install --quiet --no-deps --require-hashes -r requirements/default.txt
	$$UV pip install --quiet --no-deps -e .
	# Compiles what a start, a first page and a first document import, so that the first time is as quick as the next;
	# every file of all packages would take ten times as long and 300 MB.
	export PYTHONDONTWRITEBYTECODE=
	$(BIN)/python -c "import devops_chatbot.server.serve, devops_chatbot.api.app, chromadb, dbos, ladybug, onnxruntime, tantivy"
	$(BIN)/python -m webui --version >/dev/null
	touch $@

$(DEV): requirements/dev.txt $(DEFAULT)
	UV=$$(.ci/uv $(UV_VERSION))
	echo "Installing the tools for tests, with sentence-transformers and torch (about 5 GB on disk) …"
	$$UV pip install --quiet --no-deps --require-hashes -r requirements/dev.txt
	touch $@
