"""Lakes of partitioned tables, by every type that a partition column may have, and lakes whose columns change: PyIceberg as a table,
DuckDB by the files of a snapshot, both pruned by the partition."""

import datetime
import decimal

import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue, EqualTo, IsNaN, IsNull

from support.cases import Case, for_each
from support.columns import Column
from support.readers import duckdb_connection
from support.table import Table


def _utc(*parts: int) -> datetime.datetime:
    return datetime.datetime(*parts, tzinfo=datetime.timezone.utc)


# Type, Arrow's type, two values as Python has them, and those for PyIceberg's filters where they differ.
TYPES = [
    ("boolean", pa.bool_(), [True, False]),
    ("tinyint", pa.int8(), [-128, 7]),
    ("smallint", pa.int16(), [-32_768, 7]),
    ("int", pa.int32(), [-(2**31), 7]),
    ("bigint", pa.int64(), [-(2**63), 2**53 + 1]),
    ("float", pa.float32(), [0.5, float("nan")]),
    ("double", pa.float64(), [-0.25, float("nan")]),
    ("decimal(9,2)", pa.decimal128(9, 2), [decimal.Decimal("-1234567.89"), decimal.Decimal("0.01")]),
    ("decimal(38,4)", pa.decimal128(38, 4), [decimal.Decimal("-1.0000"), decimal.Decimal("1000000000000000000000000000000000.0000")]),
    ("string", pa.string(), ["a/b=ü %", ""]),
    ("binary", pa.binary(), [b"\x00\xff", b""]),
    ("date", pa.date32(), [datetime.date(1969, 12, 31), datetime.date(2026, 11, 28)]),
    ("time(3)", pa.time32("ms"), [datetime.time(23, 59, 59, 999_000), datetime.time(0, 0)]),
    ("time(6)", pa.time64("us"), [datetime.time(23, 59, 59, 999_999), datetime.time(0, 0)]),
    ("timestamp(0)", pa.timestamp("s"), [datetime.datetime(1969, 12, 31, 23, 59, 59), datetime.datetime(2026, 11, 28)]),
    ("timestamp(6)", pa.timestamp("us"), [datetime.datetime(2026, 1, 1, 0, 0, 0, 1), datetime.datetime(2026, 11, 28)]),
    ("timestamp_ltz(3)", pa.timestamp("ms", "UTC"), [_utc(2026, 1, 1, 0, 0, 0, 1_000), _utc(2026, 11, 28)]),
    ("timestamp_ltz(6)", pa.timestamp("us", "UTC"), [_utc(2026, 1, 1, 0, 0, 0, 1), _utc(2026, 11, 28)]),
]


def _filter(value):
    if value is None:
        return IsNull("p")
    if value != value:
        return IsNaN("p")
    if isinstance(value, datetime.datetime):
        return EqualTo("p", value.isoformat(timespec="microseconds"))
    if isinstance(value, (datetime.date, datetime.time)):
        return EqualTo("p", value.isoformat())
    return EqualTo("p", value)


def _same(a, b) -> bool:
    return a == b or (a is not None and b is not None and a != a and b != b)


class Partitions(Case):
    @classmethod
    def setUpClass(cls):
        cls.made = {}
        for type, arrow, values in TYPES:
            columns = [Column("id", "int", pa.int32(), nullable=False), Column("p", type, arrow)]
            table = Table(columns, partitionBy=["p"], buckets={"count": 2, "key": ["id"]}, options={"lake.format": "iceberg"})
            cases = [*values, None]
            schema = pa.schema([column.field for column in columns])
            rows = pa.Table.from_pylist([{"id": i, "p": cases[i % 3]} for i in range(30)], schema=schema)
            table.produce(rows.slice(0, 12))
            table.tier()
            table.produce(rows.slice(12))
            table.tier()
            cls.made[type] = (table, table.by_path(), rows, cases)

    @for_each(TYPES, lambda case: case[0])
    def test_pyiceberg_reads_the_rows_of_a_table_partitioned_by(self, case):
        _, iceberg, rows, _ = self.made[case[0]]
        found = iceberg.scan().to_arrow().sort_by("id").select(["id", "p"])
        self.assertEqual(_comparable(found), _comparable(rows))

    @for_each(TYPES, lambda case: case[0])
    def test_pyiceberg_plans_the_files_of_one_partition_by(self, case):
        _, iceberg, rows, cases = self.made[case[0]]
        whole = {task.file.file_path for task in iceberg.scan(row_filter=AlwaysTrue()).plan_files()}
        self.assertEqual(len(whole), 12)
        for value in cases:
            filter = _filter(value)
            with self.subTest(value=value):
                planned = [task.file.file_path for task in iceberg.scan(row_filter=filter).plan_files()]
                self.assertEqual(len(planned), 4)
                found = iceberg.scan(row_filter=filter, selected_fields=("id",)).to_arrow()["id"].to_pylist()
                expected = [row["id"] for row in rows.to_pylist() if _same(row["p"], value)]
                self.assertEqual(sorted(found), expected)

    @for_each(TYPES, lambda case: case[0])
    def test_duckdb_reads_the_files_of_a_snapshot_partitioned_by(self, case):
        _, iceberg, rows, _ = self.made[case[0]]
        paths = [task.file.file_path.removeprefix("file://") for task in iceberg.scan().plan_files()]
        with duckdb_connection() as connection:
            found = connection.read_parquet(paths).to_arrow_table().sort_by("id").select(["id", "p"])
        self.assertEqual(_comparable(found), _comparable(rows))

    @for_each(TYPES, lambda case: case[0])
    def test_a_dropped_partition_leaves_the_lake_by(self, case):
        table, iceberg, rows, cases = self.made[case[0]]
        names = table.partitions()
        self.assertEqual(len(names), 3)
        table.drop_partition(names[0])
        left = table.by_path().scan().to_arrow()
        gone = [value for value in cases if value not in left["p"].to_pylist() or value != value]
        self.assertEqual(len(left), 20)
        self.assertTrue(gone)
        self.assertEqual(len(iceberg.scan().to_arrow()), 30)


