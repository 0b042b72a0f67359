#!/usr/bin/env bash
# Shows that this version takes over what an earlier one left: databases are made by the program of another commit, then this one runs on
# the same data directory. Nothing may be planned, and every container must be the same one, started at the same time.
#
#   deploy/test/upgrade.sh COMMIT
#
# Environment:
#   SEAWALL_OLD, SEAWALL_NEW   the programs, if they are built already

set -euo pipefail

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
COMMIT=${1:?usage: $0 COMMIT}
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}

say()  { printf 'upgrade: %s\n' "$*"; }
fail() { printf 'upgrade: %s\n' "$*" >&2; exit 1; }

WORK=$(mktemp -d)
NAME=up$(printf '%05d' $((RANDOM % 100000)))
PID=
cleanup() {
  [ -z "$PID" ] || { kill "$PID" 2>/dev/null && wait "$PID" 2>/dev/null; } || true
  docker ps -aq --filter "label=seawall.dev/installation=$NAME" | xargs -r docker rm -f >/dev/null 2>&1 || true
  docker volume ls -q --filter "label=seawall.dev/installation=$NAME" | xargs -r docker volume rm >/dev/null 2>&1 || true
  docker network ls -q --filter "label=seawall.dev/installation=$NAME" | xargs -r docker network rm >/dev/null 2>&1 || true
  git -C "$ROOT" worktree remove --force "$WORK/old" 2>/dev/null || true
  rm -rf "$WORK"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

OLD=${SEAWALL_OLD:-}
if [ -z "$OLD" ]; then
  say "building $COMMIT"
  git -C "$ROOT" worktree add --quiet --detach "$WORK/old" "$COMMIT"
  (cd "$WORK/old" && CARGO_TARGET_DIR="$TARGET/upgrade" cargo build --quiet --release --bin seawall)
  OLD=$TARGET/upgrade/release/seawall
fi
say "building this version"
[ -n "${SEAWALL_NEW:-}" ] || (cd "$ROOT" && cargo build --quiet --release --bin seawall)
NEW=${SEAWALL_NEW:-$TARGET/release/seawall}

export SEAWALL_DATA=$WORK/data SEAWALL_INSTALLATION=$NAME SEAWALL_MANIFESTS=$WORK/manifests SEAWALL_LOG=warn
mkdir "$WORK/manifests"
cp "$ROOT/deploy/images/catalog.yaml" "$WORK/manifests/"
manifest() { printf 'apiVersion: seawall.dev/v1\nkind: Postgres\nmetadata: {name: %s}\nspec: %s\n' "$1" "$2" >"$WORK/manifests/$1.yaml"; }
manifest plain "{version: '18'}"
manifest full "{version: '17', database: shop, username: owner, port: none, resources: {memory: 256Mi, cpus: 0.5}, parameters: {work_mem: 8MB, max_connections: 40}}"
manifest halted "{version: '18', stopped: true}"

begin() { # $1: program
  "$1" run >"$WORK/log" 2>&1 &
  PID=$!
}
end() {
  kill "$PID"
  wait "$PID" || true
  PID=
}
containers() {
  docker ps -aq --no-trunc --filter "label=seawall.dev/installation=$NAME" \
    | xargs docker inspect --format '{{.Name}} {{.Id}} {{.State.StartedAt}} {{.RestartCount}}' | sort
}

say "databases of $("$OLD" version | head -n 1)"
begin "$OLD"
for name in plain full; do "$OLD" wait "postgres/$name" --for=condition=Ready --timeout=180s >/dev/null || { cat "$WORK/log" >&2; fail "$name is not Ready"; }; done
end
before=$(containers)

say "the same, by this version"
begin "$NEW"
for name in plain full; do "$NEW" wait "postgres/$name" --for=condition=Ready --timeout=60s >/dev/null || { cat "$WORK/log" >&2; fail "$name is not Ready any more"; }; done
sleep 5
"$NEW" plan || fail "there is something to do"
after=$(containers)
end
[ "$before" = "$after" ] || fail "containers differ:
$before
$after"
printf '%s\n' "$after"
say "taken over: the same containers, started at the same time, and nothing to do"
