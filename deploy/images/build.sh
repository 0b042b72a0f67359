#!/usr/bin/env bash
# Builds the PostgreSQL images that deploy/images/catalog.yaml names, and those of Redis.
#
#   deploy/images/build.sh [all|18|17|18b|not-postgres|official|two-libraries|redis|redis-b|clients]...        (default: all)
#
#   18            seawall/postgres:18            managed image, with pgBackRest and pg_auto_failover
#   17            seawall/postgres:17            plain PostgreSQL, as somebody's own image would be
#   18b           seawall/postgres:18b           another build of 18, to test image updates
#   not-postgres  seawall/not-postgres:test      no PostgreSQL in it, to test refusals
#   official      seawall/official:18, 18b, 17, seawall/official-alpine:17
#                                                the servers of 18 and 17 under the official image's entry point and paths, for tests
#   redis         seawall/redis:8                Redis 8, as the official image has it
#   redis-b       seawall/redis:8b               another build of it, to test image updates
#   clients       seawall/clients:test           the client libraries of applications, for tests, and seawall/visits:test on top of them:
#                                                the application of examples/web-app-with-database
#
# Where an image registry answers, the official images are the start. Where none does, everything is made of Debian packages by
# debootstrap, which needs root. An image that was made of the same files is not built again.
#
# Environment:
#   SEAWALL_IMAGES_NO_PULL=1   do not try a registry at all
#   SEAWALL_DEBIAN_MIRROR      default: the one that this machine's apt uses
#   http_proxy, https_proxy    used for everything; without them the proxy of the host's apt configuration is, if it has one

set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/mirror.sh"
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
HASH_LABEL=seawall.dev/build-hash
PULL_SECONDS=60

# The classic builder: buildx may be missing, and a builder in a container would not see the local base images.
export DOCKER_BUILDKIT=${DOCKER_BUILDKIT:-0}
export PATH="$PATH:/usr/sbin:/sbin"

say()  { printf 'images: %s\n' "$*"; }
fail() { printf 'images: %s\n' "$*" >&2; exit 1; }

