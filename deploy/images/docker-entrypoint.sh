#!/usr/bin/env bash
# Entrypoint of Seawall's PostgreSQL images. It keeps the contract of the well-known official image (POSTGRES_* variables,
# PGDATA, /docker-entrypoint-initdb.d) with two differences that matter to an operator:
#
#  - Initialisation is all or nothing. Everything is built in a staging directory and only then moved into place, PG_VERSION
#    last, so a container killed at any moment simply starts over (or finishes the move) at its next start.
#  - Until then nothing listens where clients or health checks look: the temporary server has a socket directory of its own.
#
# Runs with all capabilities dropped except CHOWN, FOWNER, SETUID, SETGID (and KILL for an init process): in particular root
# cannot read or write other people's directories here.

set -Eeuo pipefail

STAGING_NAME=.seawall-initdb
SOCKET_DIR=/var/run/postgresql
INIT_SOCKET_DIR=$SOCKET_DIR/.init

say()  { printf 'entrypoint: %s\n' "$*"; }
fail() { printf 'entrypoint: error: %s\n' "$*" >&2; exit 1; }

# --- as root: directories, then become postgres -----------------------------------------------------------------------

as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups -- "$@"; }

# Creates a directory and its missing parents for postgres. Root without DAC_OVERRIDE cannot create anything below a directory
# that belongs to postgres, so that user does it there.
make_dir_for_postgres() {
  [ -d "$1" ] && return 0
  make_dir_for_postgres "$(dirname "$1")"
  if mkdir "$1" 2>/dev/null; then
    chown postgres:postgres "$1"
  else
    as_postgres mkdir "$1"
  fi
}

# Changes nothing where all is right already: the usual start must not walk a large data directory.
prepare_as_root() {
  local uid
  uid=$(id -u postgres)

  make_dir_for_postgres "$PGDATA"
  if [ "$(stat -c %u "$PGDATA")" != "$uid" ]; then
    say "changing the owner of $PGDATA to postgres"
    # First top-down to root, as only the owner can enter the directories; then bottom-up to postgres, so that the top, which is
    # what the test above looks at, comes last and an interrupted run is repeated.
    find "$PGDATA" -type d -exec chown 0 '{}' ';'
    find "$PGDATA" -depth -exec chown -h postgres:postgres '{}' +
  fi
  case "$(stat -c %a "$PGDATA")" in
    700 | 750) ;;
    *) chmod 0700 "$PGDATA" ;;
  esac

  if [ -n "${POSTGRES_INITDB_WALDIR:-}" ]; then
    make_dir_for_postgres "$POSTGRES_INITDB_WALDIR"
    if [ "$(stat -c %u "$POSTGRES_INITDB_WALDIR")" != "$uid" ]; then
      chown postgres:postgres "$POSTGRES_INITDB_WALDIR"
    fi
  fi

  # A tmpfs may be mounted here, which starts empty and owned by root at each start.
  mkdir -p "$SOCKET_DIR"
  if [ "$(stat -c %u "$SOCKET_DIR")" != "$uid" ]; then
    chmod 0775 "$SOCKET_DIR"
    chown postgres:postgres "$SOCKET_DIR"
  fi
}

# --- as postgres: initialise an empty data directory ------------------------------------------------------------------

# Lets VAR be given as VAR_FILE, the name of a file that holds the value.
value_or_file() {
  local name=$1 file_name="${1}_FILE" file
  file=${!file_name:-}
  [ -n "$file" ] || return 0
  [ -z "${!name:-}" ] || fail "both $name and $file_name are set; give one of them"
  [ -r "$file" ] || fail "$file_name names $file, which user $(id -un) cannot read"
  printf -v "$name" '%s' "$(cat -- "$file")"
}

# Available to sourced *.sh hooks under the name they know from the official image.
docker_process_sql() {
  psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password --quiet --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" "$@"
}

