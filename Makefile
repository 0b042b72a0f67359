# `make run` and `make test` do everything that is needed, on a machine with only a Rust toolchain.

.PHONY: run test bench images setup audit clean

setup:
	@deploy/setup.sh

images: setup
	@deploy/images/build.sh

run: images
	cargo run --quiet --release -- run --manifests manifests

test: images
	cargo fmt --check
	cargo clippy --all-targets --quiet -- -D warnings
	cargo test --quiet --lib --test it
	cargo test --quiet --test real -- --test-threads=4

bench: images
	cargo bench --bench bench

audit:
	cargo deny check bans licenses sources

clean:
	cargo clean
