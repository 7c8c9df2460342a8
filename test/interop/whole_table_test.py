"""A table of many appends, partitions and buckets, read as a whole by cursor; and what each batch says of itself."""

import datetime
import time
from collections import defaultdict

import polars as pl
import pyarrow as pa

from support.cases import Case, for_each
from support.columns import BUCKET, OFFSET, PARTITION, Column, schema_of
from support.plain import plain_rows
from support.readers import PYARROW, READERS, read_polars, read_pyarrow
from support.table import Table

COLUMNS = [
    Column("id", "bigint", pa.int64(), nullable=False),
    Column("day", "date", pa.date32()),
    Column("region", "string", pa.string()),
    Column("text", "string", pa.string()),
]
BUCKETS = 4
_appends, _append_rows = 60, 50
_many = 300_000
_schema = pa.schema([*schema_of(COLUMNS), OFFSET, PARTITION, BUCKET])
_columns = "*,__offset,__partition,__bucket"


def _rows(start: int, end: int) -> pa.Table:
    def row(i: int) -> dict:
        day = None if i % 11 == 0 else datetime.date(2026, 11, 21 + i % 3)
        return {"id": i, "day": day, "region": ("eu/west", "us")[i % 2], "text": None if i % 5 == 0 else f"row {i}"}

    return pa.Table.from_pylist([row(i) for i in range(start, end)], schema=schema_of(COLUMNS))


def _partition(row: dict) -> str:
    day = "__HIVE_DEFAULT_PARTITION__" if row["day"] is None else row["day"].isoformat()
    return f"day={day}/region={row['region'].replace('/', '%2F')}"


