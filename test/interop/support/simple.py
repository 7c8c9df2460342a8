"""A table of two columns, for tests that look at snapshots and files, not at values."""

import pyarrow as pa

from .columns import Column, schema_of

COLUMNS = [Column("id", "bigint", pa.int64(), nullable=False), Column("text", "string", pa.string())]
LAKE = {"options": {"lake.format": "iceberg"}}
THIRD = {"options": {"lake.format": "iceberg", "lake.format-version": "3"}}


def rows(start: int, end: int) -> pa.Table:
    return pa.Table.from_pylist([{"id": i, "text": f"row {i}"} for i in range(start, end)], schema=schema_of(COLUMNS))
