# The names users type. Everything runs from .venv, which `install` builds from the locked versions.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
PACKAGES := foundation feature_repo transformations serving_gateway monitoring demo examples tests benchmarks
LOCK = $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
  --group build --no-emit-index-url --quiet --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help install demo up down apply plan materialize serve test check format openapi lock bench clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed  ## Build .venv from the locked versions

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11 ...")'
	@echo "Installing into $(VENV) (about a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --no-deps --require-hashes --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	@echo "Adding what development needs, Spark and Dagster too"
	@$(PIP) install --no-deps --require-hashes --requirement requirements-dev.lock
	@touch $@

demo: install  ## Run the whole path on real input: load, compute, serve, train
	@$(BIN)/python -m demo

up: install  ## Start PostgreSQL and Valkey, or attach to them; migrate
	@$(BIN)/python -m feature_repo up

down: install  ## Stop PostgreSQL and Valkey; their data stay
	@$(BIN)/python -m feature_repo down

apply: up  ## Deploy the feature definitions to the registry
	@cd feature_repo && ../$(BIN)/feast apply

plan: up  ## Show what `apply` would change, and refuse what it would
	@$(BIN)/python -m feature_repo plan

materialize: up  ## Copy the latest values from PostgreSQL to Valkey
	@cd feature_repo && ../$(BIN)/feast materialize-incremental $$(date -u +%Y-%m-%dT%H:%M:%S)

serve: up  ## Serve features over HTTP
	@$(BIN)/python -m serving_gateway serve

test: $(VENV)/.installed-dev  ## Run the tests, against real servers
	@$(BIN)/python -m pytest -n 3 --dist loadfile

check: $(VENV)/.installed-dev  ## Check format, lint, types and imports, as CI does
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports
	@$(BIN)/python -m feature_repo docs --check
	@$(BIN)/python -m monitoring alerts --check
	@$(BIN)/python -m monitoring dashboards --check

format: $(VENV)/.installed-dev  ## Format the code and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

openapi: install  ## Write down the gateway's OpenAPI document, after a wanted change
	@$(BIN)/python -m serving_gateway openapi > tests/contract/openapi.json

lock: install  ## Lock the newest allowed versions of all dependencies
	@$(PIP) install uv
	@$(LOCK) --extra demo --extra dev --upgrade --output-file requirements-dev.lock
	@$(LOCK) --extra demo --constraint requirements-dev.lock --output-file requirements.lock
	@$(LOCK) --extra openlineage --extra otel --constraint requirements-dev.lock --output-file deploy/requirements.lock

bench: $(VENV)/.installed-dev  ## Measure speed
	@$(BIN)/python -m benchmarks

clean: down  ## Remove .venv, caches and the embedded servers' data
	@rm -rf $(VENV) .data .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
