"""`where=`: the rows that an engine selects with its own filter from all rows."""

import datetime
import decimal
import random
from dataclasses import dataclass

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from support.cases import Case, for_each
from support.columns import Column, schema_of
from support.plain import plain_rows
from support.readers import DUCKDB, JSON, POLARS, PYARROW, READERS, duckdb_connection, read_polars, read_pyarrow
from support.table import Table

_inner = pa.struct([("z", pa.string())])
COLUMNS = [
    Column("i", "int", pa.int32()),
    Column("n", "bigint", pa.int64()),
    Column("price", "decimal(9,2)", pa.decimal128(9, 2)),
    Column("x", "double", pa.float64()),
    Column("f", "float", pa.float32()),
    Column("s", "string", pa.string()),
    Column("day", "date", pa.date32()),
    Column("at", "timestamp(6)", pa.timestamp("us")),
    Column("zoned", "timestamp_ltz(3)", pa.timestamp("ms", "UTC")),
    Column("t", "time(6)", pa.time64("us")),
    Column("flag", "boolean", pa.bool_()),
    Column("code", "binary", pa.binary()),
    Column("place", "row<x int, y row<z string>>", pa.struct([("x", pa.int32()), ("y", _inner)])),
    Column("order", "smallint", pa.int16()),
]
_batch, _batches = 250, 8
_decimal = decimal.Decimal
_first_day = datetime.date(2026, 1, 1)


def _rows() -> pa.Table:
    """`i` grows, so that statistics let whole batches in and out; every seventh value is null."""
    chance = random.Random(7)

    def value(column: Column, i: int):
        if chance.randrange(7) == 0:
            return None
        some = chance.randrange(200)
        return {
            "i": i,
            "n": 2**53 + some,
            "price": _decimal(some * 5 - 500).scaleb(-2),
            "x": chance.choice([float(some), -0.0, 0.0, 0.1, float("nan"), float("inf"), -float("inf")]),
            "f": chance.choice([float(some), 0.1, float("nan")]),
            "s": chance.choice(["", "a", "ab", "äb", "abc", "b%", "🐙b", "it's"]),
            "day": _first_day + datetime.timedelta(days=some),
            "at": 1_767_225_600_000_000 + some * 3_600_000_000 + 1,
            "zoned": 1_767_225_600_000 + some * 3_600_000,
            "t": some * 60_000_000 + 1,
            "flag": some % 2 == 0,
            "code": bytes([some % 3]) * (some % 4),
            "place": {"x": some, "y": None if some % 5 == 0 else {"z": None if some % 4 == 0 else f"z{some % 3}"}},
            "order": some - 100,
        }[column.name]

    count = _batch * _batches
    arrays = [pa.array([value(column, i) for i in range(count)], column.arrow) for column in COLUMNS]
    return pa.table(arrays, schema=schema_of(COLUMNS))


@dataclass(frozen=True)
class Filter:
    """The same in Sluice, polars, pyarrow and DuckDB; in DuckDB as in Sluice where nothing else is said."""

    where: str
    polars: pl.Expr
    pyarrow: pc.Expression
    duckdb: str | None = None


def _alike(where: str, expression, duckdb: str | None = None) -> Filter:
    """polars and pyarrow write it alike."""
    return Filter(where, expression(pl.col), expression(pc.field), duckdb)


_noon = datetime.datetime(2026, 1, 3, 12)
_february = (datetime.date(2026, 2, 1), datetime.date(2026, 2, 28))
_some_n = [2**53, 2**53 + 1, 7]
_is_nan = (pl.col("x").is_nan(), pc.is_nan(pc.field("x")))
_x = (pl.col("place").struct.field("x"), pc.field("place", "x"))
_z = (pl.col("place").struct.field("y").struct.field("z"), pc.field("place", "y", "z"))

