#!/usr/bin/env bash
# Makes sure that a Docker Engine answers on this machine, so that Seawall (and its tests) can be run.
#
#   deploy/setup.sh
#
# Idempotent: where an engine already answers, it says so and changes nothing. Otherwise it installs Debian's own docker.io
# (Debian and Ubuntu) and starts it: through systemd where systemd runs, as a plain background process where it does not
# (containers, micro-VMs, CI runners).
#
# Environment:
#   DOCKER_HOST            respected: an engine named there is never replaced by a local one
#   SEAWALL_DOCKERD_ARGS   more arguments for dockerd when this script starts it itself (split at blanks)

set -euo pipefail

LOG=/var/log/dockerd.log
PIDFILE=/var/run/docker.pid
WAIT_SECONDS=60

say()  { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# The server part is what counts: `docker version` also exits non-zero when only the client is there.
engine_version() { timeout 10 docker version --format '{{.Server.Version}} (API {{.Server.APIVersion}})' 2>/dev/null; }
engine_error()   { timeout 10 docker version --format '{{.Server.Version}}' 2>&1 >/dev/null | tail -n 1 || true; }
is_running()     { [ -n "${1:-}" ] && [ "$(cat "/proc/$1/comm" 2>/dev/null)" = "$2" ]; }

# --- 1. Is there anything to do? --------------------------------------------------------------------------------------

if command -v docker >/dev/null 2>&1; then
  if found=$(engine_version); then
    say "Docker Engine $found answers${DOCKER_HOST:+ at $DOCKER_HOST}: nothing to do"
    exit 0
  fi
  say "a docker client is here ($(command -v docker)), but no engine answers"
else
  say "no docker client found"
fi

if [ -n "${DOCKER_HOST:-}" ]; then
  # Somebody chose an engine on purpose; a second one beside it would only hide the real problem.
  command -v docker >/dev/null 2>&1 && say "$(engine_error)"
  fail "DOCKER_HOST=$DOCKER_HOST does not answer. Start that engine, or unset DOCKER_HOST to use a local one. Nothing was installed."
fi
if command -v docker >/dev/null 2>&1; then
  context=$(docker context show 2>/dev/null || echo default)
  if [ "$context" != default ]; then
    fail "the docker context '$context' does not answer. Start that engine, or run 'docker context use default'. Nothing was installed."
  fi
fi

if [ "$(id -u)" -ne 0 ]; then
  if command -v docker >/dev/null 2>&1 && engine_error | grep -qi 'permission denied'; then
    fail "an engine seems to run, but $(id -un) may not use its socket. Run: sudo usermod -aG docker $(id -un)  and log in again."
  fi
  self=$(readlink -f "$0")
  if command -v sudo >/dev/null 2>&1; then
    say "root is needed: going on with sudo"
    exec sudo --preserve-env=SEAWALL_DOCKERD_ARGS bash "$self" "$@"
  fi
  fail "root is needed. Run as root: bash $self"
fi

export PATH="$PATH:/usr/sbin:/sbin"

# --- 2. Install -------------------------------------------------------------------------------------------------------

apt_install() { DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; }

if command -v dockerd >/dev/null 2>&1; then
  say "found $(dockerd --version)"
else
  command -v apt-get >/dev/null 2>&1 \
    || fail "dockerd is missing and this system has no apt-get. Install Docker Engine 20.10 or newer by its own package manager, then run this again."
  say "dockerd is missing: installing docker.io, iptables and ca-certificates with apt-get"
  aptlog=$(mktemp)
  # A package that starts its service at once would race with the start below, hence no check of its result here.
  if ! { apt-get update && apt_install docker.io iptables ca-certificates; } >"$aptlog" 2>&1; then
    tail -n 20 "$aptlog" >&2
    fail "apt-get could not install docker.io (the end of its output is above). Check the apt sources and the network, then run this again."
  fi
  rm -f "$aptlog"
  say "installed $(dockerd --version)"
fi
# Newer Debian releases ship the client in a package of its own, which docker.io only recommends.
if ! command -v docker >/dev/null 2>&1; then
  say "the docker client is missing: installing docker-cli"
  { apt-get update && apt_install docker-cli; } >/dev/null 2>&1 || fail "apt-get could not install docker-cli"
fi
if ! command -v iptables >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1; then
  say "iptables is missing: installing it (published ports need it)"
  { apt-get update && apt_install iptables; } >/dev/null 2>&1 || say "warning: apt-get could not install iptables"
fi

# --- 3. Start ---------------------------------------------------------------------------------------------------------

# Kernels without nf_tables refuse every call of the nft flavour, but often still know the legacy tables.
use_iptables_legacy() {
  [ -x /usr/sbin/iptables-legacy ] && command -v update-alternatives >/dev/null 2>&1 || return 1
  iptables-legacy -t nat -S >/dev/null 2>&1 || return 1
  [ "$(readlink -f "$(command -v iptables)")" != "$(readlink -f /usr/sbin/iptables-legacy)" ] || return 1
  update-alternatives --set iptables /usr/sbin/iptables-legacy >/dev/null || return 1
  update-alternatives --set ip6tables /usr/sbin/ip6tables-legacy >/dev/null 2>&1 || true
  say "iptables-nft does not work on this kernel: switched to iptables-legacy"
}

wait_for_engine() { # $1: pid of a dockerd started here, or empty
  local end=$((SECONDS + WAIT_SECONDS))
  while [ "$SECONDS" -lt "$end" ]; do
    timeout 10 docker info >/dev/null 2>&1 && return 0
    if [ -n "${1:-}" ] && ! kill -0 "$1" 2>/dev/null; then return 1; fi
    sleep 0.5
  done
  return 1
}

# A pid file left by a crash keeps dockerd down when its number meanwhile belongs to some other program.
remove_stale_pidfiles() {
  local file name
  for file in "$PIDFILE" /var/run/docker/containerd/containerd.pid; do
    [ -f "$file" ] || continue
    name=dockerd
    case "$file" in *containerd.pid) name=containerd ;; esac
    if ! is_running "$(cat "$file")" "$name"; then
      say "removing $file: the $name it names is gone"
      rm -f "$file"
    fi
  done
}

