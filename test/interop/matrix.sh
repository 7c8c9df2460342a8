#!/usr/bin/env bash
# The matrix of docs/interop.md: what each engine reads of our lakes, asked anew; `matrix.sh --write` writes the page, without it the
# page must say what was seen. Needs what run.sh needs; ClickHouse (requirements-chdb.txt, 700 MB) and Spark (requirements-spark.txt
# and, by Maven, Iceberg's runtime: 700 MB, Java 17) are left out, loudly, where they cannot be had: their columns are then not
# checked, and each is counted. Last line: "N passed, N failed, N skipped". Exit status 77: not even PyIceberg could be installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec </dev/null
export PATH="$PWD/node_modules/.bin:$PATH" CI=true NO_COLOR=1
export PYTHONDONTWRITEBYTECODE=1 POLARS_ICEBERG_PLANNER=pyiceberg
source test/interop/support/environment.sh
readonly wheels=(--only-binary :all:)
readonly iceberg=1.10.1
readonly runtime=iceberg-spark-runtime-4.0_2.13
readonly jar="$PWD/$here/.spark/$runtime-$iceberg.jar"

spark_runtime() {
  [[ ! -s $jar ]] || return 0
  command -v java mvn >/dev/null || return 1
  timeout 240 mvn -q -B dependency:copy "-Dartifact=org.apache.iceberg:$runtime:$iceberg" "-DoutputDirectory=${jar%/*}"
}

if ! install .venv requirements.txt "${wheels[@]}"; then
  echo 'SKIPPED: PyIceberg, polars and DuckDB could not be installed here (python3 -m venv, then pip)'
  exit 77
fi
if install .venv-duckdb requirements-duckdb.txt "${wheels[@]}"; then
  export SLUICE_DUCKDB_PYTHON="$PWD/$here/.venv-duckdb/bin/python"
else
  echo '!!! SKIPPED: DuckDB with its Iceberg extension could not be installed here'
fi
if install .venv-chdb requirements-chdb.txt "${wheels[@]}"; then
  export SLUICE_CHDB_PYTHON="$PWD/$here/.venv-chdb/bin/python"
else
  echo '!!! SKIPPED: ClickHouse (chdb) could not be installed here'
fi
# PySpark is a source distribution.
if spark_runtime && install .venv-spark requirements-spark.txt; then
  export SLUICE_SPARK_PYTHON="$PWD/$here/.venv-spark/bin/python" SLUICE_SPARK_JAR="$jar"
else
  echo '!!! SKIPPED: Spark with the Iceberg runtime could not be installed here (Java 17, Maven, pip)'
fi

start_server
PYTHONPATH="$here" SLUICE_URL=$url SLUICE_DATA="$data/sluice" "$here/.venv/bin/python" -m matrix "$@"
