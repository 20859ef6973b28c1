# The names users type. Everything runs from .venv, which `install` builds from the locked versions.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := foundation feature_repo transformations serving_gateway monitoring demo tests benchmarks

.DEFAULT_GOAL := help
.PHONY: help install demo up down apply plan materialize serve test check format openapi lock bench clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed  ## Build .venv from the locked versions

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11 ...")'
	@echo "Installing into $(VENV) (about a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: install  ## Run the whole path on real input: load, compute, serve, train
	@$(BIN)/python -m demo

up: install  ## Start PostgreSQL and Valkey, or attach to them; migrate
	@$(BIN)/python -m feature_repo up

down: install  ## Stop PostgreSQL and Valkey; their data stay
	@$(BIN)/python -m feature_repo down

apply: up  ## Deploy the feature definitions to the registry
	@cd feature_repo && ../$(BIN)/feast apply

plan: up  ## Show what `apply` would change
	@cd feature_repo && ../$(BIN)/feast plan

materialize: up  ## Copy the latest values from PostgreSQL to Valkey
	@cd feature_repo && ../$(BIN)/feast materialize-incremental $$(date -u +%Y-%m-%dT%H:%M:%S)

serve: up  ## Serve features over HTTP
	@$(BIN)/python -m serving_gateway serve

test: install  ## Run the tests, against real servers
	@$(BIN)/python -m pytest

check: install  ## Check format, lint, types and imports, as CI does
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

format: install  ## Format the code and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

openapi: install  ## Write down the gateway's OpenAPI document, after a wanted change
	@$(BIN)/python -m serving_gateway openapi > tests/contract/openapi.json

lock: install  ## Lock the newest allowed versions of all dependencies
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	  --extra demo --extra dev --group build --no-emit-index-url --upgrade --quiet \
	  --custom-compile-command "make lock" --output-file requirements.lock

bench: install  ## Measure speed
	@$(BIN)/python -m benchmarks

clean: down  ## Remove .venv, caches and the embedded servers' data
	@rm -rf $(VENV) .data .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
