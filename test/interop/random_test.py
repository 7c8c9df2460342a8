"""Random tables: any nesting of types, any part of the rows and columns. A seed is a test; the same seed is the same table."""

import decimal
import random

import pyarrow as pa
from pyarrow import types

from support.cases import Case, for_each
from support.columns import Column, array, schema_of, vector
from support.readers import READERS
from support.table import Table

_seeds = range(1, 31)
_reads = 4
_arrow = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "decimal(30,6)": pa.decimal128(30, 6),
    "string": pa.string(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "time(0)": pa.time32("s"),
    "time(9)": pa.time64("ns"),
    "timestamp(3)": pa.timestamp("ms"),
    "timestamp_ltz(6)": pa.timestamp("us", "UTC"),
}
# Of times and dates, in their units.
_ends = {
    pa.date32(): 30_000,
    pa.time32("s"): 86_400,
    pa.time64("ns"): 86_400 * 10**9,
    pa.timestamp("ms"): 10**12,
    pa.timestamp("us", "UTC"): 10**15,
}


class Random(Case):
    @for_each(_seeds, lambda seed: f"seed {seed}")
    def test_any_part_of_a_random_table_is_read_as_it_was(self, seed):
        chance = random.Random(seed)
        columns = [Column(f"c{i}", *_type(chance, 3)) for i in range(chance.randint(1, 8))]
        batches = [_batch(chance, columns) for _ in range(chance.randint(1, 6))]
        table = Table(columns)
        for batch in batches:
            table.produce(batch)
        rows = pa.concat_tables(batches)
        for _ in range(_reads):
            query, expected = _part(chance, rows)
            for reader in READERS:
                self.assert_answer(reader, table.fetch(reader.accept, **query), expected)


def _part(chance: random.Random, rows: pa.Table) -> tuple[dict, pa.Table]:
    names = chance.sample(rows.column_names, chance.randint(1, rows.num_columns))
    start = chance.randint(0, rows.num_rows)
    limit = chance.randint(1, rows.num_rows + 1)
    query = {"bucket": 0, "offset": start, "limit": limit, "columns": ",".join(names)}
    part = rows.slice(start)
    if chance.random() < 0.5:
        tested = chance.choice(rows.column_names)
        is_null = chance.random() < 0.5
        query["where"] = f"{tested} is {'' if is_null else 'not '}null"
        part = part.filter(part[tested].is_null() if is_null else part[tested].is_valid())
    return query, part.slice(0, limit).select(names)


def _type(chance: random.Random, depth: int) -> tuple[str, pa.DataType]:
    kind = chance.choice(["array", "map", "row", "vector"]) if depth > 0 and chance.random() < 0.4 else "plain"
    if kind == "array":
        text, arrow = _type(chance, depth - 1)
        return f"array<{text}>", array(arrow)
    if kind == "map":
        text, arrow = _type(chance, depth - 1)
        return f"map<string,{text}>", pa.map_(pa.string(), arrow)
    if kind == "row":
        fields = [(f"f{i}", *_type(chance, depth - 1)) for i in range(chance.randint(1, 3))]
        text = ", ".join(f"{name} {text}" for name, text, _ in fields)
        return f"row<{text}>", pa.struct([(name, arrow) for name, _, arrow in fields])
    if kind == "vector":
        dimension = chance.randint(1, 5)
        return f"vector({dimension})", vector(dimension)
    text = chance.choice(list(_arrow))
    return text, _arrow[text]


def _batch(chance: random.Random, columns) -> pa.Table:
    count = chance.choice([1, 2, 7, 8, 9, 64, 200])
    nulls = chance.choice([0, 0.1, 0.5, 1])
    values = [[_value(chance, column.arrow, nulls) for _ in range(count)] for column in columns]
    return pa.table([pa.array(some, column.arrow) for some, column in zip(values, columns)], schema=schema_of(columns))


def _value(chance: random.Random, kind: pa.DataType, nulls: float):
    if chance.random() < nulls:
        return None
    if types.is_map(kind):
        return [(f"k{i}", _value(chance, kind.item_type, nulls)) for i in range(chance.randint(0, 3))]
    if types.is_fixed_size_list(kind):
        return [chance.randint(-8, 8) / 2 for _ in range(kind.list_size)]
    if types.is_list(kind):
        return [_value(chance, kind.value_type, nulls) for _ in range(chance.choice([0, 0, 1, 2, 9]))]
    if types.is_struct(kind):
        return {field.name: _value(chance, field.type, nulls) for field in kind}
    if types.is_boolean(kind):
        return chance.random() < 0.5
    if types.is_floating(kind):
        return chance.choice([0.0, -0.0, 0.1, 1e-40, -3.5, float("nan"), float("inf")])
    if types.is_decimal(kind):
        return decimal.Decimal(chance.randint(-(10**29), 10**29)).scaleb(-6, decimal.Context(prec=38))
    if types.is_string(kind):
        return "".join(chance.choice('aé🐙"\\\n\0') for _ in range(chance.choice([0, 1, 5, 40])))
    if types.is_binary(kind):
        return chance.randbytes(chance.choice([0, 1, 5, 40]))
    if types.is_integer(kind):
        end = 2 ** (kind.bit_width - 1)
        return chance.choice([-end, end - 1, 0, chance.randrange(-end, end)])
    return chance.randrange(_ends[kind])
