#!/usr/bin/env bash
# Prints what a Redis server knows of its parameters, as src/kinds/redis/parameters/*.tsv holds it: name, kind, what values it
# takes, whether CONFIG SET can change it, its default. Found out by asking for values that no parameter takes.
#
#   deploy/redis-settings.sh seawall/redis:8 >src/kinds/redis/parameters/8.tsv

set -euo pipefail
[ $# = 1 ] || { echo "usage: $0 IMAGE" >&2; exit 1; }

exec docker run --rm -i --network none --user redis --entrypoint bash "$1" -euo pipefail -s <<'INSIDE'
cd /tmp
export LC_ALL=C
redis-server --port 0 --unixsocket /tmp/socket --save '' >/dev/null &
ask() { redis-cli -s /tmp/socket "$@"; }
for _ in {1..50}; do [ "$(ask ping 2>/dev/null)" != PONG ] || break; sleep 0.1; done

mapfile -t told < <(ask config get '*')
declare -A value
for ((i = 0; i < ${#told[@]}; i += 2)); do value[${told[i]}]=${told[i + 1]}; done

# One session for all: some of these would lock out the next one.
{
  for name in "${!value[@]}"; do
    printf 'echo "### %s"\n' "$name"
    for try in 'no such value' -99999999999999; do printf 'config set %s "%s"\n' "$name" "$try"; done
    printf 'config set %s "%s"\n' "$name" "${value[$name]}"
  done
} | redis-cli -s /tmp/socket >answers

while read -r name; do
  said=$(sed -n "/^### $name\$/,/^###/p" answers) when=live
  case "$said" in *"can't set "*)
    when=restart
    # At the latest the port is wrong: no such server comes to run.
    for try in 'no such value' -99999999999999; do
      said+=$(timeout 10 redis-server "--$name" "$try" --port none 2>&1 || true)
    done ;;
  esac
  takes=''
  case "$said" in
    *"must be 'yes' or 'no'"*) kind=bool ;;
    *'must be a memory value'*) kind=memory ;;
    *'must be a memory or percent value'*) kind=percent ;;
    *'must be one of the following: '*)
      kind=enum
      takes=$(sed -n 's/.*one of the following: //p' <<<"$said" | head -n 1 | tr -d ' \r') ;;
    *'argument must be between '*)
      kind=integer
      takes=$(sed -n 's/.*must be between \(-\{0,1\}[0-9]*\) and \([0-9]*\) inclusive.*/\1..\2/p' <<<"$said" | head -n 1) ;;
    *) kind=text ;;
  esac
  printf '%s\t%s\t%s\t%s\t%s\n' "$name" "$kind" "$takes" "$when" "${value[$name]}"
done < <(printf '%s\n' "${!value[@]}" | sort)
INSIDE
