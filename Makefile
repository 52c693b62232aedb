# Everything a person or a machine does with Martlet. `make help` lists it.
.DEFAULT_GOAL := help
.PHONY: help build publish spark test test-sail test-spark test-long test-oldest check lint format docs report clean lock

# The first Python of 3.11 or newer on this machine; override with make PYTHON=...
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3 python; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$python; break; fi; done)
BIN := .venv/bin
export DBT_PROFILES_DIR := $(CURDIR)/profiles
# Python compiles what it imports once, not at every start: that is half the time of a start.
unexport PYTHONDONTWRITEBYTECODE

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 16

build: $(BIN)/.installed ## Environment, install, and dbt build on the sample shop: makes martlet.duckdb
	$(BIN)/martlet build $(ARGS)

publish: $(BIN)/.installed ## Copy marts and exports of the last green build for readers: makes published/
	$(BIN)/martlet publish $(ARGS)

spark: .venv-spark/.installed ## The round on Spark: features there, fits on DuckDB, predictions and marts there: target/spark
	.venv-spark/bin/martlet spark $(ARGS)

test: $(BIN)/.installed-dev ## Everything that proves the project: project checks, dbt build, Python tests
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-sail: .venv-spark/.installed ## The SQL models on Sail, an engine that speaks Spark: equal to DuckDB, table by table
	.venv-spark/bin/python -m pytest tests/python/test_spark*.py $(ARGS)

test-spark: .venv-spark-local/.installed ## The same on Spark itself, on this machine; needs Java 17
	MARTLET_SPARK_ENGINE=spark .venv-spark-local/bin/python -m pytest tests/python/test_spark*.py $(ARGS)

test-long: $(BIN)/.installed-dev ## What takes minutes: runs on a schedule, not on every change
	$(BIN)/python -m pytest -m long $(ARGS)

test-oldest: $(BIN)/python ## dbt build of the sample shop on the oldest versions pyproject.toml allows
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-oldest
	$(BIN)/uv pip install --quiet --python .venv-oldest/bin/python --resolution lowest-direct -r pyproject.toml
	$(BIN)/uv pip install --quiet --python .venv-oldest/bin/python --no-deps -e .
	mkdir -p target
	MARTLET_DATABASE=target/oldest.duckdb .venv-oldest/bin/martlet build --full-refresh $(ARGS)

check: lint test ## What continuous integration runs: lint and test

lint: $(BIN)/.installed-dev ## Style and types: ruff, mypy, sqlfluff, dbt parse without a warning
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/sqlfluff lint models --processes 2
	$(BIN)/dbt --warn-error --no-partial-parse parse

format: $(BIN)/.installed-dev ## Put Python and SQL into the house style
	$(BIN)/ruff format src tests benchmarks
	$(BIN)/ruff check --fix src tests benchmarks
	$(BIN)/sqlfluff fix models --processes 2

docs: $(BIN)/.installed ## One web page with every model, column and the lineage: target/static_index.html
	$(BIN)/dbt docs generate --static

report: $(BIN)/.installed-dev ## One web page on how the shop is doing, for its owner: martlet-report.html
	$(BIN)/martlet report $(ARGS)

clean: ## Remove what builds made; the environment and martlet.duckdb stay
	rm -rf target logs build .martlet .pytest_cache .mypy_cache .ruff_cache .sqlfluff_cache

lock: $(BIN)/python ## Renew the lock files from pyproject.toml
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
		--python-version 3.11 pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
		--python-version 3.11 --extra dev pyproject.toml -c requirements.lock -o requirements-dev.lock

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Martlet needs Python 3.11 or newer: install it, or say where it is with make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

# uv installs from the same index as pip and is several times faster.
$(BIN)/.installed: requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --python $(BIN)/python --no-deps --quiet -e .
	@touch $@

.venv-%/.installed: requirements-dev.lock pyproject.toml | $(BIN)/python
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-$*
	$(BIN)/uv pip install --quiet --python .venv-$*/bin/python --constraint requirements-dev.lock -e ".[$*]" pytest
	@touch $@

$(BIN)/.installed-dev: requirements-dev.lock $(BIN)/.installed
	$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@
