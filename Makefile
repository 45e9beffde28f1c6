# Every command a newcomer needs. `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
READY := $(VENV)/.installed
WORKERS ?= 3

.DEFAULT_GOAL := help
.PHONY: help up down status logs demo test check bench synth deploy openapi lock format

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{split($$1, name, ":"); printf "  make %-9s %s\n", name[1], $$2}'

up: $(READY) ## install everything, start the local cloud, deploy to it and do the main job once
	@$(BIN)/python -m local up

down: $(READY) ## stop the local cloud; all data is kept
	@$(BIN)/python -m local down

status: $(READY) ## what runs, and where
	@$(BIN)/python -m local status

logs: $(READY) ## the last lines of every server's log
	@$(BIN)/python -m local logs

demo: $(READY) ## the main job on real input: make demo DATA=<folder with calit2/ and online_retail/>
	@$(BIN)/python -m local up --no-demo
	@$(BIN)/python -m local.demo --data $(or $(DATA),$(error say where the data is: make demo DATA=<folder>))

# The templates' tests are `make check`'s: they need no stack, and once is enough. Files are taken in their order, in which
# the slow ones are not last; by their number of tests they would be.
test: $(READY) ## the test suite: unit, integration on PostgreSQL, end-to-end on the deployed local stacks
	@$(BIN)/python -m local up --instance test --no-demo
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --ignore tests/infra $(ARGS); outcome=$$?; \
	  $(BIN)/python -m pytest -q -m alone --ignore tests/infra $(ARGS); alone=$$?; \
	  [ $$outcome -ne 0 ] || [ $$alone -eq 5 ] || outcome=$$alone; \
	  $(BIN)/python -m local down --instance test; exit $$outcome

check: $(READY) node_modules/.package-lock.json ## lint, types, import contracts, OpenAPI, templates, budgets
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/mypy functions shared infra local bench layers tests
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m local.openapi --check
	$(BIN)/python -m pytest -q -n $(WORKERS) tests/infra
	$(BIN)/python -m bench.budgets

bench: $(READY) ## measure beside a peer and the limit: make bench [NAME=read] [QUICK=1]
	@$(BIN)/python -m bench $(NAME) $(if $(QUICK),--quick)

synth: $(READY) node_modules/.package-lock.json ## synthesize a stage's templates into cdk.out: make synth STAGE=prod
	@PATH="$(CURDIR)/$(BIN):$$PATH" npx --no-install cdk synth -q -c stage=$(or $(STAGE),prod) $(ARGS)
	@echo "The templates of $(or $(STAGE),prod) are in cdk.out."

deploy: $(READY) node_modules/.package-lock.json ## deploy a stage to the AWS account of your credentials: make deploy STAGE=dev
	@$(BIN)/python -m infra.bytecode $(or $(STAGE),$(error say which stage: make deploy STAGE=dev))
	@PATH="$(CURDIR)/$(BIN):$$PATH" npx --no-install cdk deploy --all -c stage=$(STAGE) --require-approval broadening $(ARGS)

openapi: $(READY) ## write docs/api/openapi.json anew from the routes
	@$(BIN)/python -m local.openapi

format: $(READY) ## format the code
	@$(BIN)/ruff format -q . && $(BIN)/ruff check -q --fix .

# ── What is installed ─────────────────────────────────────────────────────────────────────────────────────────────

$(UV): requirements/bootstrap.txt
	@$(PYTHON) local/preflight.py
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(READY): $(UV) requirements/dev.txt pyproject.toml
	@echo "Installing Python packages …"
	@VIRTUAL_ENV=$(VENV) $(UV) pip sync -q --require-hashes requirements/dev.txt
	@VIRTUAL_ENV=$(VENV) $(UV) pip install -q --no-deps --no-build-isolation -e .
	@touch $@

node_modules/.package-lock.json: package-lock.json
	@$(PYTHON) local/preflight.py
	@npm ci --silent --no-audit --no-fund

COMPILE := $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header
LAYERS := core identity federation dynamo billing tables migrations
# What the Lambda runtime brings itself is never in a layer.
RUNTIME := boto3 botocore s3transfer jmespath python-dateutil six
# The layer core stands beside every other one, and holds it: 16 MB that need not be there twice.
CORE_HOLDS := cryptography

lock: $(UV) ## compile the hashed locks again from pyproject.toml and requirements/layers/*.in
	$(COMPILE) pyproject.toml --group pyproject.toml:dev -o requirements/dev.txt
	$(COMPILE) --group pyproject.toml:cloud -o requirements/cloud.txt
	$(COMPILE) requirements/bootstrap.in -c requirements/dev.txt -o requirements/bootstrap.txt
	for layer in $(LAYERS); do \
	  [ $$layer = core ] && without="" || without="$(foreach p,$(CORE_HOLDS),--no-emit-package $(p))"; \
	  $(COMPILE) requirements/layers/$$layer.in -c requirements/dev.txt \
	    $(foreach p,$(RUNTIME),--no-emit-package $(p)) $$without -o requirements/layers/$$layer.txt || exit 1; \
	done
