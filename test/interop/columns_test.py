"""`columns=`: a part of a table's columns, in the order asked for."""

import time

import pyarrow as pa

from support.cases import Case, for_each
from support.columns import BUCKET, OFFSET, PARTITION, TIMESTAMP, Column, array, schema_of, vector
from support.plain import plain_rows
from support.readers import PYARROW, READERS, read_pyarrow
from support.table import Table

_place = pa.struct([("x", pa.int32()), ("name", pa.string())])
WIDE = [
    *(Column(f"number{i}", "bigint", pa.int64()) for i in range(10)),
    Column("text", "string", pa.string()),
    Column("flag", "boolean", pa.bool_()),
    Column('a,b "c"', "double", pa.float64()),
    Column("tags", "array<string>", array(pa.string())),
    Column("place", "row<x int, name string>", _place),
    Column("counts", "map<string,int>", pa.map_(pa.string(), pa.int32())),
    Column("points", "vector(4)", vector(4)),
    Column("places", "array<row<x int, name string>>", array(_place)),
    Column("price", "decimal(20,4)", pa.decimal128(20, 4)),
    Column("day", "date", pa.date32()),
]


def _rows(start: int, end: int) -> pa.Table:
    def values(name: str, i: int):
        place = {"x": i, "name": f"place {i}"}
        made = {
            "text": "x" * (i % 5),
            "flag": i % 2 == 0,
            'a,b "c"': i / 3,
            "tags": [f"tag {n}" for n in range(i % 4)],
            "place": place if i % 5 else None,
            "counts": [(f"key {n}", n) for n in range(i % 3)],
            "points": [i, 0.5, -i, 1],
            "places": [place, None][: i % 3],
            "price": i,
            "day": i,
        }
        return None if i % 7 == 3 else made.get(name, i)

    return pa.table(
        [pa.array([values(column.name, i) for i in range(start, end)], column.arrow) for column in WIDE],
        schema=schema_of(WIDE),
    )


SELECTIONS = {
    "one of twenty": ["text"],
    "several": ["number1", "flag", "price"],
    "nested ones": ["tags", "place", "counts", "points", "places"],
    "reordered": ["day", "number9", "places", "text", "number0"],
    "a name with a comma and quotes": ['a,b "c"', "number3"],
}


class Columns(Case):
    @classmethod
    def setUpClass(cls):
        cls.before = int(time.time() * 1000)
        cls.table = Table(WIDE)
        cls.rows = _rows(0, 300)
        for start in range(0, 300, 60):
            cls.table.produce(cls.rows.slice(start, 60))

    @for_each(SELECTIONS, str)
    def test_a_part_of_the_columns_is_the_same_part_of_the_rows(self, selection):
        names = SELECTIONS[selection]
        for reader in READERS:
            answer = self.table.fetch(reader.accept, columns=_text(names), limit=1_000)
            self.assert_answer(reader, answer, self.rows.select(names))

    @for_each(READERS)
    def test_system_columns_say_where_a_row_lies(self, reader):
        names = ["__offset", "__timestamp", "__partition", "__bucket"]
        answer = self.table.fetch(reader.accept, columns=_text(["number2", *names]), offset=30, bucket=0, limit=100)
        schema = pa.schema([self.rows.schema.field("number2"), OFFSET, TIMESTAMP, PARTITION, BUCKET])
        rows = reader.rows(answer.body, schema)
        self.assertEqual([row["number2"] for row in rows], [row["number2"] for row in plain_rows(self.rows.slice(30, 100))])
        self.assertEqual([row["__offset"] for row in rows], list(range(30, 130)))
        self.assertEqual({(row["__partition"], row["__bucket"]) for row in rows}, {("", 0)})
        now = int(time.time() * 1000)
        for row in rows:
            self.assertTrue(self.before <= row["__timestamp"] // 1_000_000 <= now)

    def test_system_columns_stand_where_they_are_asked_for(self):
        answer = read_pyarrow(self.table.fetch(columns="__bucket,*,__offset").body)
        expected = pa.schema([BUCKET, *schema_of(WIDE), OFFSET])
        self.assertEqual(answer.schema, expected)
        self.assertTrue(answer.drop_columns(["__bucket", "__offset"]).equals(self.rows))

    @for_each(READERS)
    def test_no_columns_but_the_offset_are_the_offsets(self, reader):
        answer = self.table.fetch(reader.accept, columns="__offset", limit=1_000)
        self.assert_answer(reader, answer, pa.table([pa.array(range(300))], schema=pa.schema([OFFSET])))

    @for_each(READERS)
    def test_a_filter_names_columns_that_are_not_asked_for(self, reader):
        answer = self.table.fetch(reader.accept, columns="tags,number1", where="number0 >= 100 and flag = true", limit=1_000)
        kept = [row["number0"] is not None and row["number0"] >= 100 and row["flag"] is True for row in self.rows.to_pylist()]
        self.assert_answer(reader, answer, self.rows.filter(pa.array(kept)).select(["tags", "number1"]))

    def test_a_body_is_no_larger_than_what_is_asked_for(self):
        whole, one = (len(self.table.fetch(**query).body) for query in ({}, {"columns": "flag"}))
        self.assertLess(one, whole / 10)
        self.assert_answer(PYARROW, self.table.fetch(), self.rows)


def _text(names: list[str]) -> str:
    def quoted(name: str) -> str:
        return '"' + name.replace('"', '""') + '"' if set(name) & set(',"') else name

    return ",".join(quoted(name) for name in names)
