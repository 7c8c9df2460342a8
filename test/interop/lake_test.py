"""The Iceberg table that the tier writes, read from its folder: by PyIceberg and polars as a table, by all as Parquet files."""

import datetime
import decimal

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.conversions import from_bytes

from support.cases import Case, for_each
from support.columns import Column, array, schema_of, vector
from support.plain import plain_rows
from support.readers import duckdb_connection
from support.table import Table

_place = pa.struct([("a", pa.int32()), ("b", array(pa.string()))])
COLUMNS = [
    Column("id", "bigint", pa.int64(), nullable=False),
    Column("tiny", "tinyint", pa.int8()),
    Column("small", "smallint", pa.int16()),
    Column("number", "int", pa.int32()),
    Column("flag", "boolean", pa.bool_()),
    Column("f", "float", pa.float32()),
    Column("x", "double", pa.float64()),
    Column("price", "decimal(20,4)", pa.decimal128(20, 4)),
    Column("text", "string", pa.string()),
    Column("code", "binary", pa.binary()),
    Column("day", "date", pa.date32()),
    Column("t", "time(3)", pa.time32("ms")),
    Column("at", "timestamp(0)", pa.timestamp("s")),
    Column("zoned", "timestamp_ltz(6)", pa.timestamp("us", "UTC")),
    Column("tags", "array<string>", array(pa.string())),
    Column("place", "row<a int, b array<string>>", _place),
    Column("counts", "map<string,int>", pa.map_(pa.string(), pa.int32())),
    Column("v", "vector(3)", vector(3)),
]
_first, _all = 400, 1_000


def rows_of(start: int, end: int) -> pa.Table:
    def row(i: int) -> dict:
        values = {
            "tiny": i % 100 - 50,
            "small": i - 500,
            "number": i * 1_000,
            "flag": i % 2 == 0,
            "f": i / 3,
            "x": i / 3,
            "price": decimal.Decimal(i * 12_345).scaleb(-4),
            "text": f"grüße {i}",
            "code": bytes([i % 256, 0]),
            "day": datetime.date(2026, 1, 1) + datetime.timedelta(days=i % 300),
            "t": i * 1_000 + 1,
            "at": 1_767_225_600 + i,
            "zoned": 1_767_225_600_000_000 + i,
            "tags": ["a", None][: i % 3],
            "place": {"a": i, "b": ["x"] * (i % 2)},
            "counts": [(f"k{n}", n) for n in range(i % 3)],
            "v": [i, 0.5, -i],
        }
        return {"id": i * 7} | {name: None if (i + at) % 9 == 0 else value for at, (name, value) in enumerate(values.items())}

    return pa.Table.from_pylist([row(i) for i in range(start, end)], schema=schema_of(COLUMNS))


