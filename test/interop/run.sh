#!/usr/bin/env bash
# What other engines read of Sluice and write to it: pyarrow, polars and DuckDB over HTTP, PyIceberg and DuckDB's Iceberg
# extension in the lake, by its folder and by its catalog. Needs the root's packages and Python 3.11 or newer; installs the
# engines in here, in .venv (requirements.txt) and .venv-duckdb (requirements-duckdb.txt; without it one test is skipped).
# Starts servers of its own, one on a temporary directory, one on the S3 server of test/wire, and ends them by pid. Last line: "N passed, N failed". Exit status 77: the
# engines could not be installed here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec </dev/null
export PATH="$PWD/node_modules/.bin:$PATH" CI=true NO_COLOR=1
export PYTHONDONTWRITEBYTECODE=1 POLARS_ICEBERG_PLANNER=pyiceberg
source test/interop/support/environment.sh
readonly wheels=(--only-binary :all:)
readonly python="$here/.venv/bin/python"

if ! install .venv requirements.txt "${wheels[@]}"; then
  echo 'SKIPPED: pyarrow, polars, DuckDB and PyIceberg could not be installed here (python3 -m venv, then pip)'
  exit 77
fi

if install .venv-duckdb requirements-duckdb.txt "${wheels[@]}"; then
  export SLUICE_DUCKDB_PYTHON="$PWD/$here/.venv-duckdb/bin/python"
else
  echo 'SKIPPED: DuckDB with its Iceberg extension could not be installed here'
fi

start_server
if start_on_s3; then
  export SLUICE_S3_URL=$s3_url
else
  echo '!!! SKIPPED: the S3 server of test/wire could not be installed here, and no engine reads a lake on S3'
fi
SLUICE_URL=$url SLUICE_DATA="$data/sluice" "$python" "$here/main.py"
