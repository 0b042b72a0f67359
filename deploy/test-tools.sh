#!/usr/bin/env bash
# What the tests need beyond Rust and Docker. Says what is missing, installs it with apt-get (Debian, Ubuntu), changes nothing
# where all is there. Seawall itself needs none of these.
set -euo pipefail

say()  { printf 'test-tools: %s\n' "$*"; }
fail() { printf 'test-tools: %s\n' "$*" >&2; exit 1; }
export PATH="$PATH:/usr/sbin:/sbin"

# command:package
packages=()
for need in psql:postgresql-client ip:iproute2 nsenter:util-linux ps:procps promtool:prometheus; do
  command -v "${need%%:*}" >/dev/null 2>&1 || packages+=("${need#*:}")
done

if [ "${#packages[@]}" != 0 ]; then
  say "installing ${packages[*]} with apt-get"
  command -v apt-get >/dev/null 2>&1 || fail "there is no apt-get: install ${packages[*]} by other means"
  root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || fail "root is needed to install ${packages[*]}"
    root=(sudo)
  fi
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  if ! { "${root[@]}" apt-get update \
    && "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    fail "apt-get could not install ${packages[*]} (the end of its output is above)"
  fi
  # The tests start one of their own; the service that Debian's package starts is nothing that anybody asked for.
  if [[ " ${packages[*]} " == *' prometheus '* ]] && [ -d /run/systemd/system ]; then
    "${root[@]}" systemctl disable --now prometheus >/dev/null 2>&1 || true
  fi
fi

# A minimal Rust toolchain comes without these two.
for part in rustfmt clippy; do
  case "$part" in rustfmt) verb=fmt ;; *) verb=clippy ;; esac
  if ! cargo "$verb" --version >/dev/null 2>&1; then
    command -v rustup >/dev/null 2>&1 || fail "cargo $verb is missing: install $part for this toolchain"
    say "installing $part with rustup"
    rustup component add "$part" >/dev/null 2>&1 || fail "rustup could not install $part"
  fi
done
