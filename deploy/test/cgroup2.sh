#!/usr/bin/env bash
# Runs the tests about resource caps on a Docker Engine with cgroup v2, in a small virtual machine: on a host with cgroup v1 there is
# no other way to have one. Needs no KVM, no disk image and no network.
#
#   deploy/test/cgroup2.sh [-- TEST-ARGUMENTS]        (default: the cap cases of the contract, and the suite `resources`)
#
# The machine is Debian's cloud kernel, unpacked and not installed, with a debootstrap root as its initial RAM disk: Docker from
# Debian's packages, the test program with the libraries of this host, and the images of this machine's engine. Its own /init starts
# dockerd and the tests; the result comes back over the serial console.
#
# Needs root. Environment:
#   SEAWALL_DEBIAN_MIRROR   default: the one that this machine's apt uses
#   SEAWALL_VM_CACHE        default .cache/cgroup2 in this repository
#   SEAWALL_VM_MEMORY       default 6G
#   SEAWALL_VM_MINUTES      default 40
#   SEAWALL_VM_ACCEL        qemu's -accel; default tcg,thread=multi: software emulation, the same everywhere. kvm where it is wanted.

set -euo pipefail

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
. "$ROOT/deploy/images/mirror.sh"
CACHE=${SEAWALL_VM_CACHE:-$ROOT/.cache/cgroup2}
MEMORY=${SEAWALL_VM_MEMORY:-6G}
MINUTES=${SEAWALL_VM_MINUTES:-40}
ACCEL=${SEAWALL_VM_ACCEL:-tcg,thread=multi}
SUITE=bookworm
IMAGES=(seawall/postgres:18 seawall/not-postgres:test)
MODULES=(overlay bridge veth br_netfilter)
# In the machine's own order: first what is quick.
CASES=(contract::caps contract::restart_policy_alone contract::memory_in_use contract::use_is_known resources::)
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

export PATH="$PATH:/usr/sbin:/sbin"

say()  { printf 'cgroup2: %s\n' "$*"; }
fail() { printf 'cgroup2: %s\n' "$*" >&2; exit 1; }