def _comparable(table: pa.Table):
    """The lake has other units and widths than the log; NaN is equal to itself."""
    return [(row["id"], "NaN" if row["p"] != row["p"] else _plain(row["p"])) for row in table.to_pylist()]


def _plain(value):
    return value.replace(tzinfo=datetime.timezone.utc) if isinstance(value, datetime.datetime) and value.tzinfo else value


LEVELS = [
    Column("id", "int", pa.int32(), nullable=False),
    Column("größe", "int", pa.int32(), nullable=False),
    Column("a.b", "string", pa.string()),
]


class Evolution(Case):
    """Two levels, one of which is widened half-way, with a key that is widened too."""

    @classmethod
    def setUpClass(cls):
        columns = [*LEVELS, Column("price", "decimal(9,2)", pa.decimal128(9, 2)), Column("f", "float", pa.float32())]
        cls.table = table = Table(
            columns, partitionBy=["größe", "a.b"], buckets={"count": 3, "key": ["id"]}, options={"lake.format": "iceberg"}
        )
        first = pa.Table.from_pylist(
            [{"id": i, "größe": i % 2, "a.b": "x", "price": decimal.Decimal(i), "f": i / 2} for i in range(20)],
            schema=pa.schema([column.field for column in columns]),
        )
        table.produce(first)
        table.tier()
        table.alter(
            widenColumns={"id": "bigint", "größe": "bigint", "price": "decimal(20,2)", "f": "double"},
            addColumns=[{"name": "more", "type": "row<x int, y string>"}],
            renameColumns={"price": "cost"},
        )
        wide = pa.schema(
            [
                pa.field("id", pa.int64(), nullable=False),
                pa.field("größe", pa.int64(), nullable=False),
                pa.field("a.b", pa.string()),
                pa.field("cost", pa.decimal128(20, 2)),
                pa.field("f", pa.float64()),
                pa.field("more", pa.struct([("x", pa.int32()), ("y", pa.string())])),
            ]
        )
        second = [
            {"id": 2**40 + i, "größe": 2**40 * (i % 2), "a.b": None, "cost": decimal.Decimal(10**12), "f": 0.1, "more": {"x": i, "y": "é"}}
            for i in range(10)
        ]
        table.produce(pa.Table.from_pylist(second, schema=wide))
        table.tier()
        table.alter(dropColumns=["f"])
        table.produce(pa.Table.from_pylist(second[:1], schema=wide).drop_columns(["f"]))
        table.tier()
        cls.iceberg = table.by_path()

    def test_pyiceberg_reads_every_snapshot_with_the_columns_that_it_had(self):
        names = []
        for snapshot in self.iceberg.snapshots():
            found = self.iceberg.scan(snapshot_id=snapshot.snapshot_id).to_arrow()
            names.append([len(found), *[name for name in found.column_names if not name.startswith("__")]])
        self.assertEqual(
            names,
            [
                [20, "id", "größe", "a.b", "price", "f"],
                [30, "id", "größe", "a.b", "cost", "f", "more"],
                [31, "id", "größe", "a.b", "cost", "more"],
            ],
        )

    def test_pyiceberg_reads_renamed_and_widened_columns_of_old_files(self):
        found = self.iceberg.scan().to_arrow().sort_by("id").to_pylist()
        self.assertEqual([row["cost"] for row in found[:20]], [decimal.Decimal(i) for i in range(20)])
        self.assertEqual([row["more"] for row in found[:20]], [None] * 20)
        self.assertEqual(found[-1]["more"], {"x": 9, "y": "é"})
        self.assertEqual(found[-1]["größe"], 2**40)

    def test_pyiceberg_plans_by_a_widened_partition_column(self):
        for value, rows in ((0, 16), (1, 10), (2**40, 5)):
            scan = self.iceberg.scan(row_filter=EqualTo("größe", value))
            self.assertEqual(len(scan.to_arrow()), rows)
            self.assertLess(len(list(scan.plan_files())), len(list(self.iceberg.scan().plan_files())))

    def test_pyiceberg_prunes_by_the_bounds_of_widened_columns(self):
        for filter, rows in (("id = 3", 1), (f"id >= {2**40}", 11), ("cost < 5.00", 5), ("cost > 1000000.00", 11)):
            self.assertEqual(len(self.iceberg.scan(row_filter=filter).to_arrow()), rows, filter)

    def test_a_partition_of_a_widened_column_leaves_the_lake(self):
        name = next(name for name in self.table.partitions() if name.startswith("größe=1/"))
        self.table.drop_partition(name)
        self.assertEqual(len(self.table.by_path().scan().to_arrow()), 21)
