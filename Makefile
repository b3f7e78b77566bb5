# What people and CI run. `make help` lists it.

export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)

.PHONY: help setup demo matrix test test-crash test-arches test-gentoo test-lava test-sources test-judge test-graph test-everyday test-explore test-explore-all bench docs clean

help: ## Show this
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

setup: ## Install the host packages and Rust, where missing
	@tools/setup.sh build

demo: setup ## Build the engine, then build and boot the demo's kernels
	cargo build --release --locked
	@tools/demo.sh

CONFIGS ?= boot

matrix: ## Build and boot all arches; CONFIGS=defconfig takes the true defconfigs (hours)
	@tools/setup.sh matrix
	cargo build --release --locked
	@tools/matrix.sh $(CONFIGS)

test: ## Everything a change must pass, kernel builds and boots included
	@tools/setup.sh test
	cargo fmt --check
	cargo deny --locked check bans licenses sources
	@if cargo deny fetch db 2>/dev/null; then cargo deny --locked check advisories; \
	    else echo 'cargo deny check advisories: skipped, their database cannot be fetched'; fi
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo nextest run --locked --workspace

test-crash: ## Only the tests that kill the engine or make its disk fail
	@tools/setup.sh test
	cargo nextest run --locked --workspace -E 'binary(crash)'

test-arches: ## Only the tests of the twelve arches and of foreign toolchains, with those that take long
	@tools/setup.sh test
	cargo nextest run --locked --workspace --run-ignored all -E 'binary(arches) + binary(emulation) + test(matching)'

EXPLORE = binary(explore) + test(/explor/) + test(/^drive::explore::/) + test(derived)

test-explore: ## Only the tests of exploration: faults planted in a kernel are found and minimised
	@tools/setup.sh test
	cargo nextest run --locked --workspace --run-ignored all -E '$(EXPLORE)'

test-explore-all: ## The same with random configurations against make, and neighbour builds against clean ones, which take long
	@tools/setup.sh test
	cargo nextest run --locked --workspace --run-ignored all --success-output immediate \
	    -E '$(EXPLORE) + binary(explore_objects) + binary(kconfig) + test(/^(recipe::(neighbour|compiled|kconfig)|kconfig::mutate)::/)'

test-gentoo: ## Only the tests of Gentoo's stage3s and of emerge, with those that take long
	@tools/setup.sh test
	cargo nextest run --locked --workspace --run-ignored all -E 'binary(gentoo)'

test-lava: ## Only the tests of LAVA labs, with a real lab that is brought up and taken down
	@tools/setup.sh test
	cargo nextest run --locked --workspace -E 'binary(lava) + test(/^(labs|jobs|serve)::/) + test(labs)'

GRAPH = test(/^(spec|graph|plan|realise|origins|labs|jobs|machine)::/) + test(words) + test(spelling) + test(progress) \
    + binary(labs) + binary(layers) + binary(source) + test(share_a_jobserver) + test(within_a_second) \
    + test(laid_open) + test(refused_at_once) + test(invalid_projects)

test-sources: ## Only the tests of sources: git, tarballs, patches
	@tools/setup.sh test
	cargo nextest run --locked --workspace -E 'binary(git) + binary(source) + test(/^(origins|lock)::/) + test(patch)'

test-judge: ## Only the tests of consoles, test protocols, build logs and blame, with those that take long
	@tools/setup.sh test
	cargo nextest run --locked --workspace --run-ignored all -E 'binary(judge) + binary(source) + test(/^(console|buildlog)::/) + test(junit)'

test-graph: ## Only the tests of specs, the growing graph, placement, QEMU in its sandbox, and what ends a run
	@tools/setup.sh test
	cargo nextest run --locked --workspace -E '$(GRAPH)'

test-everyday: ## Only the tests of addresses, reports, logs, messages and the terminal
	@tools/setup.sh test
	cargo nextest run --locked --workspace -E 'binary(cli) + binary(docs) + test(/^(report|terminal|text|cli|kconfig)::/) + test(everyday) + test(from_definitions_to)'

bench: ## Measure beside ninja, nix-build and bare make; one line each
	@tools/setup.sh bench
	cargo bench --locked -p engine

docs: ## Make docs/book with mdbook, where it is installed
	@if command -v mdbook >/dev/null; then mdbook build docs; \
	    else echo 'docs: mdbook is not installed; read docs/src/ as it is'; fi

clean: ## Remove target/, with the store of the tests
	rm -rf target 2>/dev/null || unshare --map-root-user --map-auto rm -rf target