dockerd_pid=
start_dockerd() {
  remove_stale_pidfiles
  printf -- '--- started by setup.sh %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >>"$LOG"
  # A session of its own: the engine must outlive this script, its terminal and a Ctrl-C in it. The storage driver is left to
  # dockerd, which falls back by itself where overlay2 is not possible.
  # shellcheck disable=SC2086
  nohup setsid dockerd ${SEAWALL_DOCKERD_ARGS:-} >>"$LOG" 2>&1 </dev/null &
  dockerd_pid=$!
  say "started dockerd (pid $dockerd_pid, log $LOG)"
}

if command -v iptables >/dev/null 2>&1 && ! iptables -t nat -S >/dev/null 2>&1; then
  use_iptables_legacy || say "warning: neither iptables flavour works here; published ports may not work"
fi

started=no
if [ -d /run/systemd/system ]; then
  say "starting docker.service by systemd"
  systemctl reset-failed docker.service >/dev/null 2>&1 || true
  if systemctl enable --now docker.service >/dev/null 2>&1 && wait_for_engine; then started=yes; fi
  show_log() { journalctl -u docker.service -n 20 --no-pager 2>/dev/null || true; }
else
  say "no systemd here: running dockerd in the background"
  show_log() { tail -n 20 "$LOG" 2>/dev/null || true; }
  if is_running "$(cat "$PIDFILE" 2>/dev/null)" dockerd; then
    say "a dockerd is already running (pid $(cat "$PIDFILE")): waiting for it to answer"
    if wait_for_engine; then started=yes; fi
  else
    touch "$LOG"
    log_start=$(wc -l <"$LOG")
    start_dockerd
    if wait_for_engine "$dockerd_pid"; then
      started=yes
    elif ! kill -0 "$dockerd_pid" 2>/dev/null \
      && tail -n "+$((log_start + 1))" "$LOG" | grep -qi 'iptables' && use_iptables_legacy; then
      start_dockerd
      if wait_for_engine "$dockerd_pid"; then started=yes; fi
    fi
  fi
fi

if [ "$started" != yes ]; then
  show_log >&2
  fail "the engine did not start, or did not answer within $WAIT_SECONDS s; the end of its log is above.
  Common causes: no cgroups mounted (mount them at /sys/fs/cgroup); not enough privileges (inside a container it must be
  privileged); no iptables in the kernel (SEAWALL_DOCKERD_ARGS=--iptables=false, then without published ports)."
fi

found=$(engine_version) || found=unknown
say "Docker Engine $found answers"
say "$(docker info --format 'storage driver {{.Driver}}, cgroup v{{.CgroupVersion}} ({{.CgroupDriver}}), {{.NCPU}} CPUs' 2>/dev/null)"
