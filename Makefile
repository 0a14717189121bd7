# The index of scripts/. Each target is one script; what it does is told at the top of that script.
.DEFAULT_GOAL := help
.PHONY: help build test faults fuzz demo demo-stop bench lint fmt clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## install what is missing and build s3gw-fcgi, s3gw-worker and s3gw
	@scripts/install
	@scripts/build

test: ## unit tests, then end-to-end tests with real clients and real backends
	@scripts/test

faults: ## the gateway under injected faults, checked from outside; then with planted bugs, which must be caught
	@scripts/faults --seeds 0-17
	@scripts/faults --planted

fuzz: ## libFuzzer on every reader of client input, a minute each
	@scripts/fuzz 60

demo: ## a running gateway on loopback with three backends, and what to try with it
	@scripts/demo

demo-stop: ## stop the demo and leave nothing running
	@scripts/demo-stop

bench: ## ours beside nginx proxy_pass and beside the backend alone
	@scripts/bench

lint: ## check the form of sources and scripts
	@scripts/lint

fmt: ## format the Swift sources
	@scripts/fmt

clean: ## remove what was built
	@rm -rf .build .venv
