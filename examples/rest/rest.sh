#!/bin/sh
# From a new PostgreSQL to its end, over the service API of a running operator:
#   seawall run --listen 127.0.0.1:7080 --manifests examples/rest/manifests
#   TOKEN=$(seawall token create rest --role admin --expires 1h) examples/rest/rest.sh
# SEAWALL_URL: where it listens. Needs curl and jq.
set -eu

api="${SEAWALL_URL:-http://127.0.0.1:7080}/api/external-services"
: "${TOKEN:?seawall token create rest --role admin}"

# METHOD PATH [BODY]; neither the token nor a body is an argument, where others could read it.
ask() {
  {
    printf 'header = "Authorization: Bearer %s"\n' "$TOKEN"
    [ -z "${3:-}" ] || printf 'data = %s\n' "$(printf %s "$3" | jq -Rs .)"
  } | curl --silent --show-error --config - --request "$1" "$api$2"
}

step() { printf '\n== %s\n' "$*" >&2; }

step "types, and what one of them takes"
ask GET /types
ask GET /types/postgres/parameters | jq -c '{required, names: (.properties | keys)}'

step "create"
password=$(head -c 32 /dev/urandom | base64 | tr -dc 'A-Za-z0-9')
body=$(printf %s "$password" | jq -Rs '{name: "rest-example", service_type: "postgres",
  parameters: {version: "18", database: "appdb", username: "appuser", password: .}}')
id=$(ask POST "" "$body" | jq -e .id)
echo "id $id"

step "wait until it is running"
for _ in $(seq 120); do
  status=$(ask GET "/$id" | jq -r .status)
  [ "$status" = running ] && break
  sleep 1
done
[ "$status" = running ] || { ask GET "/$id/health" | jq .; exit 1; }
ask GET "/$id" | jq '{id, status, version, docker_image, parameters, connection_string}'

step "limits, in force when this answers"
ask PATCH "/$id/resources" '{"memory_mb": 512, "memory_swap_mb": 768, "nano_cpus": 500000000}' | jq -c .
ask GET "/$id/runtime" | jq -c '.members[] | {status, restart_count, oom_killed, resource_limits, drift}'
ask GET "/$id/stats" | jq -c '.members[]'

step "how its write-ahead log is"
ask GET "/$id/wal-health" | jq -c '{pg_wal_bytes, max_wal_size_bytes, archive_mode, warnings}'

step "link it to the project shop"
project=$(printf 'header = "Authorization: Bearer %s"\n' "$TOKEN" |
  curl --silent --config - "${api%/api/*}/apis/seawall.dev/v1/project/shop" | jq -e .metadata.id)
ask POST "/$id/projects" "{\"project_id\": $project}" | jq -c .
for _ in $(seq 60); do
  variables=$(ask GET "/$id/projects/$project/environment")
  [ "$(printf %s "$variables" | jq length)" -gt 0 ] && break
  sleep 1
done
printf %s "$variables" | jq -r '.[] | "\(.name)=\(.value)"'

step "what a file holds is changed there"
main=$(ask GET /by-slug/main | jq -e .id)
ask PATCH "/$main/resources" '{"memory_mb": 1024}' | jq -r '.detail, .next'

step "undo all of it"
ask DELETE "/$id" | jq -r .detail
ask DELETE "/$id/projects/$project" | jq -r .message
for _ in $(seq 60); do
  [ "$(ask GET "/$id/projects" | jq length)" = 0 ] && break
  sleep 1
done
ask DELETE "/$id" | jq -r .message
ask DELETE "/$id?confirm=rest-example" | jq -r .message