run_hooks() {
  local hook
  for hook in /docker-entrypoint-initdb.d/*; do
    case "$hook" in
      *.sh)
        say "running $hook"
        # Scripts that are not executable are sourced, as in the official image. They see the password, the server never does.
        if [ -x "$hook" ]; then
          POSTGRES_PASSWORD=$password "$hook"
        else
          # shellcheck source=/dev/null
          POSTGRES_PASSWORD=$password . "$hook"
        fi
        ;;
      *.sql) say "running $hook"; docker_process_sql -f "$hook" ;;
      *.sql.gz) say "running $hook"; gunzip -c "$hook" | docker_process_sql ;;
      '/docker-entrypoint-initdb.d/*') ;; # empty directory
      *) say "ignoring $hook" ;;
    esac
  done
}

# Moves the finished cluster from the staging directory into PGDATA. May be interrupted at any point and called again: each entry
# is in exactly one of the two places, and PGDATA counts as initialised only from the last rename on.
publish() {
  local entry
  (
    shopt -s dotglob nullglob
    for entry in "$staging"/*; do
      case "${entry##*/}" in PG_VERSION | .complete) continue ;; esac
      mv -T -- "$entry" "$PGDATA/${entry##*/}"
    done
  )
  sync "$PGDATA" # the renames must reach the disk before PG_VERSION says that they did
  mv -T -- "$staging/PG_VERSION" "$PGDATA/PG_VERSION"
  sync "$PGDATA"
}

stop_temporary_server() {
  if [ -s "$staging/postmaster.pid" ]; then pg_ctl -D "$staging" -m "$1" -w -s stop; fi
}

initialise() {
  local password foreign initdb_args=() extra_args=() auth_method
  staging=$PGDATA/$STAGING_NAME

  if [ -e "$staging/.complete" ]; then
    say "finishing an initialisation that was interrupted at its very end"
    publish
    return
  fi

  # Whatever else is there is not ours: neither delete nor bury it.
  foreign=$(find "$PGDATA" -mindepth 1 -maxdepth 1 ! -name "$STAGING_NAME" -printf '%f ' -quit)
  [ -z "$foreign" ] || fail "$PGDATA is not empty (it has ${foreign% }) but has no PG_VERSION: it holds no complete database cluster.
  Restore it, or empty the directory, or let PGDATA name a directory below it"

  value_or_file POSTGRES_USER
  value_or_file POSTGRES_DB
  value_or_file POSTGRES_PASSWORD
  value_or_file POSTGRES_INITDB_ARGS
  password=${POSTGRES_PASSWORD:-}
  # From here on no child inherits it by accident.
  unset POSTGRES_PASSWORD
  export POSTGRES_USER=${POSTGRES_USER:-postgres}
  export POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}
  auth_method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}

  if [ -z "$password" ] && [ "$auth_method" != trust ]; then
    fail "the data directory is empty and no password is given for the superuser.
  Set POSTGRES_PASSWORD_FILE (or POSTGRES_PASSWORD) to a non-empty value for the first start"
  fi
  case "$password" in *$'\n'*) fail "the password contains a line break" ;; esac
  if [ "$auth_method" = trust ]; then
    say "warning: POSTGRES_HOST_AUTH_METHOD=trust lets everybody who can reach the server in, without a password"
  fi

  if [ -e "$staging" ]; then
    say "an earlier initialisation did not finish: starting over"
    # A WAL directory outside of PGDATA was empty when initdb linked it, so its content is as unfinished as the rest.
    if [ -L "$staging/pg_wal" ]; then find -H "$staging/pg_wal" -mindepth 1 -delete; fi
    rm -rf -- "$staging"
  fi
  rm -rf -- "$INIT_SOCKET_DIR"
  mkdir -m 0700 "$staging" "$INIT_SOCKET_DIR"

  # As process 1 a shell ignores signals it has no handler for: without this a stop would last until the kill.
  trap 'exit 130' INT
  trap 'exit 143' TERM
  trap 'stop_temporary_server immediate || true' EXIT

  if [ -n "${POSTGRES_INITDB_ARGS:-}" ]; then
    # Split with quotes respected, but without evaluating anything.
    mapfile -d '' -t extra_args < <(xargs printf '%s\0' <<<"$POSTGRES_INITDB_ARGS")
  fi
  initdb_args=(--pgdata="$staging" --username="$POSTGRES_USER" --encoding=UTF8 --locale=C.UTF-8 --auth=trust --no-instructions)
  case "${POSTGRES_INITDB_ARGS:-}" in
    *data-checksums*) ;;
    *) initdb_args+=(--data-checksums) ;;
  esac
  if [ -n "${POSTGRES_INITDB_WALDIR:-}" ]; then initdb_args+=(--waldir="$POSTGRES_INITDB_WALDIR"); fi

  say "initialising $PGDATA (user $POSTGRES_USER, database $POSTGRES_DB)"
  # Through a pipe the password is in no argument list, no environment and no file. printf is a builtin.
  if [ -n "$password" ]; then
    initdb "${initdb_args[@]}" --pwfile=<(printf '%s\n' "$password") "${extra_args[@]}"
  else
    initdb "${initdb_args[@]}" "${extra_args[@]}"
  fi
  printf '\nhost all all all %s\n' "$auth_method" >>"$staging/pg_hba.conf"

  # Without the arguments and the configuration of the final server: a wrong setting there must not break the initialisation.
  pg_ctl -D "$staging" -w -s \
    -o "-c listen_addresses='' -c unix_socket_directories='$INIT_SOCKET_DIR' -c port=5432" start
  (
    # Not for the final server: all of this is of the temporary one.
    # shellcheck disable=SC2030,SC2031
    export PGHOST=$INIT_SOCKET_DIR PGPORT=5432 PGUSER=$POSTGRES_USER PGDATABASE=$POSTGRES_DB PGPASSWORD=$password PGDATA=$staging
    unset PGHOSTADDR
    psql -v ON_ERROR_STOP=1 -v db="$POSTGRES_DB" --no-psqlrc --no-password --quiet --dbname postgres <<-'SQL'
	SELECT format('CREATE DATABASE %I', :'db') WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'db') \gexec
	SQL
    run_hooks
  ) &
  # In the background, as the shell runs its signal handlers only between commands: a stop need not wait for a long hook.
  wait $!
  stop_temporary_server fast
  rm -rf -- "$INIT_SOCKET_DIR"

  : >"$staging/.complete"
  sync "$staging/.complete" "$staging"
  publish
  trap - INT TERM EXIT
  say "initialisation complete"
}

