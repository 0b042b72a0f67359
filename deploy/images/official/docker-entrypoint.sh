#!/usr/bin/env bash
# An entry point that keeps the contract of the official PostgreSQL image step by step, also where that is inconvenient for an
# operator: what public images do is what has to work. Written for tests from that image's documented behaviour.
#
#  - as root, at EVERY start: directories made, everything in PGDATA that is not postgres's given to it (found by a walk over all
#    of it), then the script again as postgres
#  - with another user (docker run --user) nothing of that; a uid without a name gets one from nss_wrapper
#  - VAR_FILE for POSTGRES_PASSWORD, _USER, _DB and _INITDB_ARGS is read at EVERY start
#  - whatever has a PG_VERSION counts as initialised, also half-made
#  - the temporary server runs with the arguments of the final one, on the socket alone
#  - scripts in /docker-entrypoint-initdb.d run in its shell or as programs; one that fails ends everything as it is
set -Eeo pipefail

# A variable or the file that its _FILE twin names; not both.
file_env() {
  local var=$1 twin="${1}_FILE" fallback=${2:-} value
  if [ "${!var:-}" ] && [ "${!twin:-}" ]; then
    printf 'error: both %s and %s are set (but are exclusive)\n' "$var" "$twin" >&2
    exit 1
  fi
  value=$fallback
  if [ "${!var:-}" ]; then
    value=${!var}
  elif [ "${!twin:-}" ]; then
    value=$(<"${!twin}")
  fi
  export "$var"="$value"
  unset "$twin"
}

# True when another script took this one in with `.`.
sourced() { [ "${#FUNCNAME[@]}" -ge 2 ] && [ "${FUNCNAME[0]}" = sourced ] && [ "${FUNCNAME[1]}" = source ]; }

docker_create_db_directories() {
  local me
  me=$(id -u)
  mkdir -p "$PGDATA"
  # Refused where a directory belongs to somebody else; initdb says so better.
  chmod 00700 "$PGDATA" || :
  mkdir -p /var/run/postgresql || :
  chmod 03775 /var/run/postgresql || :
  if [ -n "${POSTGRES_INITDB_WALDIR:-}" ]; then
    mkdir -p "$POSTGRES_INITDB_WALDIR"
    if [ "$me" = 0 ]; then
      find "$POSTGRES_INITDB_WALDIR" \! -user postgres -exec chown postgres '{}' +
    fi
    chmod 700 "$POSTGRES_INITDB_WALDIR"
  fi
  if [ "$me" = 0 ]; then
    find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
    find /var/run/postgresql \! -user postgres -exec chown postgres '{}' +
  fi
}

docker_init_database_dir() {
  local me wrapper passwd group
  # initdb wants a name for whoever runs it.
  me=$(id -u)
  if ! getent passwd "$me" >/dev/null 2>&1; then
    for wrapper in /usr/lib/*/libnss_wrapper.so /usr/lib/libnss_wrapper.so; do
      [ -s "$wrapper" ] || continue
      passwd=$(mktemp) group=$(mktemp)
      export LD_PRELOAD=$wrapper NSS_WRAPPER_PASSWD=$passwd NSS_WRAPPER_GROUP=$group
      printf 'postgres:x:%s:%s:PostgreSQL:%s:/bin/false\n' "$me" "$(id -g)" "$PGDATA" >"$passwd"
      printf 'postgres:x:%s:\n' "$(id -g)" >"$group"
      break
    done
  fi
  if [ -n "${POSTGRES_INITDB_WALDIR:-}" ]; then set -- --waldir "$POSTGRES_INITDB_WALDIR" "$@"; fi
  # POSTGRES_INITDB_ARGS is shell text.
  eval 'initdb --username="$POSTGRES_USER" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") '"${POSTGRES_INITDB_ARGS:-}"' "$@"'
  if [[ "${LD_PRELOAD:-}" == */libnss_wrapper.so ]]; then
    rm -f "$NSS_WRAPPER_PASSWD" "$NSS_WRAPPER_GROUP"
    unset LD_PRELOAD NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
  fi
}

docker_verify_minimum_env() {
  if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
    cat >&2 <<-'MSG'
	Error: Database is uninitialized and superuser password is not specified.
	       You must specify POSTGRES_PASSWORD to a non-empty value for the superuser.
	MSG
    exit 1
  fi
  if [ "$POSTGRES_HOST_AUTH_METHOD" = trust ]; then
    echo 'WARNING: POSTGRES_HOST_AUTH_METHOD is "trust": anyone with access to the port gets in' >&2
  fi
}

