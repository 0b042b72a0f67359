#!/usr/bin/env bash
# Runs the suites that need a real engine against newer Docker Engines than the one of this machine, beside it.
#
#   deploy/test/engines.sh [26.1|28.5|all] [-- TEST-ARGUMENTS]     (default: all, the whole suite `real`)
#   deploy/test/engines.sh 28.5 -- contract::                      only these cases
#   deploy/test/engines.sh 26.1 --shell COMMAND...                 start the engine, run COMMAND with DOCKER_HOST, stop the engine
#
# The engines come from Debian packages (26.1: trixie, 28.5: unstable), unpacked and not installed. Each runs in a network namespace
# and a mount namespace of its own: its iptables rules, its docker0 and its published ports never meet those of this machine's engine,
# and its mounts end with it. The tests run inside that network namespace. Images are copied from this machine's engine. Everything
# that was started is stopped and removed at the end, also after a failure; the unpacked packages stay in the cache.
#
# Needs root. Environment:
#   SEAWALL_DEBIAN_MIRROR   default: the one that this machine's apt uses
#   SEAWALL_ENGINE_CACHE    default .cache/engines in this repository

set -euo pipefail

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$ROOT/deploy/images/mirror.sh"
CACHE=${SEAWALL_ENGINE_CACHE:-$ROOT/.cache/engines}
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
# What an engine is made of; libc6 and libseccomp2 are for runc, which needs a newer libc than older hosts have.
PACKAGES=(docker.io containerd runc libc6 libseccomp2)
WAIT_SECONDS=60

export PATH="$PATH:/usr/sbin:/sbin"

say()  { printf 'engines: %s\n' "$*"; }
fail() { printf 'engines: %s\n' "$*" >&2; exit 1; }

suite_of() { case "$1" in 26.1) echo trixie ;; 28.5) echo sid ;; *) return 1 ;; esac; }
# The package that has tini-static.
init_of() { case "$1" in trixie) echo tini ;; *) echo tini-static ;; esac; }

# --- arguments --------------------------------------------------------------------------------------------------------

VERSIONS=()
COMMAND=()
ARGUMENTS=()
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-4}
while [ $# -gt 0 ]; do
  case "$1" in
    all) VERSIONS+=(26.1 28.5) ;;
    26.1 | 28.5) VERSIONS+=("$1") ;;
    --) shift; ARGUMENTS+=("$@"); break ;;
    --shell) shift; COMMAND=("$@"); [ $# -gt 0 ] || fail "--shell needs a command"; break ;;
    *) fail "unknown argument '$1'. Usage: $0 [26.1|28.5|all] [-- TEST-ARGUMENTS | --shell COMMAND...]" ;;
  esac
  shift
