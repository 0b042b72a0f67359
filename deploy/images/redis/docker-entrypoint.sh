#!/usr/bin/env bash
# Entrypoint of Seawall's Redis image, with the behaviour of the official image's:
#
#  - an option or a *.conf as the first argument is one of redis-server
#  - as root, for a server: what redis must reach is made reachable where it is plain to see that it is Redis's own, then root and
#    all capabilities are given up for good (but SYS_RESOURCE, with which Redis may raise its limit of open files)
#  - as anybody else, or without the capabilities that becoming redis takes: nothing of that
#  - nothing that it writes is readable to others; modules in the image's directory for them are loaded
#
# SKIP_FIX_PERMS and SKIP_DROP_PRIVS turn the two steps off.

set -euo pipefail

SERVER=/usr/local/bin/redis-server
MODULES=/usr/local/lib/redis/modules

as_redis() { setpriv --reuid redis --regid redis --clear-groups -- "$@"; }
holds() { setpriv --dump | grep -q "^Capability bounding set:.*\b$1\b"; }

# $1: what redis must be able to do with it, r or rw; $2: the path. Says so and goes on where it cannot be changed.
reachable() {
  local need=$1 path=$2 mode=$1 why
  if as_redis test -r "$path"; then
    if [ "$need" = r ] || as_redis test -w "$path"; then return 0; fi
  fi
  if [ -d "$path" ]; then mode+=x; fi
  why=$(chown redis "$path" 2>&1) || printf 'entrypoint: %s stays with its owner: %s\n' "$path" "$why"
  why=$(chmod "u+$mode" "$path" 2>&1) || printf 'entrypoint: %s keeps its mode: %s\n' "$path" "$why"
}

# A directory with anything else in it may be somebody's home.
left_alone() { printf 'entrypoint: %s holds %s: owners and modes in it stay as they are\n' "$1" "$2"; }

data_is_reachable() {
  local strange path
  strange=$(find . -mindepth 1 -maxdepth 1 ! -name '*.rdb' ! \( -type d -name appendonlydir \) -print -quit)
  if [ -n "$strange" ]; then left_alone "$PWD" "$strange"; return; fi
  while IFS= read -r -d '' path; do reachable rw "$path"; done < <(find . -print0)
}

# $1: r or rw, $2: the configuration file, which must be alone in its directory.
config_is_reachable() {
  local directory path alone=yes
  [ -f "$2" ] || return 0
  directory=$(dirname -- "$2")
  while IFS= read -r -d '' path; do
    if [ "${path##*/}" != "${2##*/}" ]; then alone=no; left_alone "$directory" "$path"; break; fi
  done < <(find "$directory" -mindepth 1 -maxdepth 1 -print0)
  if [ "$alone" = yes ]; then reachable "$1" "$directory"; reachable "$1" "$2"; fi
}

case "${1:-}" in -* | *.conf) set -- redis-server "$@" ;; esac

program=$(command -v -- "${1:-}" || true)
server='' sentinel=''
if [ "$(readlink -f -- "$program" || true)" = "$SERVER" ]; then
  case "${program##*/}" in redis-server | redis-sentinel) server=yes ;; esac
  case " ${program##*/} $* " in *' redis-sentinel '* | *' --sentinel '*) sentinel=yes ;; esac
fi

if [ -n "$server" ] && [ -z "${SKIP_DROP_PRIVS:-}" ] && [ "$(id -u)" = 0 ] && holds setuid && holds setgid; then
  config=''
  case "${2:-}" in -*) ;; *) config=${2:-} ;; esac
  if [ -z "${SKIP_FIX_PERMS:-}" ]; then
    if [ -n "$sentinel" ]; then
      config_is_reachable rw "$config"
    else
      data_is_reachable
      config_is_reachable r "$config"
    fi
  fi
  kept=-all
  if holds sys_resource; then kept+=,+sys_resource; fi
  exec setpriv --reuid redis --regid redis --clear-groups --nnp \
    --inh-caps="$kept" --ambient-caps="$kept" --bounding-set="$kept" -- "$0" "$@"
fi

if [ "$(umask)" = 0022 ]; then umask 0077; fi

if [ -n "$server" ] && [ -z "$sentinel" ]; then
  for module in "$MODULES"/*.so; do
    if [ -f "$module" ] && [ -s "$module" ] && [ -r "$module" ] && [ -x "$module" ]; then set -- "$@" --loadmodule "$module"; fi
  done
fi

exec "$@"
