"""
A program for the environment of requirements-duckdb.txt: attaches the catalog at SLUICE_URL and runs the statements on standard input
(JSON, a list), each of which sees the tables of the catalog as `lake.<namespace>.<table>`. Prints JSON: rows, or the error of each.
"""

import importlib.util
import json
import os
import pathlib
import sys

import duckdb


def _extension(name: str) -> pathlib.Path:
    package = importlib.util.find_spec(f"duckdb_extension_{name}")
    return pathlib.Path(package.origin).parent / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"


def _run(connection: duckdb.DuckDBPyConnection, statement: str) -> dict:
    try:
        return {"rows": connection.execute(statement).fetchall()}
    except duckdb.Error as error:
        return {"error": str(error)}


with duckdb.connect() as connection:
    for name in ("httpfs", "avro", "iceberg"):
        connection.execute(f"load '{_extension(name)}'")
    connection.execute("set autoinstall_known_extensions = false; set autoload_known_extensions = false; set threads = 1")
    connection.execute(f"attach '' as lake (type iceberg, endpoint '{os.environ['SLUICE_URL']}/iceberg', authorization_type 'none')")
    json.dump([_run(connection, statement) for statement in json.load(sys.stdin)], sys.stdout)
