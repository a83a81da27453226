.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/
SETUP := $(VENV)/.installed

.PHONY: help setup demo test check format oracle-bites bench latency kinds definitions waiting lock histories situations
help:  ## List what you can do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

setup: $(SETUP)  ## Create .venv and install the pinned dependencies

$(SETUP): requirements.lock requirements-java.lock pyproject.toml deploy/setup.sh
	PYTHON=$(PYTHON) VENV=$(VENV) sh deploy/setup.sh
	@touch $@

demo: $(SETUP)  ## Kafka, ClickHouse and simulated customers on this machine; Ctrl-C stops it all
	$(RUN)touchline demo

test: $(SETUP)  ## All tests, those on real Kafka and ClickHouse included
	$(RUN)python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: $(SETUP)  ## Format, lint, strict types, import rules, unit and property tests; no server
	$(RUN)ruff format --check .
	$(RUN)ruff check .
	$(RUN)mypy
	$(RUN)lint-imports --no-cache
	$(RUN)python -m pytest -q -n auto --dist worksteal --hypothesis-profile=check tests/unit tests/property tests/contract

format: $(SETUP)  ## Format the code and mend what the linter can
	$(RUN)ruff format .
	$(RUN)ruff check --fix .

oracle-bites: $(SETUP)  ## Plant defects one at a time; the oracle must find each
	$(RUN)python -m tests.oracle.bites

histories: $(SETUP)  ## N=10000 random histories with faults against every law; SEED=17 runs that one
	$(RUN)python -m tests.simulated.histories --count $(or $(N),10000) $(if $(SEED),--seed $(SEED))

situations: $(SETUP)  ## Twelve stories about who is who, on real Kafka and ClickHouse; says where one ends otherwise
	$(RUN)python -m tests.situations.run

bench: $(SETUP)  ## Measure this machine: Touchline, the limit, Quix Streams
	$(RUN)python -m benchmarks.run

latency: $(SETUP)  ## Measure this machine: how long from a cause or a deadline to the alert, hop by hop
	$(RUN)python -m benchmarks.latency

kinds: $(SETUP)  ## Measure this machine: the same for each kind of break
	$(RUN)python -m benchmarks.kinds

definitions: $(SETUP)  ## Measure this machine: what 1, 10 and 50 definitions cost per touchpoint
	$(RUN)python -m benchmarks.definitions

waiting: $(SETUP)  ## Measure this machine: what a tick costs while up to a million deadlines are open
	$(RUN)python -m benchmarks.waiting