FILTERS = [
    _alike("i < 300", lambda c: c("i") < 300),
    _alike("not i < 300", lambda c: ~(c("i") < 300)),
    _alike("i >= 500 and i < 1000", lambda c: (c("i") >= 500) & (c("i") < 1000)),
    _alike("i < 100 or flag = true", lambda c: (c("i") < 100) | c("flag")),
    _alike("not (i < 700 or s = 'a')", lambda c: ~((c("i") < 700) | (c("s") == "a"))),
    _alike("i is null", lambda c: c("i").is_null()),
    _alike("i > 5000", lambda c: c("i") > 5000),
    Filter(
        "s is not null and i < 50",
        pl.col("s").is_not_null() & (pl.col("i") < 50),
        pc.field("s").is_valid() & (pc.field("i") < 50),
    ),
    _alike(f"n > {2**53 + 100}", lambda c: c("n") > 2**53 + 100),
    Filter(f"n in ({2**53}, {2**53 + 1}, 7)", pl.col("n").is_in(_some_n), pc.field("n").isin(_some_n)),
    Filter("s not in ('a', 'äb')", ~pl.col("s").is_in(["a", "äb"]), pc.field("s").is_valid() & ~pc.field("s").isin(["a", "äb"])),
    _alike("price >= -1.05 and price <> 0.00", lambda c: (c("price") >= _decimal("-1.05")) & (c("price") != _decimal("0.00"))),
    _alike("price = 1.10", lambda c: c("price") == _decimal("1.10")),
    _alike("x = 0", lambda c: c("x") == 0),
    Filter("x > 100", pl.col("x") > 100, (pc.field("x") > 100) | _is_nan[1]),
    Filter("x = 'NaN'", *_is_nan),
    Filter("not x <= 'Infinity'", *_is_nan),
    _alike("x = '-Infinity'", lambda c: c("x") == -float("inf")),
    Filter("f = 0.1", pl.col("f") == pl.lit(0.1, pl.Float32), pc.field("f") == pa.scalar(0.1, pa.float32()), "f = 0.1::float"),
    _alike("s = 'it''s'", lambda c: c("s") == "it's"),
    _alike("s > 'ab'", lambda c: c("s") > "ab"),
    Filter("s like '_b%'", pl.col("s").str.contains("^.b.*$"), pc.match_like(pc.field("s"), "_b%")),
    Filter("s not like '%b%'", ~pl.col("s").str.contains("b"), ~pc.match_like(pc.field("s"), "%b%")),
    _alike("day between '2026-02-01' and '2026-02-28'", lambda c: (c("day") >= _february[0]) & (c("day") <= _february[1])),
    _alike(
        "at <= '2026-01-03T12:00:00.000001'",
        lambda c: c("at") <= _noon.replace(microsecond=1),
        "\"at\" <= '2026-01-03T12:00:00.000001'",
    ),
    _alike("zoned > '2026-01-03T12:00:00Z'", lambda c: c("zoned") > _noon.replace(tzinfo=datetime.UTC)),
    _alike("zoned < '2026-01-03T14:00:00+02:00'", lambda c: c("zoned") < _noon.replace(tzinfo=datetime.UTC)),
    _alike("t < '01:40:00.000001'", lambda c: c("t") < datetime.time(1, 40, 0, 1)),
    _alike("flag = false", lambda c: ~c("flag")),
    _alike("code = 'AQE='", lambda c: c("code") == bytes([1, 1]), r"code = '\x01\x01'::blob"),
    Filter("place.x between 10 and 20", _x[0].is_between(10, 20), (_x[1] >= 10) & (_x[1] <= 20)),
    Filter("place.y.z = 'z1'", _z[0] == "z1", _z[1] == "z1"),
    Filter("place.y.z is null", _z[0].is_null(), _z[1].is_null()),
    _alike('"order" not between -50 and 50', lambda c: (c("order") < -50) | (c("order") > 50)),
    _alike("__offset >= 1990 or __offset < 3", lambda c: (c("__offset") >= 1990) | (c("__offset") < 3)),
]


class Where(Case):
    @classmethod
    def setUpClass(cls):
        cls.table = Table(COLUMNS)
        rows = _rows()
        for start in range(0, rows.num_rows, _batch):
            cls.table.produce(rows.slice(start, _batch))
        cls.all = cls.table.fetch(columns="*,__offset").body

    @for_each(FILTERS, lambda each: each.where)
    def test_the_rows_are_those_that_an_engine_selects(self, each):
        expected = self._selected(each)
        self.assertGreaterEqual(1_900, len(expected[PYARROW]), "it leaves some out")
        for reader in READERS:
            answer = self.table.fetch(reader.accept, columns="*,__offset", where=each.where, limit=10_000)
            rows = reader.rows(answer.body, read_pyarrow(self.all).schema)
            self.assertEqual(answer.rows, len(rows))
            self.assert_rows(reader.name, rows, expected[reader])

    @for_each(READERS)
    def test_pages_of_selected_rows_leave_none_out(self, reader):
        expected = read_pyarrow(self.all).filter(pc.field("s") == "abc")
        rows, at, end = [], 0, None
        while at != end:
            answer = self.table.fetch(reader.accept, bucket=0, offset=at, columns="*,__offset", where="s = 'abc'", limit=7)
            rows += reader.rows(answer.body, expected.schema)
            at, end = answer.headers["Sluice-Next-Offset"], answer.headers["Sluice-End-Offset"]
        self.assert_rows(reader.name, rows, plain_rows(expected))

    def _selected(self, each: Filter) -> dict:
        with duckdb_connection() as connection:
            everything = read_pyarrow(self.all)
            connection.register("everything", everything)
            selected = connection.sql(
                f"select * from everything where {each.duckdb or each.where} order by __offset"
            ).to_arrow_table()
        return {
            PYARROW: plain_rows(everything.filter(each.pyarrow)),
            POLARS: plain_rows(read_polars(self.all).filter(each.polars).to_arrow()),
            DUCKDB: plain_rows(selected),
            JSON: plain_rows(selected),
        }
