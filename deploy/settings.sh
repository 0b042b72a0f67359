#!/usr/bin/env bash
# Prints the parameters that the server of an image knows, as src/kinds/postgres/parameters/settings/MAJOR.tsv holds them:
#
#   deploy/settings.sh IMAGE >src/kinds/postgres/parameters/settings/MAJOR.tsv
#
# The server runs on an empty cluster in a container without a network, which goes away with it. A line has: name, type, unit, context,
# least and greatest value, values of an enumeration, and those that it takes beside them without telling (`yes` for `on`). What the
# server tells of itself has no range here: it changes with every release.

set -euo pipefail

[ $# = 1 ] || { echo "usage: $0 IMAGE" >&2; exit 2; }

exec docker run --rm --network none --user postgres --entrypoint bash "$1" -euo pipefail -c '
  export PGDATA=/tmp/settings PGUSER=postgres PGHOST=/tmp
  initdb --no-sync --auth=trust --username=postgres >/dev/null
  pg_ctl --wait --log=/tmp/log --options="-c listen_addresses= -c unix_socket_directories=/tmp" start >/dev/null
  ask() { psql --no-psqlrc --quiet --no-align --tuples-only --field-separator="$(printf "\t")" "$@"; }

  # ALTER SYSTEM checks a value as the configuration file has it checked.
  ask --command="
      SELECT name, v FROM pg_settings, unnest(string_to_array(\$\$on off true false yes no 1 0 debug info archive hot_standby\$\$, \$\$ \$\$)) AS v
      WHERE vartype = \$\$enum\$\$ AND context <> \$\$internal\$\$ AND v <> ALL (enumvals) ORDER BY name COLLATE \"C\", v COLLATE \"C\"" \
    | while read -r name value; do
        printf "ALTER SYSTEM SET %s = \x27%s\x27;\n\\\\if :ERROR\n\\\\else\nINSERT INTO told VALUES (\x27%s\x27, \x27%s\x27);\n\\\\endif\n" \
          "$name" "$value" "$name" "$value"
      done >/tmp/script
  ask --command="CREATE TABLE told (name text, value text)"
  ask --file=/tmp/script 2>/dev/null

  printf "# Made by deploy/settings.sh: name, type, unit, context, min, max, values, further values.\n"
  ask --command="
      SELECT s.name, vartype, coalesce(unit, \$\$\$\$), context,
        CASE WHEN context = \$\$internal\$\$ THEN \$\$\$\$ ELSE coalesce(min_val, \$\$\$\$) END,
        CASE WHEN context = \$\$internal\$\$ THEN \$\$\$\$ ELSE coalesce(max_val, \$\$\$\$) END,
        coalesce(array_to_string(enumvals, \$\$,\$\$), \$\$\$\$),
        coalesce((SELECT string_agg(value, \$\$,\$\$ ORDER BY value COLLATE \"C\") FROM told WHERE told.name = s.name), \$\$\$\$)
      FROM pg_settings AS s ORDER BY s.name COLLATE \"C\""
  pg_ctl --wait --mode=immediate stop >/dev/null
'