class Lake(Case):
    @classmethod
    def setUpClass(cls):
        cls.table = Table(COLUMNS, buckets={"count": 4, "key": ["id"]}, options={"lake.format": "iceberg"})
        cls.rows = rows_of(0, _all)
        cls.table.produce(cls.rows.slice(0, _first))
        cls.table.tier()
        cls.table.produce(cls.rows.slice(_first))
        cls.table.tier()
        cls.iceberg = cls.table.by_path()
        cls.files = sorted(str(file) for file in (cls.table.lake / "data").glob("*.parquet"))

    def test_pyiceberg_reads_the_rows_that_were_produced(self):
        self._assert_all(self.iceberg.scan().to_arrow())

    def test_polars_reads_the_rows_through_iceberg(self):
        names = [column.name for column in COLUMNS if column.name != "v"]
        self._assert_all(pl.scan_iceberg(self.iceberg).select(names).collect().to_arrow())

    def test_polars_reads_vectors_through_iceberg(self):
        self._assert_all(pl.scan_iceberg(self.iceberg).select("id", "v").collect().to_arrow())

    def test_pyarrow_reads_the_rows_in_the_data_files(self):
        self._assert_all(pa.concat_tables(pq.ParquetFile(file).read() for file in self.files))

    def test_polars_reads_the_rows_in_the_data_files(self):
        self._assert_all(pl.read_parquet(self.files).to_arrow())

    def test_duckdb_reads_the_rows_in_the_data_files(self):
        with duckdb_connection() as connection:
            self._assert_all(connection.read_parquet(self.files).to_arrow_table())

    def test_sums_and_counts_are_those_of_the_log(self):
        sums = "count(*), count(text), sum(number), sum(price), sum(x), min(day), max(zoned), sum(__offset)"
        with duckdb_connection() as connection:
            connection.register("lake", self.iceberg.scan().to_arrow())
            connection.register("log", pa.concat_tables(_log(self.table)))
            lake, log = (connection.sql(f"select {sums} from {name}").fetchall()[0] for name in ("lake", "log"))
        self.assertEqual(lake[0], _all)
        self.assertAlmostEqual(lake[4], log[4], places=6)
        self.assertEqual(lake[:4] + lake[5:], log[:4] + log[5:])

    def test_each_tier_is_a_snapshot_that_can_be_read_again(self):
        counts = [len(self.iceberg.scan(snapshot_id=snapshot.snapshot_id).to_arrow()) for snapshot in self.iceberg.snapshots()]
        self.assertEqual(counts, [_first, _all])
        self.assertEqual(self.iceberg.current_snapshot().summary["total-records"], str(_all))

    @for_each(
        {
            "id = 700": lambda row: row["id"] == 700,
            "id in (7, 14, 6993)": lambda row: row["id"] in (7, 14, 6993),
            "number > 998000": lambda row: row["number"] is not None and row["number"] > 998_000,
            "text = 'grüße 5'": lambda row: row["text"] == "grüße 5",
            "price >= 1233.0000": lambda row: row["price"] is not None and row["price"] >= 1233,
            "day < '2026-01-03'": lambda row: row["day"] is not None and row["day"] < datetime.date(2026, 1, 3),
            "tiny is null": lambda row: row["tiny"] is None,
            "zoned > '2026-01-01T00:00:00.000990+00:00'": lambda row: row["zoned"] is not None and row["zoned"].microsecond > 990,
        }.items(),
        lambda item: item[0],
    )
    def test_pruning_by_partition_and_statistics_loses_no_row(self, item):
        filter, selects = item
        found = self.iceberg.scan(row_filter=filter, selected_fields=("id",)).to_arrow()
        expected = [row["id"] for row in self.rows.to_pylist() if selects(row)]
        self.assertTrue(expected)
        self.assertEqual(sorted(found["id"].to_pylist()), expected)

    def test_manifests_count_what_the_files_hold(self):
        files = self.iceberg.inspect.data_files().to_pylist()
        counted = {file["file_path"].removeprefix("file://"): file["record_count"] for file in files}
        self.assertEqual(counted, {file: pq.ParquetFile(file).metadata.num_rows for file in self.files})
        text = next(field.field_id for field in self.iceberg.schema().fields if field.name == "text")
        nulls = sum(dict(file["null_value_counts"])[text] for file in files)
        self.assertEqual(nulls, self.rows["text"].null_count)

    def test_bounds_and_counts_in_the_manifests_are_those_of_the_files(self):
        """Of every column and of the fields inside rows, by their ids."""
        schema = self.iceberg.schema()
        seen = set()
        for task in self.iceberg.scan().plan_files():
            table = pq.ParquetFile(task.file.file_path.removeprefix("file://")).read()
            for id, nulls in task.file.null_value_counts.items():
                name = schema.find_column_name(id)
                values = _leaf(table, name)
                seen.add(name)
                with self.subTest(name=name):
                    self.assertEqual(nulls, values.null_count)
                    self.assertEqual(task.file.value_counts[id], len(values))
                    ordered = _physical(values)
                    kind = schema.find_type(id)
                    found = [from_bytes(kind, bounds[id]) for bounds in (task.file.lower_bounds, task.file.upper_bounds)]
                    expected = [min(ordered), max(ordered)]
                    self.assertEqual(found, expected)
        self.assertIn("place.a", seen)
        self.assertIn("__offset", seen)
        self.assertEqual(len(seen), 18)

    def _assert_all(self, found: pa.Table):
        names = [name for name in found.column_names if not name.startswith("__")]
        self.assert_rows("lake", plain_rows(found.sort_by("id").select(names)), plain_rows(self.rows.select(names)))


def _leaf(table: pa.Table, name: str) -> pa.Array:
    column, *fields = name.split(".")
    values = table[column].combine_chunks()
    for field in fields:
        values = pc.struct_field(values, field)
    return values


def _physical(values: pa.Array) -> list:
    """As Iceberg has them: days, microseconds."""
    if pa.types.is_date(values.type):
        values = values.cast(pa.int32())
    elif pa.types.is_temporal(values.type):
        values = values.cast(pa.int64())
    return [value for value in values.to_pylist() if value is not None]


def _log(table: Table):
    for page in table.pages(columns="*,__offset"):
        with pa.ipc.open_stream(page.body) as stream:
            yield stream.read_all()
