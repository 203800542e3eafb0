# One short target for each task. `make` alone lists them.
#
# Needed: Rust (the version of rust-toolchain.toml), Go 1.26 or newer, a C compiler. As root, `make test` and
# `make demo` install what else they need; the first run compiles Kubernetes, which takes some ten minutes.

CARGO ?= cargo
TESTBED = $(CARGO) run --quiet --locked --package testbed --

.PHONY: help build fetch lint unit tidy e2e test demo demo-down

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the gateway: target/release/gatewarden
	$(CARGO) build --locked --release --package gatewarden

fetch: ## Install packages and compile Kubernetes and etcd, where they are missing
	$(CARGO) fetch --locked
	$(TESTBED) fetch

lint: ## Check the formatting and the lints
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --locked --workspace --all-targets -- --deny warnings

unit: ## Unit, property and documentation tests
	$(CARGO) test --locked --workspace --exclude e2e --exclude testbed --exclude tidy --no-fail-fast

tidy: ## What neither the compiler nor clippy checks
	$(CARGO) test --locked --package tidy

e2e: fetch ## Real kubectl, real clusters, a real directory, in a network namespace of their own
	$(CARGO) build --locked --package gatewarden --package testbed
	$(CARGO) test --locked --package testbed --package e2e --no-run
	$(TESTBED) run -- $(CARGO) test --locked --offline --package testbed --package e2e --no-fail-fast

test: fetch lint unit tidy e2e ## Everything that must pass before a change is merged

demo: ## See it work: a directory, two clusters, the gateway, and a person who runs kubectl
	$(CARGO) fetch --locked
	$(CARGO) build --locked --package gatewarden --package testbed
	@$(TESTBED) demo

demo-down: ## Stop the demo and delete what it made
	@$(TESTBED) demo-down