WORK=
cleanup() {
  [ -n "$WORK" ] || return 0
  # debootstrap unmounts these itself unless it was interrupted; rm must not get into them.
  umount "$WORK"/root/proc "$WORK"/root/sys 2>/dev/null || true
  rm -rf --one-file-system "$WORK"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
work_dir() { [ -n "$WORK" ] || WORK=$(mktemp -d); }

# --- helpers ----------------------------------------------------------------------------------------------------------

label_of() { docker image inspect --format "{{index .Config.Labels \"$HASH_LABEL\"}}" "$1" 2>/dev/null || true; }

# What makes an image: the functions below that build it, its files, and the base it is made on. Not all of this script, so that
# a better message here does not cost everybody a new build.
sha() { sha256sum | cut -d' ' -f1; }
base_hash() { { printf '%s\n' "$1" "$MIRROR"; declare -f build_base; } | sha; }
postgres_hash() { # $1: major
  { declare -f build_base build_on "build_$1" volume_for pgdata_for; cat "$HERE/Dockerfile" "$HERE/docker-entrypoint.sh"; } | sha
}

is_current() { # $1: tag, $2: hash
  [ "$(label_of "$1")" = "$2" ] || return 1
  say "$1: already built"
}

# All output goes to a log that is shown only when something fails: some 500 lines per image otherwise.
quietly() {
  work_dir
  local status=0
  "$@" >"$WORK/log" 2>&1 || status=$?
  if [ "$status" -ne 0 ]; then tail -n 40 "$WORK/log" >&2; fi
  return "$status"
}

pull() {
  [ -z "${SEAWALL_IMAGES_NO_PULL:-}" ] || return 1
  local limit=()
  if command -v timeout >/dev/null 2>&1; then limit=(timeout "$PULL_SECONDS"); fi
  if "${limit[@]}" docker pull --quiet "$1" >/dev/null 2>&1; then
    say "pulled $1"
  else
    say "$1 cannot be pulled: building from Debian packages"
    return 1
  fi
}

# http_proxy and https_proxy are build arguments that docker knows by itself: they reach the build and stay out of the image.
PROXY_ARGS=()
find_proxy() {
  local http=${http_proxy:-} https=${https_proxy:-}
  if command -v apt-config >/dev/null 2>&1; then
    local apt_http='' apt_https=''
    eval "$(apt-config shell apt_http Acquire::http::Proxy apt_https Acquire::https::Proxy)"
    if [ "$apt_http" = DIRECT ]; then apt_http=; fi
    if [ "$apt_https" = DIRECT ]; then apt_https=; fi
    http=${http:-$apt_http}
    https=${https:-$apt_https}
  fi
  if [ -n "$http" ]; then export http_proxy="$http"; PROXY_ARGS+=(--build-arg http_proxy); fi
  if [ -n "$https" ]; then export https_proxy="$https"; PROXY_ARGS+=(--build-arg https_proxy); fi
}

# --network host: apt must get out also where the engine's bridge cannot.
build() { quietly docker build --network host ${PROXY_ARGS[@]+"${PROXY_ARGS[@]}"} "$@"; }

# --- the Debian base --------------------------------------------------------------------------------------------------

need_debootstrap() {
  [ "$(id -u)" = 0 ] || fail "debootstrap needs root: run this as root, or where an image registry answers"
  if ! command -v debootstrap >/dev/null 2>&1 || ! command -v gpgv >/dev/null 2>&1 || [ ! -s "$KEYRING" ]; then
    command -v apt-get >/dev/null 2>&1 || fail "debootstrap is missing: install it, gpgv and debian-archive-keyring"
    say "installing debootstrap"
    install_on_host debootstrap gpgv debian-archive-keyring wget || fail "debootstrap could not be installed"
  fi
  [ -n "$MIRROR" ] || . "$HERE/mirror.sh"
  [ -n "$MIRROR" ] || fail "no Debian mirror is known here: name one in SEAWALL_DEBIAN_MIRROR"
}

install_on_host() { quietly apt-get update && DEBIAN_FRONTEND=noninteractive quietly apt-get install -y --no-install-recommends "$@"; }

# An older host's keyring may not know the key that signs this suite today. Then a newer keyring is the answer, never an unchecked
# download.
check_signature() {
  local suite=$1 try
  for try in 1 2; do
    quietly wget -q -T 30 -O "$WORK/InRelease" "$MIRROR/dists/$suite/InRelease" || fail "$MIRROR does not answer"
    if gpgv --keyring "$KEYRING" --output /dev/null "$WORK/InRelease" >/dev/null 2>&1; then return 0; fi
    if [ "$try" = 1 ]; then
      say "the signature of $suite is by a key that $KEYRING does not have: updating debian-archive-keyring"
      install_on_host debian-archive-keyring || true
    fi
  done
  fail "the signature of Debian $suite cannot be checked with $KEYRING: install a newer debian-archive-keyring"
}

build_base() {
  local suite=$1 tag=seawall/base:$1 hash root sources security
  hash=$(base_hash "$suite")
  # Stale only by its recipe: the images on top do their own apt-get update.
  if [ "$(label_of "$tag")" = "$hash" ]; then return 0; fi
  if pull "debian:$suite-slim"; then
    printf 'FROM debian:%s-slim\n' "$suite" | build --label "$HASH_LABEL=$hash" -t "$tag" - && return 0
  fi
  need_debootstrap
  work_dir
  check_signature "$suite"
  root=$WORK/root
  say "$tag: debootstrap of Debian $suite"
  rm -rf --one-file-system "$root"
  quietly debootstrap --variant=minbase --force-check-gpg --keyring="$KEYRING" "$suite" "$root" "$MIRROR" \
    || fail "debootstrap of $suite failed"

  sources="deb $MIRROR $suite main"
  if [ "$suite" != sid ]; then
    sources+=$'\n'"deb $MIRROR $suite-updates main"
    security=${MIRROR%/debian}/debian-security
    if wget -q -T 30 -O /dev/null "$security/dists/$suite-security/InRelease"; then
      sources+=$'\n'"deb $security $suite-security main"
    fi
  fi
  rm -rf "$root"/etc/apt/sources.list.d/*
  printf '%s\n' "$sources" >"$root/etc/apt/sources.list"
  # Documentation and translations are most of a minimal system; the licences stay.
  cat >"$root/etc/dpkg/dpkg.cfg.d/small" <<-'CFG'
	path-exclude /usr/share/doc/*
	path-include /usr/share/doc/*/copyright
	path-exclude /usr/share/man/*
	path-exclude /usr/share/info/*
	path-exclude /usr/share/lintian/*
	path-exclude /usr/share/locale/*
	path-include /usr/share/locale/locale.alias
	CFG
  cat >"$root/etc/apt/apt.conf.d/small" <<-'CFG'
	Acquire::Languages "none";
	Acquire::Retries "3";
	APT::Install-Recommends "false";
	DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
	CFG
  # Nothing may be started by the installation of a package.
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 0755 "$root/usr/sbin/policy-rc.d"
  find "$root/usr/share/doc" -mindepth 2 ! -name copyright ! -type d -delete
  find "$root/usr/share/doc" -mindepth 1 -type d -empty -delete
  rm -rf "$root"/usr/share/{man,info,lintian}/* "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin \
    "$root"/var/cache/apt/archives/*.deb "$root"/var/cache/debconf/*-old "$root"/var/log/* "$root"/debootstrap
  find "$root/usr/share/locale" -mindepth 1 -maxdepth 1 ! -name locale.alias -exec rm -rf '{}' +
  # These three came from the host.
  rm -f "$root/etc/resolv.conf" "$root/etc/hostname"
  : >"$root/etc/machine-id"

  tar -C "$root" --one-file-system --numeric-owner --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' -c . \
    | quietly docker import --change "LABEL $HASH_LABEL=$hash" --change 'CMD ["bash"]' - "$tag" || fail "docker import failed"
  rm -rf --one-file-system "$root"
  say "$tag: built"
}

# --- PostgreSQL -------------------------------------------------------------------------------------------------------

# The official images changed these two paths with 18.
volume_for() { if [ "$1" -ge 18 ]; then echo /var/lib/postgresql; else echo /var/lib/postgresql/data; fi; }
pgdata_for() { if [ "$1" -ge 18 ]; then echo "/var/lib/postgresql/$1/docker"; else echo /var/lib/postgresql/data; fi; }

# $1 major, $2 base image, $3 packages, $4 apt options, further: labels
build_on() {
  local major=$1 base=$2 packages=$3 apt_options=$4 version stage=seawall/build:$1
  shift 4
  local args=(--build-arg "BASE=$base" --build-arg "PG_MAJOR=$major" --build-arg "PACKAGES=$packages"
    --build-arg "APT_OPTIONS=$apt_options")
  build --target packages "${args[@]}" -t "$stage" "$HERE" || return 1
  version=$(docker run --rm --network none --entrypoint "/usr/lib/postgresql/$major/bin/postgres" "$stage" --version \
    | sed -E 's/^postgres \(PostgreSQL\) ([^ ]+).*/\1/') || return 1
  [ -n "$version" ] || return 1
  build "${args[@]}" --build-arg "PG_VERSION=$version" --build-arg "PGDATA=$(pgdata_for "$major")" \
    --build-arg "VOLUME=$(volume_for "$major")" --label "org.opencontainers.image.version=$version" "$@" \
    -t "seawall/postgres:$major" "$HERE" || return 1
  # Only the name: its layers are those of the image.
  docker rmi --no-prune "$stage" >/dev/null 2>&1 || true
  say "seawall/postgres:$major: built, PostgreSQL $version"
}

build_18() {
  local tag=seawall/postgres:18 hash labels
  hash=$(postgres_hash 18)
  if is_current "$tag" "$hash"; then return 0; fi
  labels=(--label "$HASH_LABEL=$hash" --label "org.opencontainers.image.title=Seawall PostgreSQL 18"
    --label seawall.dev/managed=true --label seawall.dev/engine=postgres
    --label "seawall.dev/capabilities=pgbackrest,pg_auto_failover")
  # The official image brings the apt repository that has the two extra packages for its server.
  if pull postgres:18-bookworm; then
    build_on 18 postgres:18-bookworm "postgresql-18 pgbackrest postgresql-18-auto-failover ca-certificates" "" "${labels[@]}" && return 0
    say "$tag: the pulled image could not be extended: building from Debian packages"
  fi
  build_base sid
  # systemd-standalone-*: otherwise the packages pull in all of systemd for two small tools.
  # Check-Valid-Until: mirrors of sid may lag behind by more than its week; the signature is checked all the same.
  build_on 18 seawall/base:sid \
    "postgresql-18 pgbackrest postgresql-18-auto-failover ca-certificates systemd-standalone-sysusers systemd-standalone-tmpfiles" \
    "-o Acquire::Check-Valid-Until=false" "${labels[@]}" || fail "$tag could not be built"
}

build_17() {
  local tag=seawall/postgres:17 hash
  hash=$(postgres_hash 17)
  if is_current "$tag" "$hash"; then return 0; fi
  if pull postgres:17; then
    printf 'FROM postgres:17\n' | build --label "$HASH_LABEL=$hash" -t "$tag" - && return 0
  fi
  build_base trixie
  build_on 17 seawall/base:trixie "postgresql-17 systemd-standalone-sysusers systemd-standalone-tmpfiles" "" \
    --label "$HASH_LABEL=$hash" --label "org.opencontainers.image.title=PostgreSQL 17" || fail "$tag could not be built"
}

build_18b() {
  local tag=seawall/postgres:18b hash
  build_18
  hash=$({ docker image inspect --format '{{.Id}}' seawall/postgres:18; declare -f build_18b; } | sha)
  if is_current "$tag" "$hash"; then return 0; fi
  printf 'FROM seawall/postgres:18\nLABEL org.opencontainers.image.revision=b\n' \
    | build --label "$HASH_LABEL=$hash" -t "$tag" - || fail "$tag could not be built"
  say "$tag: built"
}

# The same PostgreSQL over two C libraries, with a locale that sorts by them: what an image of the same major on the next release
# of a distribution is.
build_two_libraries() {
  local hash from tag
  build_17
  hash=$({ docker image inspect --format '{{.Id}}' seawall/postgres:17; declare -f build_two_libraries; } | sha)
  if is_current seawall/postgres:17-en "$hash" && is_current seawall/postgres:17-en-sid "$hash"; then return 0; fi
  from=seawall/postgres:17
  for tag in seawall/postgres:17-en seawall/postgres:17-en-sid; do
    build --label "$HASH_LABEL=$hash" -t "$tag" - <<-DOCKERFILE || fail "$tag could not be built"
	FROM $from
	RUN set -eu; export DEBIAN_FRONTEND=noninteractive; \
	    if [ "$tag" = seawall/postgres:17-en-sid ]; then \
	      grep -rhoE 'https?://[^ ]+/debian/?( |\$)' /etc/apt/sources.list /etc/apt/sources.list.d | head -n 1 \
	        | sed 's|^|deb |; s|\$| sid main|' >/etc/apt/sources.list.d/sid.list; \
	      suite='-t sid'; \
	    fi; \
	    apt-get -o Acquire::Check-Valid-Until=false update; \
	    apt-get install -y --no-install-recommends \${suite:-} libc6 libc-bin locales; \
	    localedef -i en_US -f UTF-8 en_US.UTF-8; \
	    rm -rf /var/lib/apt/lists/* /etc/apt/sources.list.d/sid.list
	ENV LANG=en_US.UTF-8
	DOCKERFILE
    say "$tag: built"
    from=$tag
  done
}

build_not_postgres() {
  local tag=seawall/not-postgres:test hash
  hash=$(declare -f build_base build_not_postgres | sha)
  if is_current "$tag" "$hash"; then return 0; fi
  build_base trixie
  printf 'FROM seawall/base:trixie\nCMD ["sleep", "infinity"]\n' \
    | build --label "$HASH_LABEL=$hash" -t "$tag" - || fail "$tag could not be built"
  say "$tag: built"
}

# $1 tag, $2 image it is made on, $3 stage, $4 major
build_official_on() {
  local tag=$1 base=$2 stage=$3 major=$4 hash
  hash=$({ docker image inspect --format '{{.Id}}' "$base"; declare -f build_official_on; printf '%s\n' "$@"
    cat "$HERE"/official/*; } | sha)
  if is_current "$tag" "$hash"; then return 0; fi
  build --target "$stage" --build-arg "BASE=$base" --build-arg "PG_MAJOR=$major" --build-arg "VOLUME=$(volume_for "$major")" \
    --label "$HASH_LABEL=$hash" -t "$tag" "$HERE/official" || fail "$tag could not be built"
  say "$tag: built"
}

build_official() {
  build_18b
  build_17
  build_official_on seawall/official:18 seawall/postgres:18 debian 18
  build_official_on seawall/official:18b seawall/postgres:18b debian 18
  build_official_on seawall/official:17 seawall/postgres:17 debian 17
  build_official_on seawall/official-alpine:17 seawall/postgres:17 alpine 17
}

# --- Redis ------------------------------------------------------------------------------------------------------------

build_redis() {
  local tag=seawall/redis:8 stage=seawall/build:redis hash version
  hash=$({ declare -f build_base build_redis; cat "$HERE"/redis/*; } | sha)
  if is_current "$tag" "$hash"; then return 0; fi
  # Of the series that the table of parameters in src/kinds/redis is of.
  if pull redis:8.0; then
    printf 'FROM redis:8.0\n' | build --label "$HASH_LABEL=$hash" -t "$tag" - && return 0
  fi
  build_base sid
  build --build-arg BASE=seawall/base:sid --build-arg "APT_OPTIONS=-o Acquire::Check-Valid-Until=false" -t "$stage" "$HERE/redis" \
    || fail "$tag could not be built"
  # "Redis server v=8.0.6 sha=…"
  version=$(docker run --rm --network none --entrypoint redis-server "$stage" --version | sed -n 's/^.* v=\([0-9.]*\) .*/\1/p')
  [ -n "$version" ] || fail "the server of $tag does not tell its version"
  printf 'FROM %s\nENV REDIS_VERSION=%s\n' "$stage" "$version" \
    | build --label "$HASH_LABEL=$hash" --label "org.opencontainers.image.title=Redis" \
      --label "org.opencontainers.image.version=$version" -t "$tag" - || fail "$tag could not be built"
  docker rmi --no-prune "$stage" >/dev/null 2>&1 || true
  say "$tag: built, Redis $version"
}

build_redis_b() {
  local tag=seawall/redis:8b hash
  build_redis
  hash=$({ docker image inspect --format '{{.Id}}' seawall/redis:8; declare -f build_redis_b; } | sha)
  if is_current "$tag" "$hash"; then return 0; fi
  printf 'FROM seawall/redis:8\nLABEL org.opencontainers.image.revision=b\n' \
    | build --label "$HASH_LABEL=$hash" -t "$tag" - || fail "$tag could not be built"
  say "$tag: built"
}

# --- applications, for tests ------------------------------------------------------------------------------------------

build_clients() {
  local tag=seawall/clients:test visits=seawall/visits:test page=$HERE/../../examples/web-app-with-database/app hash
  hash=$({ declare -f build_base build_clients; cat "$HERE"/clients/Dockerfile; } | sha)
  if ! is_current "$tag" "$hash"; then
    build_base trixie
    build --build-arg BASE=seawall/base:trixie --label "$HASH_LABEL=$hash" -t "$tag" "$HERE/clients" || fail "$tag could not be built"
    say "$tag: built"
  fi
  hash=$({ printf '%s\n' "$hash"; cat "$page"/visits.py; } | sha)
  if is_current "$visits" "$hash"; then return 0; fi
  # Its own Dockerfile installs what is there already.
  { printf 'FROM %s\nCOPY visits.py /srv/visits.py\nEXPOSE 8000\nCMD ["python3", "-u", "/srv/visits.py"]\n' "$tag" \
    | quietly docker build --network host --label "$HASH_LABEL=$hash" -t "$visits" -f - "$page"; } || fail "$visits could not be built"
  say "$visits: built"
}

# --- main -------------------------------------------------------------------------------------------------------------

[ $# -gt 0 ] || set -- all
for target in "$@"; do
  case "$target" in
    all | 18 | 17 | 18b | not-postgres | official | two-libraries | redis | redis-b | clients) ;;
    *) fail "unknown target '$target'. Usage: $0 [all|18|17|18b|not-postgres|official|two-libraries|redis|redis-b|clients]..." ;;
  esac
done
docker version --format '{{.Server.Version}}' >/dev/null 2>&1 || fail "no Docker Engine answers: run deploy/setup.sh first"
find_proxy
# Two test runs that start together: the second waits and then finds everything built.
if command -v flock >/dev/null 2>&1 && { exec 9>>"${TMPDIR:-/tmp}/seawall-images.lock"; } 2>/dev/null; then flock 9; fi
for target in "$@"; do
  case "$target" in
    18) build_18 ;;
    17) build_17 ;;
    18b) build_18b ;;
    not-postgres) build_not_postgres ;;
    official) build_official ;;
    two-libraries) build_two_libraries ;;
    redis) build_redis ;;
    redis-b) build_redis_b ;;
    clients) build_clients ;;
    all) build_18b; build_17; build_not_postgres; build_official; build_two_libraries; build_redis_b; build_clients ;; # 18b brings 18, redis-b redis
  esac
done
