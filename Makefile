# `make` alone lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash

# Python 3.11 or newer; to use another one: make PYTHON=python3.12 ...
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The Python environment for development, and the packages named behind it.
SETUP := $(PYTHON) -m run.setup
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
	@echo 'GRAFANA_PORT=3000 BRIDGE_METRICS_PORT=1338 RUN_DIR=.run.'
	@echo 'Options of pytest, chaos and bench: ARGS="..."'
	@echo 'Commands for a pipeline that runs: ./pipeline --help'

.PHONY: run
run: ## Run the whole pipeline without containers, until Ctrl-C
	@$(PYTHON) -m run

.PHONY: stack
stack: ## Make the secrets and configs of docker-stack.yml; ARGS="devices add NAME --sensors ID"
	@$(SETUP)
	@$(BIN)/python -m run.stack $(ARGS)

.PHONY: test
test: ## Run every test that does not need Docker (some 40 minutes on two cores)
	@$(SETUP) mosquitto mosquitto-clients influxdb curl chromium haproxy
	@echo 'Some 4,000 tests, most of them with a real broker, database, collector and bridge: some 40'
	@echo 'minutes on two cores. make test-unit takes 3; make test ARGS="tests/run" runs a part.'
	$(BIN)/python -m pytest --ignore=tests/compose --ignore=tests/swarm $(ARGS)

.PHONY: test-unit
test-unit: ## Run the unit tests only; they need no broker or database
	@$(SETUP)
	$(BIN)/python -m pytest tests/unit $(ARGS)

.PHONY: mutation
mutation: ## List changes of the code that no unit test notices (takes hours)
	@$(SETUP)
	HYPOTHESIS_PROFILE=mutation $(BIN)/mutmut run $(ARGS)
	$(BIN)/mutmut results

.PHONY: test-compose
test-compose: ## Run the tests of docker-compose.yml; they need Docker
	@$(SETUP)
	$(BIN)/python -m pytest tests/compose $(ARGS)

.PHONY: test-swarm
test-swarm: ## Run the tests of docker-stack.yml on three Docker engines; they need root
	@$(SETUP) influxdb haproxy
	$(BIN)/python -m pytest tests/swarm $(ARGS)

.PHONY: test-broker
test-broker: ## Run the tests of MQTT with Mosquitto 2.1, as in docker-compose.yml
	@$(SETUP) mosquitto mosquitto-clients influxdb
	$(BIN)/python -m tests.newest_broker $(ARGS)

.PHONY: test-brokers
test-brokers: ## Run the tests on other brokers: nats-server and rabbitmq-server, where they are installed
	@$(SETUP) mosquitto influxdb
	$(BIN)/python -m pytest tests/brokers -rs $(ARGS)

.PHONY: screenshots
screenshots: ## Take the pictures of the page in docs/pictures/
	@$(SETUP) mosquitto influxdb chromium
	$(BIN)/python -m tests.page.screenshots

.PHONY: lint
lint: ## Run ruff and mypy
	@$(SETUP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

.PHONY: chaos
chaos: ## Run the scenarios, then mix faults under load for DURATION=15m; count what is lost (SEED=7)
	@$(SETUP) mosquitto mosquitto-clients influxdb
	$(BIN)/python -m tests.chaos --duration $(DURATION) $(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: bench
bench: ## Measure the performance and check it against the limits
	@$(SETUP) mosquitto mosquitto-clients influxdb wrk
	$(BIN)/python -m bench $(ARGS)

.PHONY: lock
lock: ## Update requirements*.txt to the newest versions
	@$(SETUP)
	$(COMPILE) pyproject.toml -o requirements.txt
	$(COMPILE) pyproject.toml --extra dev -c requirements.txt -o requirements-dev.txt

.PHONY: clean
clean: ## Remove caches and the Python environment; keeps .run/ and its data
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis mutants
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
