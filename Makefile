# StreamFlow's commands. `make help` lists them.

DEMO_ARGS ?=
# Rounds of `make chaos`.
ROUNDS ?= 50

.PHONY: help setup jars build demo test chaos fmt lint clean

help: ## Show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: ## Install the system packages that are missing
	@scripts/setup.sh

jars: setup ## Fetch the Apache Kafka that the tests run
	@scripts/jars.sh

build: setup ## Build ./target/release/streamflow
	cargo build --release

demo: build ## Run everything embedded; DEMO_ARGS="..." are passed on
	./target/release/streamflow demo $(DEMO_ARGS)

test: jars ## Run all tests against a real Kafka and a real PostgreSQL
	@scripts/test.sh

chaos: jars ## Kill the worker and PostgreSQL under load, ROUNDS=50 times, and compare after each
	STREAMFLOW_CHAOS_ROUNDS=$(ROUNDS) cargo test --profile checked --test end_to_end chaos -- --nocapture

fmt: ## Format the sources
	cargo fmt --all

lint: setup ## Check formatting and lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

clean: ## Remove what was built and fetched
	cargo clean
	rm -rf .cache out
