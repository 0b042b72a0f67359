# `make run` and `make test` do everything that is needed, on a machine with only a Rust toolchain.

CARGO_TARGET_DIR ?= target
export CARGO_TARGET_DIR

.PHONY: help run build image test test-alerts bench setup images test-tools audit test-official test-seldom test-browser test-rest test-faults test-engines test-cgroup2 test-upgrade clean

help:
	@echo 'make run           Docker, images, Seawall on manifests/: a PostgreSQL you can log in to'
	@echo 'make test          everything that is checked: format, lints, tests, the real suite on Docker'
	@echo 'make bench         the measured numbers, each beside a reference taken in the same run'
	@echo 'make images        the PostgreSQL images alone'
	@echo 'make image         Seawall itself as a container image, seawall:local'
	@echo 'make test-alerts   the rules for Prometheus: that it understands them, and that each alert fires'
	@echo 'make audit         licences, sources and bans of all dependencies'
	@echo 'make test-official the real suite over images that keep the official image'\''s contract'
	@echo 'make test-seldom   rows of the real suite that are slow and seldom change'
	@echo 'make test-faults   bad parameters, bad images and what breaks a running server, each with its verdict: some twenty minutes'
	@echo 'make test-engines  the real suite on other Docker versions'
	@echo 'make test-cgroup2  the resource caps on a cgroup v2 engine, in a virtual machine'
	@echo 'make test-browser  the dashboard in Chromium: a service from creation to deletion by the keyboard, pictures, axe-core'
	@echo 'make test-rest     the HTTP API against its OpenAPI document, by schemathesis'
	@echo 'make test-upgrade  databases of an earlier version, taken over by this one'
	@echo 'make clean         what was built; databases and images stay'

setup:
	@deploy/setup.sh

images: setup
	@deploy/images/build.sh

build:
	cargo build --release --bin seawall

# Seawall itself as a container image. BASE=debian:trixie-slim where a registry answers.
BASE ?= seawall/base:trixie
image: images build
	tar -c -C $(CARGO_TARGET_DIR)/release seawall -C $(CURDIR)/deploy Dockerfile \
	  | docker build --build-arg BASE=$(BASE) --tag seawall:local -

# Only the images that manifests/ can name; the tests need more.
run: setup
	@deploy/images/build.sh 18 17
	@echo 'seawall: compiling (minutes the first time, seconds afterwards)'
	@$(MAKE) --no-print-directory build
	@exec deploy/run.sh

test-tools:
	@deploy/test-tools.sh

# The real suite waits more than it computes: four at a time also on two cores.
test: test-tools
	cargo fmt --check
	cargo clippy --all-targets --quiet -- -D warnings
	cargo test --lib --test it
	@$(MAKE) --no-print-directory test-alerts
	@$(MAKE) --no-print-directory images
	cargo test --test real -- --test-threads=4 $(SELDOM:%=--skip %)
	SEAWALL_TEST_IMAGES=official cargo test --test real -- --test-threads=4 $(OFFICIAL)

test-alerts: test-tools
	promtool check config deploy/prometheus/prometheus.yml
	cd deploy/prometheus && promtool test rules seawall.test.yml

# What takes minutes and depends on little that changes, or shows over one kind what the rest shows over another.
SELDOM = official:: faults:: attacks::files::a_file_system attacks::a_line_of_pg_hba attacks::nothing_that_a_role_made_runs_as_us_on_17 \
         attacks::a_column_that_names_a_collation attacks::an_image_with_another_c_library crash::redis:: links::a_crash \
         apps::a_published_port rotation::a_crash secrets::another_key \
         link_lives::a_server_that_hangs link_lives::a_database_that_its wal::a_server_that_hangs wal::whatever_is_done wal::a_disk \
         parameters::what_overrides_the_manifest
test-seldom: test-tools images
	cargo test --test real -- --test-threads=4 $(SELDOM)

# What depends most on an image's entry point; test-official runs everything, every crash point too. There is one Redis image only, which keeps
# the official one's contract.
OFFICIAL = first:: lifecycle:: stopping:: drift::postgres::a_container drift::postgres::a_server --skip redis::

# The real suite over images that keep the official image's contract, as Debian and as alpine have it, and what links, passwords and
# applications do with the older version. (alpine's image is of that, too.)
LINKS = link rotation:: secrets:: apps:: env_files:: --skip redis
test-official: test-tools images
	SEAWALL_TEST_IMAGES=official cargo test --test real -- --test-threads=4 --skip redis
	SEAWALL_TEST_IMAGES=alpine cargo test --test real -- --test-threads=4 first:: lifecycle:: stopping:: $(LINKS)
	SEAWALL_TEST_VERSION=17 cargo test --test real -- --test-threads=4 $(LINKS)

# Bad parameters and bad images through validate, trial, reload, forced restart and correction, with a poller beside
# each. SEAWALL_TEST_ROWS=ssl drives those with this in their name.
test-faults: test-tools images
	cargo test --test real fault_table:: -- --ignored --nocapture --test-threads=2
	cargo test --test real faults::

bench: images
	cargo bench --bench bench

audit:
	@deploy/audit.sh

test-engines: test-tools images
	@deploy/test/engines.sh

test-cgroup2: test-tools
	@deploy/test/cgroup2.sh

# Needs Python with venv, and pip a way to PyPI the first time.
test-rest:
	@tests/rest/run.sh

# Needs node and Chromium (Debian: nodejs npm chromium). Pictures are in tests/browser/shots; those of the docs are made with
# PICTURES=docs/dashboard.
test-browser: images
	cd tests/browser && npm ci --silent
	cargo test --test it web::in_a_browser -- --ignored --nocapture
	$(if $(PICTURES),SEAWALL_TEST_PICTURES=$(abspath $(PICTURES))) cargo test --test real browser:: -- --ignored --nocapture

# OLD: the commit that makes them.
OLD ?= 19a244f
test-upgrade: test-tools images
	@deploy/test/upgrade.sh $(OLD)

clean:
	cargo clean
