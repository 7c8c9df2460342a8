"""Columns that were added, widened, renamed and dropped: rows of every schema in one answer of the current one."""

import decimal
import json

import pyarrow as pa

from support.cases import Case, for_each
from support.columns import Column, array, schema_of, vector
from support.readers import READERS, read_pyarrow
from support.table import Table

_r = pa.struct([("a", pa.int32()), ("b", array(pa.string()))])
FIRST = [
    Column("id", "int", pa.int32(), nullable=False),
    Column("tiny", "tinyint", pa.int8()),
    Column("small", "smallint", pa.int16()),
    Column("number", "int", pa.int32()),
    Column("x", "float", pa.float32()),
    Column("price", "decimal(9,2)", pa.decimal128(9, 2)),
    Column("text", "string", pa.string()),
    Column("place", "row<a int, b array<string>>", _r),
    Column("gone", "string", pa.string()),
]
_WIDER = {
    "id": ("bigint", pa.int64()),
    "tiny": ("smallint", pa.int16()),
    "small": ("bigint", pa.int64()),
    "number": ("bigint", pa.int64()),
    "x": ("double", pa.float64()),
    "price": ("decimal(38,2)", pa.decimal128(38, 2)),
}
_ADDED = [
    Column("extra", "int", pa.int32()),
    Column("tags", "array<string>", array(pa.string())),
    Column("v", "vector(2)", vector(2)),
    Column("where", "row<a int, b array<string>>", _r),
    Column("m", "map<string,int>", pa.map_(pa.string(), pa.int32())),
    Column("at", "timestamp_ltz(3)", pa.timestamp("ms", "UTC")),
]
# A name is free again once its column is dropped; the new column has none of the old one's values.
_AGAIN = Column("gone", "boolean", pa.bool_())


class Changes(Case):
    @classmethod
    def setUpClass(cls):
        cls.table = table = Table(FIRST)
        table.produce(_rows(FIRST, 0, 10))
        widened = [Column(c.name, *_WIDER.get(c.name, (c.type, c.arrow)), c.nullable) for c in FIRST]
        table.alter(widenColumns={name: type for name, (type, _) in _WIDER.items()})
        table.produce(_rows(widened, 10, 20))
        table.alter(addColumns=[{"name": column.name, "type": column.type} for column in _ADDED])
        table.produce(_rows(widened + _ADDED, 20, 30))
        table.alter(renameColumns={"text": "title", "x": "text"})
        names = {"text": "title", "x": "text"}
        renamed = [Column(names.get(c.name, c.name), c.type, c.arrow, c.nullable) for c in widened + _ADDED]
        table.produce(_rows(renamed, 30, 40))
        table.alter(dropColumns=["gone", "tiny"])
        kept = [column for column in renamed if column.name not in ("gone", "tiny")]
        table.alter(addColumns=[{"name": "gone", "type": "boolean"}])
        cls.schema = schema_of([*kept, _AGAIN])
        table.produce(_rows([*kept, _AGAIN], 40, 50))
        # As the current schema has them: by what a column is, not by what it was called.
        was = {"title": "text", "text": "x"}
        parts = [
            (FIRST, 0, 10, was),
            (widened, 10, 20, was),
            (widened + _ADDED, 20, 30, was),
            (renamed, 30, 40, {}),
            ([*kept, _AGAIN], 40, 50, {}),
        ]
        cls.rows = pa.concat_tables(
            _conformed(_rows(columns, start, end), cls.schema, names) for columns, start, end, names in parts
        )

    @for_each(READERS)
    def test_rows_of_every_schema_are_read_as_rows_of_the_current_one(self, reader):
        self.assert_answer(reader, self.table.fetch(reader.accept), self.rows)

    def test_the_schema_of_an_answer_is_the_current_one(self):
        self.assertEqual(read_pyarrow(self.table.fetch().body).schema, self.schema)

    @for_each(["extra,id", "title,text", "v,tags,where,m", "number", "gone,price", "at,place"], str)
    def test_a_part_of_the_columns_is_padded_and_widened_too(self, columns):
        for reader in READERS:
            self.assert_answer(reader, self.table.fetch(reader.accept, columns=columns), self.rows.select(columns.split(",")))

    @for_each(
        {
            "extra is null": lambda row: row["extra"] is None,
            "extra >= 22": lambda row: row["extra"] is not None and row["extra"] >= 22,
            f"number > {2**40}": lambda row: row["number"] is not None and row["number"] > 2**40,
            "small = 3": lambda row: row["small"] == 3,
            "text = 4.5": lambda row: row["text"] == 4.5,
            "title like 'row _'": lambda row: row["title"] is not None and len(row["title"]) == 5,
            "price in (3.00, 33.00)": lambda row: row["price"] in (3, 33),
            "gone is not null": lambda row: row["gone"] is not None,
            "where.a > 20": lambda row: row["where"] is not None and row["where"]["a"] > 20,
            "id between 8 and 12": lambda row: 8 <= row["id"] <= 12,
        }.items(),
        lambda item: item[0],
    )
    def test_a_filter_sees_the_current_columns(self, item):
        where, selects = item
        expected = self.rows.filter(pa.array([selects(row) for row in self.rows.to_pylist()]))
        for reader in READERS:
            self.assert_answer(reader, self.table.fetch(reader.accept, where=where), expected)

    @for_each(READERS)
    def test_an_offset_cuts_batches_of_an_older_schema(self, reader):
        answer = self.table.fetch(reader.accept, bucket=0, offset=3, limit=40)
        self.assert_answer(reader, answer, self.rows.slice(3, 40))

    @for_each(READERS)
    def test_a_writer_of_the_first_schema_goes_on(self, reader):
        table = Table(FIRST[:2] + FIRST[-1:])
        rows = _rows(FIRST[:2] + FIRST[-1:], 0, 10)
        table.alter(renameColumns={"tiny": "number"}, dropColumns=["gone"], addColumns=[{"name": "new", "type": "int"}])
        table.produce(rows)
        table.produce("".join(f"{json.dumps(row)}\n" for row in rows.to_pylist()))
        now = pa.table({"id": rows["id"], "number": rows["tiny"], "new": pa.nulls(10, pa.int32())})
        self.assert_answer(reader, table.fetch(reader.accept), pa.concat_tables([now, now]))


def _rows(columns, start: int, end: int) -> pa.Table:
    def value(column: Column, i: int):
        if i % 4 == 1 and column.nullable:
            return None
        if column.type == "bigint":
            return i if i % 3 == 0 or column.name == "id" else i + 2**41
        if column.type in ("float", "double"):
            return i + 0.5
        return {
            "decimal": decimal.Decimal(i),
            "string": f"row {i}",
            "array": [f"tag {i}", None],
            "row": {"a": i, "b": ["x"] * (i % 3)},
            "map": [(f"key {i}", i)],
            "vector": [i, -i],
            "boolean": i % 2 == 0,
        }.get(column.type.split("<")[0].split("(")[0], i)

    return pa.table(
        [pa.array([value(column, i) for i in range(start, end)], column.arrow) for column in columns], schema=schema_of(columns)
    )


def _conformed(rows: pa.Table, schema: pa.Schema, was: dict) -> pa.Table:
    def column(field: pa.Field):
        name = was.get(field.name, field.name)
        is_other = field.name == "gone" and name in rows.column_names and rows.schema.field(name).type != field.type
        if name not in rows.column_names or is_other:
            return pa.nulls(rows.num_rows, field.type)
        return rows[name] if rows.schema.field(name).type == field.type else rows[name].cast(field.type)

    return pa.table([column(field) for field in schema], schema=schema)
