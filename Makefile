# The commands of the project. `make help` lists them; `make demo` and `make test` need nothing but
# Python 3.11 or later, make and git.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
CLIENTS := tests/clients/node_modules/.complete
# One more than the cores of a small machine: some tests wait.
JOBS ?= 3
PYTEST := $(BIN)/python -m pytest

# No part of the tool chain calls home.
export DAGSTER_DISABLE_TELEMETRY := 1
export GX_ANALYTICS_ENABLED := false

.PHONY: help setup demo ui test check format bench bench-identity bench-serving bench-peers-setup soak lock lock-clients clean

help:  ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(STAMP)  ## Make the environment .venv (once; again when the lock changes)

$(STAMP): requirements.lock pyproject.toml scripts/setup
	@scripts/setup
	@touch $@

# Makes nothing where there is no npm or no network: tests that need the clients are skipped then.
$(CLIENTS): tests/clients/package.json tests/clients/package-lock.json scripts/setup-clients
	@scripts/setup-clients

demo: $(STAMP)  ## Make the workspace demo/, run every stage on it, show what came out
	@test -e demo/cdp.yaml || $(BIN)/cdp init demo --demo
	@$(BIN)/cdp run -w demo

ui: $(STAMP)  ## Open Dagster on the demo (stop with Ctrl-C)
	@$(BIN)/dg dev

test: $(STAMP) $(CLIENTS)  ## Run the tests (about twelve minutes on two cores)
	@scripts/test "$(BIN)/python" "$(JOBS)" $(ARGS)

check: $(STAMP)  ## ruff, mypy strict, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(STAMP)  ## Bring the code into the common form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## Measure 1M events, each stage beside its physical limit
	@$(BIN)/python -m benchmarks $(ARGS)

bench-identity: $(STAMP)  ## Identity on labelled people: ours beside Splink, accuracy and cost
	@$(BIN)/python -m benchmarks.identity_peers $(ARGS)

bench-serving: $(STAMP)  ## The server: CPU per request, top load, latencies (ARGS="--customers 1000000": large)
	@$(BIN)/python -m benchmarks.serving $(ARGS)

bench-peers-setup: $(STAMP)  ## Make the environment of Splink for bench-identity (needs the network)
	@rm -rf benchmarks/.venv-splink
	@$(BIN)/python -m venv benchmarks/.venv-splink
	@benchmarks/.venv-splink/bin/python -m pip install --quiet --disable-pip-version-check \
		splink==5.0.0 duckdb==1.5.6 pyarrow==26.0.1

soak: $(STAMP)  ## The long campaigns of crashes and fuzzing (some hours)
	@HYPOTHESIS_PROFILE=soak $(PYTEST) -m soak $(ARGS)

lock:  ## Resolve pyproject.toml again into requirements.lock (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --generate-hashes --no-header --no-annotate \
		--quiet -o requirements.lock

lock-clients:  ## Resolve tests/clients/package.json again into its lock (needs npm)
	rm -f tests/clients/package-lock.json
	npm install --prefix tests/clients --package-lock-only --ignore-scripts --no-audit --no-fund
	sed -i '/"resolved":/d' tests/clients/package-lock.json

clean:  ## Remove the environment, the demo and all caches
	rm -rf $(VENV) tests/clients/node_modules demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
