# Every command a newcomer needs. `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv

.DEFAULT_GOAL := help
.PHONY: help lock

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(UV): requirements/bootstrap.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(VENV)/.installed: $(UV) requirements/dev.txt pyproject.toml
	VIRTUAL_ENV=$(VENV) $(UV) pip sync -q --require-hashes requirements/dev.txt
	VIRTUAL_ENV=$(VENV) $(UV) pip install -q --no-deps --no-build-isolation -e .
	@touch $@

COMPILE := $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header
LAYERS := core identity dynamo billing migrations
# What the Lambda runtime brings itself is never in a layer.
RUNTIME := boto3 botocore s3transfer jmespath python-dateutil six
lock: $(UV) ## compile the hashed locks again from pyproject.toml and requirements/layers/*.in
	$(COMPILE) pyproject.toml --group pyproject.toml:dev -o requirements/dev.txt
	$(COMPILE) --group pyproject.toml:cloud -o requirements/cloud.txt
	$(COMPILE) requirements/bootstrap.in -c requirements/dev.txt -o requirements/bootstrap.txt
	for layer in $(LAYERS); do \
	  $(COMPILE) requirements/layers/$$layer.in -c requirements/dev.txt \
	    $(foreach p,$(RUNTIME),--no-emit-package $(p)) -o requirements/layers/$$layer.txt || exit 1; \
	done
