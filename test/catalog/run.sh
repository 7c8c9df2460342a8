#!/usr/bin/env bash
# Lakes in a catalog that is not ours: the REST catalog of Apache Iceberg's own test fixtures (Java, from Maven Central), a server of
# ours that commits to it, and PyIceberg as the engine beside us. Needs the root's packages, Java 17, Maven, and the environment that
# test/interop/run.sh makes. Both servers are ended by pid. Last line: "N passed, N failed". Exit status 77: not installed here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec </dev/null
export PATH="$PWD/node_modules/.bin:$PATH" CI=true NO_COLOR=1 PYTHONDONTWRITEBYTECODE=1
readonly here=test/catalog
readonly python=test/interop/.venv/bin/python
readonly data=$(mktemp -d)
pids=()

finish() {
  for pid in "${pids[@]}"; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$data"
}
trap finish EXIT

# waits_for <file> <sed expression that prints what is waited for> <pid>: at most 60 s
waits_for() {
  local found
  for _ in {1..300}; do
    found=$(sed -nE "$2" "$1" 2>/dev/null | head -n 1)
    [[ -z $found ]] || { echo "$found"; return 0; }
    kill -0 "$3" 2>/dev/null || return 1
    sleep 0.2
  done
  return 1
}

if ! [[ -x $python ]] || ! command -v java >/dev/null ||
  ! timeout 240 mvn -q -B -f "$here/pom.xml" dependency:build-classpath -Dmdep.outputFile="$data/classpath"; then
  echo 'SKIPPED: the catalog of Apache Iceberg could not be installed here (java, mvn, then test/interop/run.sh)'
  exit 77
fi

# In memory each connection of its pool would have a database of its own.
CATALOG_REST_PORT=0 CATALOG_URI="jdbc:sqlite:$data/catalog.db?busy_timeout=5000" CATALOG_WAREHOUSE="file://$data/sluice/objects/warehouse" \
  java -cp "$(cat "$data/classpath")" org.apache.iceberg.rest.RESTCatalogServer >"$data/catalog.log" 2>&1 &
pids+=($!)
port=$(waits_for "$data/catalog.log" 's/.*Started ServerConnector.*\{0\.0\.0\.0:([0-9]+)\}.*/\1/p' "${pids[0]}") || {
  tail -n 20 "$data/catalog.log"
  echo '0 passed, 1 failed'
  exit 1
}
export CATALOG_URL="http://127.0.0.1:$port"

SLUICE_CATALOGS="{\"real\":{\"uri\":\"$CATALOG_URL\"}}" \
  node bin/sluice.mjs serve --port 0 --data "$data/sluice" >"$data/server.log" 2>&1 &
pids+=($!)
url=$(waits_for "$data/server.log" 's/^listening on //p' "${pids[1]}") || {
  cat "$data/server.log"
  echo '0 passed, 1 failed'
  exit 1
}

SLUICE_URL=$url SLUICE_DATA="$data/sluice" "$python" "$here/main.py"