class WholeTable(Case):
    @classmethod
    def setUpClass(cls):
        cls.table = Table(COLUMNS, partitionBy=["day", "region"], buckets={"count": BUCKETS, "key": ["id"]})
        cls.before = int(time.time() * 1000)
        for start in range(0, _appends * _append_rows, _append_rows):
            cls.table.produce(_rows(start, start + _append_rows))
        cls.after = int(time.time() * 1000)
        cls.rows = plain_rows(_rows(0, _appends * _append_rows))

    @for_each(READERS)
    def test_every_row_comes_once_in_its_partition_and_in_the_order_of_its_bucket(self, reader):
        logs = defaultdict(list)
        for row in self._read(reader, limit=170):
            self.assertEqual(row["__partition"], _partition(row))
            logs[row["__partition"], row["__bucket"]].append(row)
        self.assertEqual(len(logs), 8 * BUCKETS)
        for log in logs.values():
            self.assertEqual([row["__offset"] for row in log], list(range(len(log))))
            self.assertEqual(log, sorted(log, key=lambda row: row["id"]))
        rows = sorted((row for log in logs.values() for row in log), key=lambda row: row["id"])
        self.assert_rows(reader.name, [_without_place(row) for row in rows], self.rows)

    @for_each(["maxBytes=20000", "limit=1", "limit=100000"], str)
    def test_pages_of_any_size_bring_the_same_rows(self, size):
        name, number = size.split("=")
        narrow = {"partition": "day=2026-11-22/region=us", "bucket": "1-2"} if number == "1" else {}
        wanted = [
            row
            for row in self._read(PYARROW)
            if not narrow or (_partition(row) == narrow["partition"] and row["__bucket"] in (1, 2))
        ]
        for reader in READERS:
            self.assertEqual(_sorted(self._read(reader, **{name: number}, **narrow)), _sorted(wanted), reader.name)

    @for_each(
        {
            "one partition": (
                {"partition": "day=2026-11-21/region=eu%2Fwest"},
                lambda row: _partition(row) == "day=2026-11-21/region=eu%2Fwest",
            ),
            "the partitions of a day": ({"partition": "day=2026-11-21"}, lambda row: row["day"] == datetime.date(2026, 11, 21)),
            "the partitions of no day": ({"partition": "day=__HIVE_DEFAULT_PARTITION__"}, lambda row: row["day"] is None),
            "some buckets": ({"bucket": "0,2-3"}, lambda row: row["__bucket"] != 1),
            "one bucket of a partition": (
                {"partition": "day=2026-11-22/region=us", "bucket": "2"},
                lambda row: _partition(row) == "day=2026-11-22/region=us" and row["__bucket"] == 2,
            ),
            "rows of a filter": (
                {"where": "day = '2026-11-23' and text is not null"},
                lambda row: row["day"] == datetime.date(2026, 11, 23) and row["text"] is not None,
            ),
            "rows of a filter by place": (
                {"where": "__partition like '%us' and __bucket = 3"},
                lambda row: row["region"] == "us" and row["__bucket"] == 3,
            ),
        }.items(),
        lambda item: item[0],
    )
    def test_a_part_of_the_table_is_read_alone(self, item):
        _, (query, is_wanted) = item
        wanted = [row for row in self._read(PYARROW) if is_wanted(row)]
        self.assertTrue(0 < len(wanted) < len(self.rows))
        for reader in READERS:
            self.assertEqual(_sorted(self._read(reader, limit=97, **query)), _sorted(wanted), reader.name)

    @for_each(READERS)
    def test_a_partition_that_is_born_while_the_table_is_read_joins(self, reader):
        table = Table(COLUMNS, partitionBy=["region"], buckets={"count": 2})
        table.produce(_rows(0, 40))
        pages = table.pages(reader.accept, columns=_columns, limit=15, wait="5s")
        rows = reader.rows(next(pages).body, _schema)
        late = _rows(40, 60).set_column(2, COLUMNS[2].field, pa.array(["asia"] * 20))
        table.produce(late)
        while len(rows) < 60:
            rows += reader.rows(next(pages).body, _schema)
        expected = pa.concat_tables([_rows(0, 40), late])
        rows.sort(key=lambda row: row["id"])
        self.assert_rows(reader.name, [_without_place(row) for row in rows], plain_rows(expected))

    def test_pages_of_many_rows_have_the_sums_of_what_was_produced(self):
        rows = pa.table({"id": pa.array(range(_many)), "text": pa.array([f"text {i % 1_000}" for i in range(_many)])})
        table = Table([COLUMNS[0], COLUMNS[3]], buckets={"count": BUCKETS})
        for start in range(0, _many, _many // 3):
            table.produce(rows.slice(start, _many // 3), bucket=start % BUCKETS)
        pages = list(table.pages())
        self.assertGreater(len(pages), 1)
        found = pa.concat_tables(read_pyarrow(page.body) for page in pages)
        self.assertTrue(found.sort_by("id").combine_chunks().equals(rows.cast(found.schema)))
        frame = pl.concat(read_polars(page.body) for page in pages)
        self.assertEqual((len(frame), frame["id"].sum(), frame["text"].n_unique()), (_many, sum(range(_many)), 1_000))

    def test_each_batch_says_where_its_rows_lie(self):
        seen = defaultdict(int)
        for page in self.table.pages(columns=_columns, limit=500):
            for batch, said in _batches(page.body):
                self.assertEqual(batch.num_rows > 0, True)
                self.assertEqual(
                    {name: len(said[name]) for name in ("sluice.offset", "sluice.timestamp", "sluice.bucket")},
                    {"sluice.offset": 19, "sluice.timestamp": 13, "sluice.bucket": 4},
                )
                first = int(said["sluice.offset"])
                self.assertEqual(batch["__offset"].to_pylist(), list(range(first, first + batch.num_rows)))
                self.assertEqual(set(batch["__bucket"].to_pylist()), {int(said["sluice.bucket"])})
                self.assertEqual(set(batch["__partition"].to_pylist()), {said["sluice.partition"]})
                self.assertTrue(self.before <= int(said["sluice.timestamp"]) <= self.after)
                seen[said["sluice.partition"], said["sluice.bucket"]] += batch.num_rows
        self.assertEqual((len(seen), sum(seen.values())), (8 * BUCKETS, len(self.rows)))

    def test_a_batch_without_system_columns_says_the_same_where_it_is_cut(self):
        place = {"partition": "day=2026-11-22/region=us", "bucket": 2}
        whole = self.table.fetch(**place, columns=_columns, offset="earliest")
        ids = {row["__offset"]: row["id"] for row in PYARROW.rows(whole.body, _schema)}
        answer = self.table.fetch(**place, offset=5, limit=len(ids) - 8)
        found = {
            int(said["sluice.offset"]) + i: id
            for batch, said in _batches(answer.body)
            for i, id in enumerate(batch["id"].to_pylist())
        }
        self.assertEqual(found, {offset: id for offset, id in ids.items() if 5 <= offset < len(ids) - 3})
        self.assertEqual((answer.headers["Sluice-Start-Offset"], answer.headers["Sluice-Next-Offset"]), ("5", str(len(ids) - 3)))

    def _read(self, reader, **query) -> list[dict]:
        pages = self.table.pages(reader.accept, columns=_columns, **query)
        rows = [row for page in pages for row in reader.rows(page.body, _schema)]
        return [{name: row[name] for name in _schema.names} for row in rows]


def _batches(body: bytes):
    with pa.ipc.open_stream(body) as stream:
        while True:
            try:
                batch, metadata = stream.read_next_batch_with_custom_metadata()
            except StopIteration:
                return
            yield batch, {name.decode(): value.decode() for name, value in metadata.items()}


def _sorted(rows: list[dict]) -> list[dict]:
    return sorted(rows, key=lambda row: row["id"])


def _without_place(row: dict) -> dict:
    return {name: value for name, value in row.items() if not name.startswith("__")}
