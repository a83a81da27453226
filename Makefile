.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/
SETUP := $(VENV)/.installed

.PHONY: help setup
help:  ## List what you can do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

setup: $(SETUP)  ## Create .venv and install the pinned dependencies

$(SETUP): requirements.lock requirements-java.lock pyproject.toml deploy/setup.sh
	PYTHON=$(PYTHON) VENV=$(VENV) sh deploy/setup.sh
	@touch $@
