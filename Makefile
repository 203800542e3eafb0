# One short target for each task. `make` alone lists them.
#
# Needed: Rust (the version of rust-toolchain.toml), Go 1.26 or newer, a C compiler. As root, `make test` and
# `make demo` install what else they need; the first run compiles Kubernetes, which takes some ten minutes.

CARGO ?= cargo
# Part of a test's name: `make e2e CASES=exec` runs what has it in its name, and nothing else.
CASES =
# What `make bench` is told.
ARGS =
TARGET = $(or $(CARGO_TARGET_DIR),target)
TESTBED = $(TARGET)/debug/testbed

.PHONY: help build lint unit tidy e2e test fuzz bench soak demo demo-down pictures everything

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the gateway and the kubectl plugin: target/release/gatewarden, target/release/kubectl-gatewarden
	$(CARGO) build --locked --release --package gatewarden --package kubectl-gatewarden

lint: ## Check the formatting and the lints
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --locked --workspace --all-targets -- --deny warnings

unit: ## Unit, property and documentation tests
	$(CARGO) test --locked --workspace --lib --bins --no-fail-fast
	$(CARGO) test --locked --workspace --doc --no-fail-fast

tidy: ## What neither the compiler nor clippy checks
	$(CARGO) test --locked --package tidy

e2e: everything ## Real kubectl, clusters and directories, in a network namespace; CASES=exec picks by name
	$(TESTBED) run -- $(CARGO) test --locked --offline --workspace --test servers --test line --test directory \
		--no-fail-fast -- $(CASES)

test: lint everything ## Everything that must pass before a change is merged
	tests/fuzz/run build
	$(TESTBED) run -- $(CARGO) test --locked --offline --workspace --no-fail-fast
	tests/fuzz/run 5

fuzz: ## Look for inputs that break a promise, TIME=60 seconds for each of eight targets
	tests/fuzz/run build
	tests/fuzz/run $(or $(TIME),60)

bench: ## What the gateway costs; ARGS="--rounds 1" is quick, ARGS="--only logins" is one part of: peers,identity,tokens,logins,plugin
	$(CARGO) build --locked --release --package gatewarden --package kubectl-gatewarden --package load --package testbed
	$(TARGET)/release/testbed fetch
	$(TARGET)/release/load fetch
	$(TARGET)/release/testbed run -- $(TARGET)/release/load bench $(ARGS)

soak: everything ## Kill, break and reload TIMES=20 as often as `make test` does, and count what is left behind
	GATEWARDEN_SOAK=$(or $(TIMES),20) $(TESTBED) run -- $(CARGO) test --locked --offline --package e2e --test line -- \
		kills:: faults:: nothing_fails_while

demo: ## See it work: a directory, a portal, two clusters, the gateway, and people who run kubectl
	$(CARGO) build --locked --package gatewarden --package kubectl-gatewarden --package testbed
	@$(TESTBED) demo

pictures: everything ## Take the pictures of the login pages in docs/users anew
	mkdir -p docs/users/pictures
	GATEWARDEN_PICTURES=$(CURDIR)/docs/users/pictures $(TESTBED) run -- $(CARGO) test --locked --offline --package e2e --test line -- pages::the real_browser

demo-down: ## Stop the demo and delete what it made
	@$(TESTBED) demo-down

# All programs and tests by one command: another choice of packages would compile their dependencies anew.
everything:
	$(CARGO) build --locked --workspace --all-targets
	$(TESTBED) fetch
