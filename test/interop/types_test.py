"""Every type, in and out: what was produced is what is read."""

import io

import polars
import pyarrow as pa

from support.cases import Case, for_each
from support.columns import Column
from support.everything import COLUMNS, SAMPLES, SCHEMA, arrow_rows, ndjson_rows
from support.readers import PYARROW, READERS, duckdb_connection, read_pyarrow
from support.table import Table, arrow_stream


def _from_polars(rows: pa.Table) -> bytes:
    stream = io.BytesIO()
    polars.from_arrow(rows).write_ipc_stream(stream)
    return stream.getvalue()


def _from_duckdb(rows: pa.Table) -> pa.Table:
    with duckdb_connection() as connection:
        return connection.from_arrow(rows).to_arrow_table()


def _large_and_views(rows: pa.Table) -> pa.Table:
    """64-bit offsets, views of text, an integer narrower than the column."""
    others = {"id": pa.int8(), "string": pa.string_view(), "binary": pa.large_binary(), "array<int>": pa.large_list(pa.int32())}
    return _with(rows, {name: rows[name].cast(other) for name, other in others.items()})


def _dictionaries(rows: pa.Table) -> pa.Table:
    return _with(rows, {"string": rows["string"].dictionary_encode()})


def _with(rows: pa.Table, columns: dict) -> pa.Table:
    return pa.table({name: columns.get(name, rows[name]) for name in rows.column_names})


class Types(Case):
    @for_each(READERS)
    def test_rows_produced_as_ndjson_are_read_as_they_were(self, reader):
        table = Table(COLUMNS)
        table.produce(ndjson_rows())
        self.assert_answer(reader, table.fetch(reader.accept), arrow_rows())

    @for_each(READERS)
    def test_rows_produced_as_arrow_are_read_as_they_were(self, reader):
        table = Table(COLUMNS)
        table.produce(arrow_rows())
        self.assert_answer(reader, table.fetch(reader.accept), arrow_rows())

    @for_each(SAMPLES, lambda sample: sample.column.type)
    def test_a_column_alone_is_read_as_it_was(self, sample):
        table = Table([sample.column])
        expected = arrow_rows().select([sample.column.name])
        table.produce(expected)
        for reader in READERS:
            self.assert_answer(reader, table.fetch(reader.accept), expected)

    def test_the_schema_of_an_answer_is_that_of_the_table(self):
        table = Table(COLUMNS)
        for rows in (None, arrow_rows()):
            if rows is not None:
                table.produce(rows)
            schema = read_pyarrow(table.fetch().body).schema
            self.assertEqual(schema.names, SCHEMA.names)
            for field, expected in zip(schema, SCHEMA, strict=True):
                self.assertTrue(field.equals(expected), f"{field} is not {expected}")

    @for_each(READERS)
    def test_no_rows_are_a_whole_stream_of_none(self, reader):
        table = Table(COLUMNS)
        self.assert_answer(reader, table.fetch(reader.accept), SCHEMA.empty_table())
        table.produce(arrow_rows())
        self.assert_answer(reader, table.fetch(reader.accept, offset=4, bucket=0), SCHEMA.empty_table())
        self.assert_answer(reader, table.fetch(reader.accept, where="id > 9"), SCHEMA.empty_table())

    @for_each(READERS)
    def test_rows_begin_at_the_offset_and_end_at_the_limit(self, reader):
        table = Table(COLUMNS)
        table.produce(arrow_rows())
        self.assert_answer(reader, table.fetch(reader.accept, bucket=0, offset=1, limit=2), arrow_rows().slice(1, 2))

    @for_each([("string", pa.string(), "a"), ("binary", pa.binary(), b"a")], lambda case: case[0])
    def test_a_long_value_is_read_as_it_was(self, case):
        type, arrow, letter = case
        rows = pa.table({"long": pa.array([letter * length for length in (31, 32, 33, 64, 65, 300)], arrow)})
        table = Table([Column("long", type, arrow)])
        table.produce(rows)
        for reader in READERS:
            self.assert_answer(reader, table.fetch(reader.accept), rows)

    @for_each(["zstd", "lz4"], str)
    def test_compressed_buffers_are_taken(self, codec):
        table = Table(COLUMNS)
        rows = pa.concat_tables([arrow_rows()] * 50)
        table.produce(arrow_stream(rows, compression=codec))
        self.assert_answer(PYARROW, table.fetch(), rows)

    def test_a_slice_of_larger_arrays_is_taken(self):
        table = Table(COLUMNS)
        table.produce(arrow_rows().slice(1, 2))
        self.assert_answer(PYARROW, table.fetch(), arrow_rows().slice(1, 2))

    @for_each(
        [_from_polars, _from_duckdb, _large_and_views, _dictionaries], lambda made: made.__name__.strip("_").replace("_", " ")
    )
    def test_arrow_of_others_is_taken(self, made):
        table = Table(COLUMNS)
        table.produce(made(arrow_rows()))
        self.assert_answer(PYARROW, table.fetch(), arrow_rows())