if [ "${1:-}" = -- ]; then shift; CASES=("$@"); elif [ $# -gt 0 ]; then fail "usage: $0 [-- TEST-ARGUMENTS]"; fi

WORK=
QEMU=
cleanup() {
  if [ -n "$QEMU" ]; then kill "$QEMU" 2>/dev/null || true; fi
  if [ -n "$WORK" ]; then
    umount "$WORK"/root/proc "$WORK"/root/sys 2>/dev/null || true
    rm -rf --one-file-system "$WORK"
  fi
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

[ "$(id -u)" = 0 ] || fail "debootstrap needs root"
[ "$(dpkg --print-architecture)" = amd64 ] || fail "only written for amd64"
missing=()
for pair in qemu-system-x86_64:qemu-system-x86 cpio:cpio debootstrap:debootstrap; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || missing+=("${pair##*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
  say "installing ${missing[*]}"
  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } >/dev/null \
    || fail "${missing[*]} could not be installed"
fi

WORK=$(mktemp -d /tmp/swv.XXXXXX)
mkdir -p "$CACHE"

# --- kernel -----------------------------------------------------------------------------------------------------------

apt_in() {
  local tool=$1
  shift
  "$tool" -o "Dir::State=$WORK/apt/state" -o "Dir::State::status=$WORK/apt/state/status" -o "Dir::Cache=$WORK/apt/cache" \
    -o "Dir::Etc::SourceList=$WORK/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::Preferences=/dev/null \
    -o Dir::Etc::PreferencesParts=/dev/null -o Acquire::Languages=none -o APT::Sandbox::User=root "$@"
}

fetch_kernel() {
  local package
  if [ -s "$CACHE/vmlinuz" ] && [ -d "$CACHE/modules" ]; then return 0; fi
  say "fetching Debian's cloud kernel"
  mkdir -p "$WORK/apt/state/lists/partial" "$WORK/apt/cache/archives/partial" "$WORK/kernel"
  : >"$WORK/apt/state/status"
  printf 'deb [signed-by=%s] %s %s main\n' "$KEYRING" "$MIRROR" "$SUITE" >"$WORK/apt/sources.list"
  apt_in apt-get update >"$WORK/log" 2>&1 || { tail "$WORK/log" >&2; fail "$MIRROR has no Debian $SUITE for us"; }
  package=$(apt_in apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9][^ ]*\).*/\1/p' | head -n 1)
  (cd "$WORK" && apt_in apt-get download "$package") >"$WORK/log" 2>&1 || { tail "$WORK/log" >&2; fail "$package cannot be fetched"; }
  dpkg -x "$WORK"/linux-image-*.deb "$WORK/kernel"
  rm -rf "$CACHE/modules"
  cp -a "$WORK"/kernel/lib/modules "$CACHE/modules"
  cp "$WORK"/kernel/boot/vmlinuz-* "$CACHE/vmlinuz"
}

# --- root -------------------------------------------------------------------------------------------------------------

write_init() {
  cat >"$1" <<'INIT'
#!/bin/bash
# Process 1 of the machine.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DOCKER_RAMDISK=true
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mkdir -p -m 1777 /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
# No process may be in the root group when controllers are given to its children.
mkdir /sys/fs/cgroup/init
echo 1 >/sys/fs/cgroup/init/cgroup.procs
echo "+cpu +memory +io +pids +cpuset" >/sys/fs/cgroup/cgroup.subtree_control
for module in $(cat /seawall/modules); do modprobe "$module" || echo "no module $module"; done
ip link set lo up
hostname cgroup2
mkdir -p /var/lib/docker
mount -t tmpfs -o size=80% tmpfs /var/lib/docker
dockerd --storage-driver=overlay2 --iptables=false --ip6tables=false >/tmp/dockerd.log 2>&1 &
for _ in $(seq 1 600); do docker version >/dev/null 2>&1 && break; sleep 0.2; done
status=1
if docker info --format 'engine {{.ServerVersion}}, cgroup v{{.CgroupVersion}}, kernel {{.KernelVersion}}, {{.Driver}}'; then
  if docker load -q </seawall/images.tar; then
    rm /seawall/images.tar
    cd "$(cat /seawall/directory)" || echo "there is no $(cat /seawall/directory)"
    # Emulated, initdb takes minutes.
    SEAWALL_TEST_PATIENCE=900 RUST_BACKTRACE=0 /seawall/ld.so --library-path /seawall/lib /seawall/real --test-threads=1 $(cat /seawall/cases)
    status=$?
  fi
fi
[ "$status" = 0 ] || { echo "--- the end of the engine's log"; tail -n 15 /tmp/dockerd.log; }
echo "SEAWALL-RESULT $status"
sync
echo b >/proc/sysrq-trigger
sleep 60
INIT
  chmod 0755 "$1"
}

pack() { (cd "$1" && find . -xdev -print0 | LC_ALL=C sort -z | cpio --null --create --format=newc --quiet); }

# Everything but the tests and the images: made once.
make_root() {
  local root=$WORK/root
  if [ -s "$CACHE/root.cpio" ]; then return 0; fi
  say "debootstrap of Debian $SUITE with docker.io"
  debootstrap --variant=minbase --keyring="$KEYRING" --include=docker.io,iproute2,kmod,postgresql-client,ca-certificates \
    "$SUITE" "$root" "$MIRROR" >"$WORK/log" 2>&1 || { tail -n 20 "$WORK/log" >&2; fail "debootstrap failed"; }
  umount "$root/proc" "$root/sys" 2>/dev/null || true
  rm -rf "$root"/usr/share/{doc,man,info,locale,lintian} "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/dev/*
  mkdir -p "$root/lib/modules"
  cp -a "$CACHE"/modules/. "$root/lib/modules/"
  find "$root/lib/modules" -mindepth 2 -maxdepth 2 -type d -name kernel -exec rm -rf '{}/sound' '{}/drivers/gpu' ';'
  chroot "$root" depmod "$(ls "$CACHE/modules" | head -n 1)"
  pack "$root" >"$CACHE/root.cpio.new"
  mv "$CACHE/root.cpio.new" "$CACHE/root.cpio"
  rm -rf --one-file-system "$root"
}

# The newest build of the suite, its seawall beside it under the very path that the tests were compiled with.
add_tests() {
  local part=$WORK/part program seawall
  mkdir -p "$part/seawall/lib"
  program=$(cd "$ROOT" && cargo test --test real --no-run --message-format=json 2>/dev/null \
    | sed -n 's/.*"name":"real".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
  [ -x "$program" ] || fail "the test program could not be built: cargo test --test real --no-run"
  seawall=$(dirname "$(dirname "$program")")/seawall
  [ -x "$seawall" ] || fail "there is no $seawall"
  cp "$program" "$part/seawall/real"
  mkdir -p "$part$(dirname "$seawall")" "$part$ROOT"
  # A wrapper, as the libraries may be newer than the machine's.
  cp "$seawall" "$part/seawall/seawall"
  printf '#!/bin/sh\nexec /seawall/ld.so --library-path /seawall/lib /seawall/seawall "$@"\n' >"$part$seawall"
  chmod 0755 "$part$seawall"
  strip "$part/seawall/real" "$part/seawall/seawall" 2>/dev/null || true
  local library
  for library in $(ldd "$program" "$seawall" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' | sort -u); do cp -L "$library" "$part/seawall/lib/"; done
  cp -L "$(ldd "$program" | sed -n 's/^[[:space:]]*\(\/[^ ]*ld-linux[^ ]*\).*/\1/p' | head -n 1)" "$part/seawall/ld.so"
  printf '%s\n' "${CASES[*]}" >"$part/seawall/cases"
  printf '%s\n' "${MODULES[*]}" >"$part/seawall/modules"
  printf '%s\n' "$ROOT" >"$part/seawall/directory"
  # The contract needs no PostgreSQL, and copying its image takes minutes in there.
  local case images=(seawall/not-postgres:test)
  for case in "${CASES[@]}"; do
    case "$case" in contract::* | -*) ;; *) images=("${IMAGES[@]}") ;; esac
  done
  docker image inspect "${images[@]}" >/dev/null || fail "images are missing: run deploy/images/build.sh"
  docker save -o "$part/seawall/images.tar" "${images[@]}"
  write_init "$part/init"
  cp "$CACHE/root.cpio" "$WORK/initrd"
  pack "$part" >>"$WORK/initrd"
  rm -rf "$part"
}

# --- run --------------------------------------------------------------------------------------------------------------

fetch_kernel
make_root
add_tests
say "the machine starts ($ACCEL)"
# There before tail looks for it.
: >"$CACHE/console.log"
timeout "$((MINUTES * 60))" qemu-system-x86_64 -accel "$ACCEL" -cpu max -smp 2 -m "$MEMORY" -nographic -no-reboot -nic none \
  -kernel "$CACHE/vmlinuz" -initrd "$WORK/initrd" \
  -append "console=ttyS0 quiet panic=-1 rdinit=/init cgroup_no_v1=all" </dev/null >"$CACHE/console.log" 2>&1 &
QEMU=$!
tail -f --pid="$QEMU" "$CACHE/console.log" | tr -d '\r' || true
wait "$QEMU" || true
QEMU=
RESULT=$(tr -d '\r' <"$CACHE/console.log" | sed -n 's/^SEAWALL-RESULT \([0-9]*\)$/\1/p' | tail -n 1)
[ -n "$RESULT" ] || fail "the machine ended without a result (limit: $MINUTES minutes)"
[ "$RESULT" = 0 ] || fail "the tests failed on cgroup v2"
say "ok on cgroup v2"
