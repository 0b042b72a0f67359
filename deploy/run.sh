#!/usr/bin/env bash
# Starts the operator on ./manifests in the foreground and says, once its databases are Ready, how to connect to them.
# Part of `make run`; everything here can be done by hand with the printed commands.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
seawall=$(cd "$target/release" && pwd)/seawall
patience=300s

ready() {
  local object
  # Until the operator has read the manifests, there is nothing to list.
  for _ in $(seq 100); do
    mapfile -t objects < <("$seawall" get postgres -o name 2>/dev/null)
    [ "${#objects[@]}" = 0 ] || break
    sleep 0.2
  done
  [ "${#objects[@]}" != 0 ] || return 0
  for object in "${objects[@]}"; do
    if ! "$seawall" wait "$object" --for=condition=Ready --timeout="$patience" >/dev/null 2>&1; then
      # The operator has left, or says itself what is wrong.
      "$seawall" get "$object" >/dev/null 2>&1 && printf '\n%s is not Ready yet. Why: %s describe %s\n' "$object" "$seawall" "$object"
      return 0
    fi
  done
  local first=${objects[0]} with_psql=
  # `seawall psql` needs none: the container has one.
  if command -v psql >/dev/null 2>&1; then
    with_psql=$'\n'"  psql \"\$($seawall connection $first --reveal -o url)\""
  fi
  printf '\n%s\n\n' "$("$seawall" get postgres)"
  cat <<END
In another terminal:

  $seawall psql ${first#*/}
  $seawall connection $first --reveal$with_psql
  $seawall describe $first

In a browser, signed in once within ten minutes (another link: $seawall dashboard):

  $("$seawall" dashboard 2>/dev/null || echo "nowhere: port 7080 is taken")

Edit a file in manifests/ and watch what happens here. Ctrl-C ends Seawall and leaves the databases running;
the next \`make run\` takes them over again.

END
}

ready &
exec "$seawall" run --manifests manifests --listen "${SEAWALL_LISTEN:-127.0.0.1:7080}"
