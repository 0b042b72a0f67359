#!/usr/bin/env bash
# Licences, sources and bans of all dependencies, by the rules in deny.toml.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! cargo deny --version >/dev/null 2>&1; then
  echo "audit: cargo-deny is missing: installing it (some minutes)"
  cargo install --locked cargo-deny
fi
exec cargo deny check bans licenses sources
