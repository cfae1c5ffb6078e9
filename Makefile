# `make` alone lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash

# Python 3.11 or newer; `make PYTHON=python3.12 ...` names another.
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
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

.PHONY: run
run: $(VENV)/ready ## The whole pipeline here, without containers; Ctrl-C ends it (COLLECTOR_PORT=1337 MQTT_PORT=1883 INFLUX_PORT=8086 GRAFANA_PORT=3000 RUN_DIR=.run)
	@$(PYTHON) -m run.packages mosquitto influxdb
	@$(BIN)/python -m run

.PHONY: test
test: $(VENV)/ready ## Every test that needs no Docker engine
	@$(PYTHON) -m run.packages mosquitto mosquitto-clients influxdb curl
	$(BIN)/python -m pytest --ignore=tests/compose $(ARGS)

.PHONY: test-compose
test-compose: $(VENV)/ready ## The tests of docker-compose.yml on a Docker engine
	$(BIN)/python -m pytest tests/compose $(ARGS)

.PHONY: lint
lint: $(VENV)/ready ## ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

.PHONY: chaos
chaos: $(VENV)/ready ## Faults under load, and the count of what was lost: DURATION=15m SEED=7
	@$(PYTHON) -m run.packages mosquitto mosquitto-clients influxdb
	$(BIN)/python -m tests.chaos --duration $(DURATION) $(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: bench
bench: $(VENV)/ready ## Measure, and hold it against the limits: ARGS=...
	@$(PYTHON) -m run.packages mosquitto mosquitto-clients influxdb wrk
	$(BIN)/python -m bench $(ARGS)

.PHONY: lock
lock: $(VENV)/ready ## Compile the requirements anew, with the newest versions
	$(COMPILE) pyproject.toml -o requirements.txt
	$(COMPILE) pyproject.toml --extra dev -c requirements.txt -o requirements-dev.txt

.PHONY: clean
clean: ## Remove caches and the environment; .run/ with its data stays
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/ready: requirements-dev.txt
	@$(PYTHON) -m run.environment $(VENV)
	@touch $@
