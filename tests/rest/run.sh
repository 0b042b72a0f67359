#!/bin/sh
# Asks the API what its OpenAPI document allows and what it forbids, and compares the answers with the document: schemathesis against the
# operator on the fake engine, over TCP with a token. `make test-rest`; EXAMPLES=200 asks more of each route.
set -eu

cd "$(dirname "$0")/../.."
target="${CARGO_TARGET_DIR:-target}"
venv="$target/schemathesis"
if [ ! -x "$venv/bin/st" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet 'schemathesis==4.32.5'
fi
cargo test --quiet --test it --no-run

dir=$(mktemp -d)
SEAWALL_REST="$dir" cargo test --quiet --test it -- --ignored --exact http::served::until_it_is_stopped >"$dir/log" 2>&1 &
server=$!
trap 'touch "$dir/stop"; wait "$server" || cat "$dir/log"; rm -rf "$dir"' EXIT
until [ -s "$dir/address" ]; do
  kill -0 "$server" || exit 1
  sleep 0.2
done

# The token goes by a file that nobody else reads, not as an argument. Left out: whether all that the document allows is taken: it
# knows of no selectors or units.
umask 077
cat >"$dir/schemathesis.toml" <<TOML
[auth.openapi.token]
bearer = "$(cat "$dir/token")"
TOML
here=$PWD
case "$venv" in /*) ;; *) venv="$here/$venv" ;; esac
# What it keeps for the next run is of no use here.
cd "$dir"
SCHEMATHESIS_HOOKS=hooks PYTHONPATH="$here/tests/rest" "$venv/bin/st" --config-file "$dir/schemathesis.toml" run \
  "$here/schemas/openapi.json" --url "http://$(cat "$dir/address")" \
  --checks all --exclude-checks positive_data_acceptance \
  --phases examples,coverage,fuzzing --max-examples "${EXAMPLES:-20}" --workers 1 --request-timeout 40 --seed 1 \
  --continue-on-failure "$@"
