"""A table with a column of every type: each value by hand in JSON and in Python, the last row null."""

import datetime
import decimal
import json
from dataclasses import dataclass

import pyarrow as pa

from .columns import Column, array, schema_of, vector

_ns = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@dataclass(frozen=True)
class Sample:
    column: Column
    values: list
    json: list


def _sample(type: str, arrow: pa.DataType, *pairs) -> Sample:
    name = type.replace(" ", "_")
    values, written = zip(*pairs, (None, None))
    return Sample(Column(name, type, arrow), list(values), list(written))


def _same(type: str, arrow: pa.DataType, *values) -> Sample:
    return _sample(type, arrow, *((value, value) for value in values))


def _seconds(*moment: int) -> int:
    return (datetime.datetime(*moment) - datetime.datetime(1970, 1, 1)) // datetime.timedelta(seconds=1)


def _moments(kind: str, arrow_of, zone: str) -> list[Sample]:
    """A column of each precision; the widest range that all readers hold: in nanoseconds, 1677 to 2262."""
    samples = []
    for precision, unit, fraction in ((0, "s", ""), (3, "ms", ".123"), (6, "us", ".123456"), (9, "ns", ".123456789")):
        scale = _ns[unit]
        digits = int(fraction[1:] or 0)
        first, last = ((1, 1, 1), (9999, 12, 31)) if unit != "ns" else ((1678, 1, 1), (2261, 12, 31))
        samples.append(
            _sample(
                f"{kind}({precision})",
                arrow_of(unit),
                (_seconds(*first) * scale, f"{first[0]:04}-01-01T00:00:00{zone}"),
                (_seconds(2026, 11, 21, 9, 30) * scale + digits, f"2026-11-21T09:30:00{fraction}{zone}"),
                (
                    _seconds(*last, 23, 59, 59) * scale + scale - 1,
                    f"{last[0]}-12-31T23:59:59{'.' + '9' * precision if precision else ''}{zone}",
                ),
            )
        )
    return samples


def _times() -> list[Sample]:
    samples = []
    for precision, unit in ((0, "s"), (3, "ms"), (6, "us"), (9, "ns")):
        arrow = pa.time32(unit) if precision <= 3 else pa.time64(unit)
        fraction = "." + "123456789"[:precision] if precision else ""
        half_past_nine = 34_200 * _ns[unit] + int(fraction[1:] or 0)
        last = f"23:59:59{'.' + '9' * precision if precision else ''}"
        samples.append(
            _sample(
                f"time({precision})",
                arrow,
                (0, "00:00:00"),
                (half_past_nine, f"09:30:00{fraction}"),
                (86_400 * _ns[unit] - 1, last),
            )
        )
    return samples


_decimal = decimal.Decimal
_nan, _infinity = float("nan"), float("inf")

SAMPLES = [
    _same("boolean", pa.bool_(), True, False, True),
    _same("tinyint", pa.int8(), -(2**7), 0, 2**7 - 1),
    _same("smallint", pa.int16(), -(2**15), 0, 2**15 - 1),
    _same("int", pa.int32(), -(2**31), 0, 2**31 - 1),
    _sample("bigint", pa.int64(), (-(2**63), str(-(2**63))), (2**53 + 1, str(2**53 + 1)), (2**63 - 1, str(2**63 - 1))),
    _sample("float", pa.float32(), (0.1, 0.1), (_nan, "NaN"), (-_infinity, "-Infinity")),
    _sample("double", pa.float64(), (0.1, 0.1), (5e-324, 5e-324), (_infinity, "Infinity")),
    _sample(
        "decimal(9,2)",
        pa.decimal128(9, 2),
        (_decimal("-0.01"), "-0.01"),
        (_decimal("1.50"), "1.50"),
        (_decimal("9999999.99"), "9999999.99"),
    ),
    _sample(
        "decimal(38,10)",
        pa.decimal128(38, 10),
        *((_decimal(text), text) for text in ("-9999999999999999999999999999.9999999999", "0", "0.0000000001")),
    ),
    _same("string", pa.string(), "", "grüße 🐙", 'a"b\\c\n\u0000\u2028'),
    _sample("binary", pa.binary(), (b"", ""), (b"\x00\xff\xfe", "AP/+"), (b"abc", "YWJj")),
    _sample(
        "date", pa.date32(), *((datetime.date.fromisoformat(text), text) for text in ("0001-01-01", "2026-11-21", "9999-12-31"))
    ),
    *_times(),
    *_moments("timestamp", lambda unit: pa.timestamp(unit), ""),
    *_moments("timestamp_ltz", lambda unit: pa.timestamp(unit, "UTC"), "Z"),
    _same("array<int>", array(pa.int32()), [], [1, None, 3], [-1]),
    _same("array<array<string>>", array(array(pa.string())), [[]], [["a", None], None, []], [["ä"] * 40]),
    _sample(
        "map<string,int>",
        pa.map_(pa.string(), pa.int32()),
        ([], []),
        ([("a", 1), ("b", None)], [["a", 1], ["b", None]]),
        ([("", 0)], [["", 0]]),
    ),
    _sample(
        "map<int,array<double>>",
        pa.map_(pa.int32(), array(pa.float64())),
        ([(1, [0.5]), (2, None)], [[1, [0.5]], [2, None]]),
        ([], []),
        ([(3, [])], [[3, []]]),
    ),
    _same(
        "row<a int, b string>",
        pa.struct([("a", pa.int32()), ("b", pa.string())]),
        {"a": 1, "b": "x"},
        {"a": None, "b": ""},
        {"a": None, "b": None},
    ),
    _sample(
        "row<c row<d array<timestamp(3)>>, e map<string,boolean>>",
        pa.struct([("c", pa.struct([("d", array(pa.timestamp("ms")))])), ("e", pa.map_(pa.string(), pa.bool_()))]),
        ({"c": {"d": [1, None]}, "e": [("k", True)]}, {"c": {"d": ["1970-01-01T00:00:00.001", None]}, "e": [["k", True]]}),
        ({"c": {"d": None}, "e": None}, {"c": {"d": None}, "e": None}),
        ({"c": None, "e": []}, {"c": None, "e": []}),
    ),
    _same(
        "array<row<x int, y array<int>>>",
        array(pa.struct([("x", pa.int32()), ("y", array(pa.int32()))])),
        [{"x": 1, "y": [2, 3]}, None],
        [],
        [{"x": None, "y": None}],
    ),
    _same("vector(3)", vector(3), [0.5, -1.0, 2.0], [0.0, 0.0, 0.0], [3.0, 4.0, 5.0]),
]

COLUMNS = [Column("id", "int", pa.int32(), nullable=False), *(sample.column for sample in SAMPLES)]
SCHEMA = schema_of(COLUMNS)
_count = len(SAMPLES[0].values)


def arrow_rows() -> pa.Table:
    columns = [range(_count), *(sample.values for sample in SAMPLES)]
    return pa.Table.from_arrays([pa.array(values, field.type) for values, field in zip(columns, SCHEMA)], schema=SCHEMA)


def ndjson_rows() -> str:
    rows = [{"id": i} | {sample.column.name: sample.json[i] for sample in SAMPLES} for i in range(_count)]
    return "".join(f"{json.dumps(row)}\n" for row in rows)
