"""A program for the environment of requirements-duckdb.txt: DuckDB's Iceberg extension reads by catalog and by path (engines.py)."""

import importlib.util
import json
import os
import pathlib
import re
import sys

sys.path.pop(0)  # This folder, where this file has the name of the package.
import duckdb  # noqa: E402


def _extension(name: str) -> pathlib.Path:
    package = importlib.util.find_spec(f"duckdb_extension_{name}")
    return pathlib.Path(package.origin).parent / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"


def _source(question: dict, way: str) -> str:
    snapshot = question["snapshot"]
    if way == "catalog":
        past = "" if snapshot is None else f" at (version => {snapshot})"
        return f'lake."{question["namespace"]}"."{question["table"]}"{past}'
    past = "" if snapshot is None else f", snapshot_from_id => {snapshot}"
    return f"iceberg_scan('{question['metadata']}'{past})"


def _files(connection: duckdb.DuckDBPyConnection, question: dict, way: str) -> int | None:
    column = question["columns"][0]
    query = f'explain analyze select count("{column}") from {_source(question, way)} where {question["where"]}'
    plan = "\n".join(row[-1] for row in connection.execute(query).fetchall())
    told = re.search(r"Total Files Read:\s*(\d+)", plan)
    return None if told is None else int(told.group(1))


def _answer(connection: duckdb.DuckDBPyConnection, question: dict, way: str) -> str | int | None:
    columns = ", ".join(f'"{name}"' for name in question["columns"])
    try:
        if question["where"] is not None:
            return _files(connection, question, way)
        connection.execute(f"copy (select {columns} from {_source(question, way)}) to '{question['out']}' (format parquet)")
    except duckdb.Error as error:
        return str(error)[:500]
    return None


request = json.load(sys.stdin)
with duckdb.connect() as connection:
    for name in ("httpfs", "avro", "iceberg"):
        connection.execute(f"load '{_extension(name)}'")
    connection.execute("set autoinstall_known_extensions = false; set autoload_known_extensions = false; set threads = 1")
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(f"attach '' as lake (type iceberg, endpoint '{os.environ['SLUICE_URL']}/iceberg', authorization_type 'none')")
    print(json.dumps([_answer(connection, question, request["way"]) for question in request["questions"]]))
