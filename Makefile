# StreamFlow's commands. `make help` lists them.

DEMO_ARGS ?=
BENCH_ARGS ?=
COMPARE_ARGS ?=
# Where `make lint` installs its tools.
TOOLS = .cache/tools
# Rounds of `make chaos`.
ROUNDS ?= 50
# Transfers of `make consistency`, and how many a second.
TRANSFERS ?= 100000
RATE ?= 2000

.PHONY: help setup setup-manifests setup-image jars build demo bench compare test chaos consistency observe rules monitoring screenshot manifests image image-test fmt lint clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## Install the system packages that are missing
	@scripts/setup.sh

setup-manifests setup-image:
	@scripts/setup.sh $(@:setup-%=%)

jars: setup ## Fetch the Apache Kafka that the tests run
	@scripts/jars.sh

build: setup ## Build ./target/release/streamflow
	cargo build --release

demo: setup ## Run everything embedded; DEMO_ARGS="..." are passed on
	cargo build --profile demo
	./target/demo/streamflow demo $(DEMO_ARGS)

bench: build jars ## Measure latencies on a real Kafka and PostgreSQL; BENCH_ARGS="..." are passed on
	./target/release/streamflow bench $(BENCH_ARGS)

compare: build ## The same rules by the graph, by a loop on one thread and by Apache Flink; COMPARE_ARGS="..." are passed on
	benches/peers/compare.py $(COMPARE_ARGS)

test: jars ## Run all tests against a real Kafka and a real PostgreSQL
	@scripts/test.sh

chaos: jars ## Kill the worker and PostgreSQL under load, ROUNDS=50 times, and compare after each
	STREAMFLOW_CHAOS_ROUNDS=$(ROUNDS) cargo test --profile checked --test end_to_end chaos -- --nocapture

consistency: jars ## Read both sides of TRANSFERS=100000 transfers all the while, and kill the worker
	STREAMFLOW_TRANSFERS=$(TRANSFERS) STREAMFLOW_TRANSFER_RATE=$(RATE) cargo test --profile checked --test end_to_end consistency -- --nocapture

monitoring: ## Write dashboards and the operator's rules anew from their sources
	dashboards/generate.py
	monitoring/generate.py

screenshot: setup ## Draw the status page of a running demo anew, for docs/
	STREAMFLOW_PICTURES=docs cargo test --profile checked --test end_to_end page::the_demonstration -- --nocapture
	optipng -quiet -o2 docs/status-page*.png

observe: jars ## Run a pipeline that Prometheus watches, until Ctrl-C
	cargo test --profile checked --test end_to_end observe::live::for_a_person -- --ignored --nocapture

rules: setup ## Check and test the alert rules
	promtool check rules monitoring/rules/*.yaml
	promtool test rules monitoring/tests/*.yaml

manifests: setup-manifests ## Check what is deployed: Kubernetes manifests, infrastructure, Docker Compose
	@scripts/manifests/check.sh

image: setup-image ## Build the container image without Docker (root)
	@scripts/image/build.sh

image-test: jars setup-image setup-manifests ## Run the image as in a cluster, with a real Kafka and PostgreSQL (root)
	@scripts/image/test.sh

fmt: ## Format the sources
	scripts/fmt.sh

lint: setup ## Check formatting, lints, and that modules and crates use each other in one direction
	scripts/fmt.sh --check
	scripts/rooms.py --selftest
	scripts/rooms.py
	cargo clippy --workspace --all-targets --profile checked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
	$(TOOLS)/bin/cargo-deny check bans licenses sources
	$(TOOLS)/bin/cargo-machete

clean: ## Remove what was built and fetched
	cargo clean
	rm -rf .cache out