# --- main -------------------------------------------------------------------------------------------------------------

if [ "${1:-}" = '' ] || [ "${1:0:1}" = - ]; then set -- postgres "$@"; fi
if [ "$1" != postgres ]; then exec "$@"; fi
for argument in "$@"; do
  case "$argument" in
    -'?' | --help | --describe-config | -V | --version) [ "$(id -u)" = 0 ] || exec "$@"; as_postgres "$@"; exit ;;
  esac
done

# shellcheck disable=SC2031
: "${PGDATA:?is not set}"
# shellcheck disable=SC2031
export PGDATA=${PGDATA%/}

if [ "$(id -u)" = 0 ]; then
  prepare_as_root
  HOME=$(getent passwd postgres | cut -d: -f6)
  export HOME
  exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
fi

mkdir -p "$PGDATA" || fail "user $(id -un) cannot create $PGDATA: its volume must belong to that user"
[ -O "$PGDATA" ] || fail "$PGDATA does not belong to user $(id -un): change its owner, or start the container as root"
case "$(stat -c %a "$PGDATA")" in
  700 | 750) ;;
  *) chmod 0700 "$PGDATA" ;;
esac

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initialise
fi
# What a kill right after the last rename may have left; both commands remove nothing but our own empty marker.
if [ -d "$PGDATA/$STAGING_NAME" ]; then
  rm -f -- "$PGDATA/$STAGING_NAME/.complete"
  rmdir -- "$PGDATA/$STAGING_NAME" 2>/dev/null || say "warning: $PGDATA/$STAGING_NAME is not empty; it is of no use and can be deleted"
fi

# The server and whatever it starts have no use for the password.
unset POSTGRES_PASSWORD PGPASSWORD
exec "$@"
