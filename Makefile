# `make` alone lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash

# Python 3.11 or newer; to use another one: make PYTHON=python3.12 ...
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
COMPILE := $(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links

DURATION ?= 15m
SEED ?=
ARGS ?=

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14
	@echo
	@echo 'Ports and data of make run: COLLECTOR_PORT=1337 MQTT_PORT=1883 INFLUX_PORT=8086'
	@echo 'GRAFANA_PORT=3000 RUN_DIR=.run. Options of pytest, chaos and bench: ARGS="..."'

.PHONY: run
run: $(VENV)/ready ## Run the whole pipeline without containers, until Ctrl-C
	@$(PYTHON) -m run.packages mosquitto influxdb
	@$(BIN)/python -m run

.PHONY: test
test: $(VENV)/ready ## Run every test that does not need Docker
	@$(PYTHON) -m run.packages mosquitto mosquitto-clients influxdb curl
	$(BIN)/python -m pytest --ignore=tests/compose $(ARGS)

.PHONY: test-unit
test-unit: $(VENV)/ready ## Run the unit tests only; they need no broker or database
	$(BIN)/python -m pytest tests/unit $(ARGS)

.PHONY: mutation
mutation: $(VENV)/ready ## List changes of the code that no unit test notices (takes hours)
	HYPOTHESIS_PROFILE=mutation $(BIN)/mutmut run $(ARGS)
	$(BIN)/mutmut results

.PHONY: test-compose
test-compose: $(VENV)/ready ## Run the tests of docker-compose.yml; they need Docker
	$(BIN)/python -m pytest tests/compose $(ARGS)

.PHONY: lint
lint: $(VENV)/ready ## Run ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

.PHONY: chaos
chaos: $(VENV)/ready ## Run the scenarios, then mix faults under load for DURATION=15m; count what is lost (SEED=7)
	@$(PYTHON) -m run.packages mosquitto mosquitto-clients influxdb
	$(BIN)/python -m tests.chaos --duration $(DURATION) $(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: bench
bench: $(VENV)/ready ## Measure the performance and check it against the limits
	@$(PYTHON) -m run.packages mosquitto mosquitto-clients influxdb wrk
	$(BIN)/python -m bench $(ARGS)

.PHONY: lock
lock: $(VENV)/ready ## Update requirements*.txt to the newest versions
	$(COMPILE) pyproject.toml -o requirements.txt
	$(COMPILE) pyproject.toml --extra dev -c requirements.txt -o requirements-dev.txt

.PHONY: clean
clean: ## Remove caches and the Python environment; keeps .run/ and its data
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis mutants
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/ready: requirements-dev.txt
	@$(PYTHON) -m run.environment $(VENV)
	@touch $@
