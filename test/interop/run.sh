#!/usr/bin/env bash
# What other engines read of Sluice and write to it: pyarrow, polars and DuckDB over HTTP, PyIceberg and DuckDB's Iceberg
# extension in the lake, by its folder and by its catalog. Needs the root's packages and Python 3.11 or newer; installs the
# engines in here, in .venv (requirements.txt) and .venv-duckdb (requirements-duckdb.txt; without it one test is skipped).
# Starts a server of its own on a temporary directory and ends it by pid. Last line: "N passed, N failed". Exit status 77: the
# engines could not be installed here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec </dev/null
export PATH="$PWD/node_modules/.bin:$PATH" CI=true NO_COLOR=1
export PYTHONDONTWRITEBYTECODE=1 POLARS_ICEBERG_PLANNER=pyiceberg
readonly here=test/interop
readonly python="$here/.venv/bin/python"
readonly data=$(mktemp -d)
server=

finish() {
  if [[ -n $server ]]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$data"
}
trap finish EXIT

# install <environment> <list>: the list is copied last: without it the environment is half made, and is made again.
install() {
  ! cmp -s "$here/$2" "$here/$1/requirements.txt" || return 0
  rm -rf "${here:?}/$1"
  python3 -m venv "$here/$1" || return 1
  timeout 240 "$here/$1/bin/python" -m pip install --disable-pip-version-check --no-input --only-binary :all: --no-deps --quiet \
    -r "$here/$2" || return 1
  "$here/$1/bin/python" -m pip check || return 1
  cp "$here/$2" "$here/$1/requirements.txt"
}

# start_server: waits until it listens, at most 30 s
start_server() {
  node bin/sluice.mjs serve --port 0 --data "$data/sluice" >"$data/server.log" 2>&1 &
  server=$!
  for _ in {1..150}; do
    url=$(sed -n 's/^listening on //p' "$data/server.log")
    [[ -z $url ]] || return 0
    kill -0 "$server" 2>/dev/null || return 1
    sleep 0.2
  done
  return 1
}

if ! install .venv requirements.txt; then
  echo 'SKIPPED: pyarrow, polars, DuckDB and PyIceberg could not be installed here (python3 -m venv, then pip)'
  exit 77
fi

if install .venv-duckdb requirements-duckdb.txt; then
  export SLUICE_DUCKDB_PYTHON="$PWD/$here/.venv-duckdb/bin/python"
else
  echo 'SKIPPED: DuckDB with its Iceberg extension could not be installed here'
fi

if ! start_server; then
  cat "$data/server.log"
  echo 'the server did not start'
  echo '0 passed, 1 failed'
  exit 1
fi

SLUICE_URL=$url SLUICE_DATA="$data/sluice" "$python" "$here/main.py"
