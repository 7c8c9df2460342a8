"""Four programs that read an answer of Sluice. Each gives rows whose values compare (plain.py), columns in the answer's order."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass

import duckdb
import polars
import pyarrow as pa

from .plain import plain_json, plain_rows
from .table import ARROW, NDJSON


@dataclass(frozen=True)
class Reader:
    name: str
    accept: str
    # The schema is what the answer must mean; Arrow says so itself.
    rows: Callable[[bytes, pa.Schema], list[dict]]


def duckdb_connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'; set threads = 1")
    return connection


def read_pyarrow(body: bytes) -> pa.Table:
    with pa.ipc.open_stream(body) as stream:
        table = stream.read_all()
    table.validate(full=True)
    return table


def read_polars(body: bytes) -> polars.DataFrame:
    return polars.read_ipc_stream(io.BytesIO(body))


def _with_duckdb(body: bytes, _) -> list[dict]:
    with duckdb_connection() as connection, pa.ipc.open_stream(body) as answer:
        return plain_rows(connection.from_arrow(answer).to_arrow_table())


def _with_json(body: bytes, schema: pa.Schema) -> list[dict]:
    rows = [json.loads(line, parse_int=_number) for line in body.decode().split("\n") if line]
    fields = {field.name: field.type for field in schema}
    return [{name: plain_json(fields[name], value) for name, value in row.items() if name in fields} for row in rows]


def _number(digits: str) -> int | float:
    """Python's own reading of -0 loses the sign."""
    return -0.0 if digits == "-0" else int(digits)


PYARROW = Reader("pyarrow", ARROW, lambda body, _: plain_rows(read_pyarrow(body)))
POLARS = Reader("polars", ARROW, lambda body, _: plain_rows(read_polars(body).to_arrow()))
DUCKDB = Reader("DuckDB", ARROW, _with_duckdb)
JSON = Reader("JSON", NDJSON, _with_json)
READERS = (PYARROW, POLARS, DUCKDB, JSON)
