# Which Debian mirror to use. To be sourced: sets MIRROR, without a slash at its end.
#
# SEAWALL_DEBIAN_MIRROR, or the mirror that this machine's own apt uses, or debootstrap's default: nobody else's choice is written
# down here.

debian_mirror() {
  if [ -n "${SEAWALL_DEBIAN_MIRROR:-}" ]; then
    printf '%s\n' "$SEAWALL_DEBIAN_MIRROR"
  else
    # Reads the sources, also those of a machine that has never run `apt-get update`.
    apt-get update --print-uris 2>/dev/null | sed -n "s#^'\(http[^']*/debian\)/dists/.*#\1#p" || true
    sed -n 's/^default_mirror //p' /usr/share/debootstrap/scripts/sid 2>/dev/null || true
  fi
}

# Without head, which would cut the pipe off: see pipefail.
MIRROR=$(debian_mirror | sed -n '1p')
MIRROR=${MIRROR%/}