done
[ ${#VERSIONS[@]} -gt 0 ] || VERSIONS=(26.1 28.5)

[ "$(id -u)" = 0 ] || fail "a second engine needs root"
for tool in apt-get dpkg nsenter unshare docker; do
  command -v "$tool" >/dev/null 2>&1 || fail "$tool is missing"
done
if ! command -v patchelf >/dev/null 2>&1 || ! command -v ip >/dev/null 2>&1; then
  say "installing patchelf and iproute2"
  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends patchelf iproute2; } >/dev/null \
    || fail "patchelf and iproute2 could not be installed"
fi

# --- packages ---------------------------------------------------------------------------------------------------------

# $1 apt directory, $2 suite, then a command: apt with its own sources and state, so that the host's are not touched.
apt_in() {
  local dir=$1 suite=$2 tool=$3
  shift 3
  "$tool" -o "Dir::State=$dir/state" -o "Dir::State::status=$dir/state/status" -o "Dir::Cache=$dir/cache" \
    -o "Dir::Etc::SourceList=$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::Preferences=/dev/null \
    -o Dir::Etc::PreferencesParts=/dev/null -o Acquire::Languages=none -o APT::Sandbox::User=root \
    -o "Acquire::Check-Valid-Until=$([ "$suite" = sid ] && echo false || echo true)" "$@"
}

# $1 version. The engine's programs end up in $CACHE/<version>/bin.
unpack() {
  local version=$1 suite dir apt fresh log
  suite=$(suite_of "$version")
  dir=$CACHE/$version
  if [ -x "$dir/bin/dockerd" ]; then return 0; fi
  say "$version: fetching the packages of Debian $suite"
  fresh=$dir.new
  rm -rf "$fresh"
  apt=$fresh/apt
  log=$fresh/log
  mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$fresh/debs" "$fresh/root" "$fresh/bin"
  : >"$apt/state/status"
  printf 'deb [signed-by=%s] %s %s main\n' "$KEYRING" "$MIRROR" "$suite" >"$apt/sources.list"
  apt_in "$apt" "$suite" apt-get update >"$log" 2>&1 || { tail -n 20 "$log" >&2; fail "$MIRROR has no Debian $suite for us"; }
  (cd "$fresh/debs" && apt_in "$apt" "$suite" apt-get download "${PACKAGES[@]}" "$(init_of "$suite")") >>"$log" 2>&1 \
    || { tail -n 20 "$log" >&2; fail "the packages of $suite could not be fetched"; }
  local deb
  for deb in "$fresh"/debs/*.deb; do dpkg -x "$deb" "$fresh/root"; done
  rm -rf "$apt" "$fresh/debs"
  # Only now: the paths that are written into runc must be the final ones.
  rm -rf "$dir"
  mv "$fresh" "$dir"
  local program found
  for program in dockerd docker-proxy containerd containerd-shim-runc-v2 runc tini-static; do
    found=$(find "$dir/root" -type f -perm -u+x -name "$program" | head -n 1)
    [ -n "$found" ] || { rm -rf "$dir"; fail "$suite has no $program in ${PACKAGES[*]}"; }
    cp "$found" "$dir/bin/$program"
  done
  local loader libraries
  loader=$(find "$dir/root" \( -type f -o -type l \) -name 'ld-linux*.so.*' -path '*-linux-gnu*' | head -n 1)
  libraries=$(dirname "$(find "$dir/root" -name 'libseccomp.so.2' | head -n 1)")
  patchelf --set-interpreter "$loader" --set-rpath "$libraries" "$dir/bin/runc" \
    && "$dir/bin/runc" --version >/dev/null || { mv "$dir/bin/dockerd" "$dir/bin/dockerd.broken"; fail "the patched runc does not run"; }
}

# --- one engine -------------------------------------------------------------------------------------------------------

NETNS=
PID=
SCRATCH=
DATA=

# Of the processes of the engine in hand only: all of them have its directory in their arguments.
our_processes() {
  local dir arguments
  for dir in /proc/[0-9]*; do
    arguments=$(tr '\0' ' ' 2>/dev/null <"$dir/cmdline") || continue
    if [[ $arguments == *"$SCRATCH/"* ]]; then basename "$dir"; fi
  done 2>/dev/null
}

stop_engine() {
  local id pid
  if [ -n "$PID" ] && kill -0 "$PID" 2>/dev/null; then
    for id in $(timeout 20 docker -H "unix://$SCRATCH/docker.sock" ps -aq 2>/dev/null); do
      timeout 30 docker -H "unix://$SCRATCH/docker.sock" rm -fv "$id" >/dev/null 2>&1 || true
    done
    kill "$PID" 2>/dev/null || true
    for _ in $(seq 1 100); do kill -0 "$PID" 2>/dev/null || break; sleep 0.2; done
    kill -9 "$PID" 2>/dev/null || true
    wait "$PID" 2>/dev/null || true
  fi
  PID=
  if [ -n "$SCRATCH" ]; then
    for pid in $(our_processes); do [ "$pid" = "$$" ] || kill -9 "$pid" 2>/dev/null || true; done
    sleep 0.2
  fi
  if [ -n "$NETNS" ]; then ip netns del "$NETNS" 2>/dev/null || true; fi
  NETNS=
  if [ -n "$DATA" ]; then rm -rf --one-file-system "$DATA" || true; fi
  DATA=
  if [ -n "$SCRATCH" ]; then rm -rf --one-file-system "$SCRATCH" || true; fi
  SCRATCH=
}
trap stop_engine EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

start_engine() {
  local version=$1 bin=$CACHE/$1/bin host
  # Short: there are unix sockets in it.
  SCRATCH=$(mktemp -d /tmp/swe.XXXXXX)
  mkdir -p "$CACHE/data"
  DATA=$(mktemp -d "$CACHE/data/$version.XXXXXX")
  NETNS=swe-${SCRATCH##*.}
  ip netns add "$NETNS"
  ip -n "$NETNS" link set lo up
  printf '{}\n' >"$SCRATCH/daemon.json"
  host=unix://$SCRATCH/docker.sock
  # nsenter and not `ip netns exec`, which remounts /sys and hides the cgroups. Neither of the two forks: $! is dockerd.
  PATH="$bin:$PATH" nsenter --net="/var/run/netns/$NETNS" unshare --mount \
    "$bin/dockerd" --config-file="$SCRATCH/daemon.json" --data-root "$DATA" --exec-root "$SCRATCH/exec" \
    --pidfile "$SCRATCH/dockerd.pid" -H "$host" --userland-proxy-path "$bin/docker-proxy" \
    --init-path "$bin/tini-static" >"$SCRATCH/dockerd.log" 2>&1 &
  PID=$!
  for _ in $(seq 1 $((WAIT_SECONDS * 5))); do
    if timeout 10 docker -H "$host" version --format '{{.Server.Version}}' >/dev/null 2>&1; then
      say "$version: Docker Engine $(docker -H "$host" version --format '{{.Server.Version}} (API {{.Server.APIVersion}})') runs"
      return 0
    fi
    if ! kill -0 "$PID" 2>/dev/null; then tail -n 30 "$SCRATCH/dockerd.log" >&2; fail "$version: the engine did not start"; fi
    sleep 0.2
  done
  tail -n 30 "$SCRATCH/dockerd.log" >&2
  fail "$version: no answer within $WAIT_SECONDS s"
}

copy_images() {
  local host=unix://$SCRATCH/docker.sock images
  mapfile -t images < <(docker images --filter 'reference=seawall/*' --format '{{.Repository}}:{{.Tag}}')
  [ ${#images[@]} -gt 0 ] || fail "images are missing: run deploy/images/build.sh"
  docker save "${images[@]}" | docker -H "$host" load -q >/dev/null
  say "images copied"
}

run_on() {
  local version=$1 status=0
  unpack "$version"
  start_engine "$version"
  copy_images
  local inside=(nsenter --net="/var/run/netns/$NETNS" env "DOCKER_HOST=unix://$SCRATCH/docker.sock")
  if [ ${#COMMAND[@]} -gt 0 ]; then
    "${inside[@]}" "${COMMAND[@]}" || status=$?
  else
    (cd "$ROOT" && "${inside[@]}" cargo test --quiet --offline --test real -- "${ARGUMENTS[@]}") || status=$?
  fi
  if [ "$status" -ne 0 ]; then
    say "$version: FAILED; the end of the engine's log:"
    tail -n 15 "$SCRATCH/dockerd.log" >&2
  fi
  stop_engine
  return "$status"
}

# Built outside, where crates can be fetched.
if [ ${#COMMAND[@]} -eq 0 ]; then (cd "$ROOT" && cargo test --quiet --test real --no-run); fi

RESULT=0
SUMMARY=()
for version in "${VERSIONS[@]}"; do
  if run_on "$version"; then SUMMARY+=("$version: ok"); else RESULT=1; SUMMARY+=("$version: FAILED"); fi
done
for line in "${SUMMARY[@]}"; do say "$line"; done
exit "$RESULT"