docker_process_sql() {
  local run=(psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password --no-psqlrc)
  if [ -n "$POSTGRES_DB" ]; then run+=(--dbname "$POSTGRES_DB"); fi
  PGHOST= PGHOSTADDR= "${run[@]}" "$@"
}

docker_process_init_files() {
  printf '\n'
  local f
  for f; do
    case "$f" in
      *.sh)
        if [ -x "$f" ]; then
          printf '%s: running %s\n' "$0" "$f"
          "$f"
        else
          printf '%s: sourcing %s\n' "$0" "$f"
          # shellcheck source=/dev/null
          . "$f"
        fi
        ;;
      *.sql) printf '%s: running %s\n' "$0" "$f"; docker_process_sql -f "$f"; printf '\n' ;;
      *.sql.gz) printf '%s: running %s\n' "$0" "$f"; gunzip -c "$f" | docker_process_sql; printf '\n' ;;
      *.sql.xz) printf '%s: running %s\n' "$0" "$f"; xzcat "$f" | docker_process_sql; printf '\n' ;;
      *.sql.zst) printf '%s: running %s\n' "$0" "$f"; zstd -dc "$f" | docker_process_sql; printf '\n' ;;
      *) printf '%s: ignoring %s\n' "$0" "$f" ;;
    esac
    printf '\n'
  done
}

docker_setup_db() {
  local there
  there=$(POSTGRES_DB='' docker_process_sql --dbname postgres --set db="$POSTGRES_DB" --tuples-only \
    <<<"SELECT 1 FROM pg_database WHERE datname = :'db';")
  if [ -z "$there" ]; then
    POSTGRES_DB='' docker_process_sql --dbname postgres --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'
    printf '\n'
  fi
}

docker_setup_env() {
  file_env POSTGRES_PASSWORD
  file_env POSTGRES_USER postgres
  file_env POSTGRES_DB "$POSTGRES_USER"
  file_env POSTGRES_INITDB_ARGS
  : "${POSTGRES_HOST_AUTH_METHOD:=}"
  DATABASE_ALREADY_EXISTS=
  if [ -s "$PGDATA/PG_VERSION" ]; then DATABASE_ALREADY_EXISTS=true; fi
  declare -g DATABASE_ALREADY_EXISTS
}

pg_setup_hba_conf() {
  local method
  if [ "$1" = postgres ]; then shift; fi
  method=$(postgres -C password_encryption "$@")
  : "${POSTGRES_HOST_AUTH_METHOD:=$method}"
  {
    printf '\n'
    if [ "$POSTGRES_HOST_AUTH_METHOD" = trust ]; then printf '# warning: no password is asked for\n'; fi
    printf 'host all all all %s\n' "$POSTGRES_HOST_AUTH_METHOD"
  } >>"$PGDATA/pg_hba.conf"
}

docker_temp_server_start() {
  if [ "$1" = postgres ]; then shift; fi
  # The final server's arguments, then what makes it temporary: the last one of a name counts.
  set -- "$@" -c listen_addresses='' -p "${PGPORT:-5432}"
  NOTIFY_SOCKET= PGUSER="${PGUSER:-$POSTGRES_USER}" \
    pg_ctl -D "$PGDATA" -o "$(printf '%q ' "$@")" -w start
}

docker_temp_server_stop() {
  PGUSER="${PGUSER:-postgres}" pg_ctl -D "$PGDATA" -m fast -w stop
}

# An argument with which the server only prints something.
pg_want_help() {
  local arg
  for arg; do
    case "$arg" in -'?' | --help | --describe-config | -V | --version) return 0 ;; esac
  done
  return 1
}

main() {
  if [ "${1:0:1}" = - ]; then set -- postgres "$@"; fi
  if [ "$1" = postgres ] && ! pg_want_help "$@"; then
    docker_setup_env
    docker_create_db_directories
    if [ "$(id -u)" = 0 ]; then exec gosu postgres "$BASH_SOURCE" "$@"; fi
    if [ -z "$DATABASE_ALREADY_EXISTS" ]; then
      docker_verify_minimum_env
      # Before initdb: a directory that cannot be read would be found out too late.
      ls /docker-entrypoint-initdb.d/ >/dev/null
      docker_init_database_dir
      pg_setup_hba_conf "$@"
      export PGPASSWORD="${PGPASSWORD:-$POSTGRES_PASSWORD}"
      docker_temp_server_start "$@"
      docker_setup_db
      docker_process_init_files /docker-entrypoint-initdb.d/*
      docker_temp_server_stop
      unset PGPASSWORD
      printf '\nPostgreSQL init process complete; ready for start up.\n\n'
    else
      printf '\nPostgreSQL Database directory appears to contain a database; Skipping initialization\n\n'
    fi
  fi
  exec "$@"
}

if ! sourced; then main "$@"; fi
