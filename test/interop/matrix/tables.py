"""What is asked of every engine: tables of each kind, and the rows that must come back."""

import itertools
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from partitions_test import TYPES as PARTITION_TYPES
from support.columns import Column, schema_of
from support.engine import merge_manifests, rewrite_files
from support.everything import SAMPLES, Sample
from support.simple import COLUMNS, LAKE, THIRD, rows
from support.table import Table

from .engines import Question, catalog, run_program


@dataclass(frozen=True)
class Files:
    """Of a table, and those of them that have rows for a filter, by their bounds."""

    needed: int
    all: int


@dataclass(frozen=True)
class Ask:
    group: str
    label: str
    question: Question
    expected: pa.Table | Files


def all_asks() -> Iterator[Ask]:
    yield from _types()
    yield from _partitions()
    yield from _evolution()
    yield from _upkeep()
    yield from _expiry("Time and upkeep", LAKE)
    yield from _third()
    yield from _pruning()
    yield from _engines()


def _question(table: Table, columns, snapshot: int | None = None) -> Question:
    metadata = table.by_path().metadata_location.removeprefix("file://")
    return Question(*table.identifier, str(table.lake), metadata, tuple(columns), snapshot)


def _snapshots(table: Table) -> list[int]:
    """Of appends, oldest first."""
    found = table.by_path().snapshots()
    return [each.snapshot_id for each in found if each.summary.operation.value == "append"]


def _fill(table: Table, *parts: pa.Table) -> None:
    for part in parts:
        table.produce(part)
        table.tier()


def _types() -> Iterator[Ask]:
    """A column of each type that a lake has, with its extremes and a null. Spark refuses whole tables that have a time."""
    samples = [sample for sample in SAMPLES if not sample.column.type.endswith("(9)")]
    yield from _table_of([sample for sample in samples if not sample.column.type.startswith("time(")])
    yield from _table_of([sample for sample in samples if sample.column.type.startswith("time(")])


def _table_of(samples: list[Sample], lake: dict = LAKE) -> Iterator[Ask]:
    names = [f"c{at}" for at in range(len(samples))]
    key = Column("id", "int", pa.int32(), nullable=False)
    columns = [key, *(Column(name, each.column.type, each.column.arrow) for name, each in zip(names, samples))]
    count = len(samples[0].values)
    arrays = [pa.array(range(count), pa.int32())]
    arrays += [pa.array(each.values, each.column.arrow) for each in samples]
    all_rows = pa.Table.from_arrays(arrays, schema=schema_of(columns))
    table = Table(columns, **lake)
    _fill(table, all_rows)
    for name, each in zip(names, samples):
        asked = ["id", name]
        yield Ask("Types", each.column.type, _question(table, asked), all_rows.select(asked))


def _partitions() -> Iterator[Ask]:
    for type, arrow, values in PARTITION_TYPES:
        columns = [Column("id", "int", pa.int32(), nullable=False), Column("p", type, arrow)]
        table = Table(columns, partitionBy=["p"], buckets={"count": 2, "key": ["id"]}, **LAKE)
        cases = [*values, None]
        all_rows = pa.Table.from_pylist([{"id": i, "p": cases[i % 3]} for i in range(12)], schema=schema_of(columns))
        _fill(table, all_rows)
        yield Ask("Partitioned by", type, _question(table, ["id", "p"]), all_rows)


def _evolution() -> Iterator[Ask]:
    key = Column("id", "int", pa.int32(), nullable=False)
    old = [key, Column("a", "int", pa.int32()), Column("gone", "string", pa.string()), Column("x", "float", pa.float32())]
    new = [
        Column("id", "bigint", pa.int64(), nullable=False),
        Column("b", "bigint", pa.int64()),
        Column("x", "double", pa.float64()),
        Column("more", "string", pa.string()),
    ]
    before = pa.Table.from_pylist([{"id": i, "a": i, "gone": "g", "x": i / 2} for i in range(10)], schema=schema_of(old))
    added = [{"id": 2**40 + i, "b": 2**50, "x": 0.1, "more": "m"} for i in range(5)]
    kept = [{"id": i, "b": i, "x": i / 2, "more": None} for i in range(10)]
    table = Table(old, buckets={"count": 2, "key": ["id"]}, **LAKE)
    _fill(table, before)
    table.alter(
        widenColumns={"id": "bigint", "a": "bigint", "x": "double"},
        renameColumns={"a": "b"},
        dropColumns=["gone"],
        addColumns=[{"name": "more", "type": "string"}],
    )
    _fill(table, pa.Table.from_pylist(added, schema=schema_of(new)))
    first, _ = _snapshots(table)
    now = pa.Table.from_pylist(kept + added, schema=schema_of(new))
    for label, name in (("widened", "x"), ("renamed and widened", "b"), ("added", "more")):
        yield Ask("Columns that changed", label, _question(table, ["id", name]), now.select(["id", name]))
    yield Ask("Columns that changed", "the snapshot before, as it was", _question(table, before.column_names, first), before)


def _upkeep() -> Iterator[Ask]:
    table = Table(COLUMNS, buckets={"count": 4, "key": ["id"]}, **LAKE)
    _fill(table, *(rows(start, start + 20) for start in range(0, 500, 20)))
    names = ["id", "text"]
    yield Ask("Time and upkeep", "25 commits, manifests merged and files joined", _question(table, names), rows(0, 500))
    snapshots = _snapshots(table)
    for label, at in (("the first snapshot of them", 0), ("the twelfth", 11)):
        yield Ask("Time and upkeep", label, _question(table, names, snapshots[at]), rows(0, 20 * (at + 1)))


def _expiry(group: str, lake: dict) -> Iterator[Ask]:
    """
    What our own expiry leaves, which a table's properties make quick, then what the collection of all that nothing refers to any more
    leaves: all rows, and time travel to the oldest snapshot that is kept; and rows that come in after it.
    """
    names = ["id", "text"]
    for label, is_collected in (("our own expiry", False), ("orphans collected", True)):
        table = _expired(lake)
        if is_collected:
            _collect(table)
        oldest = table.by_path().snapshots()[0]
        then = rows(0, int(oldest.summary["total-records"]))
        yield Ask(group, f"{label}: all rows", _question(table, names), rows(0, 500))
        yield Ask(group, f"{label}: the oldest snapshot that is kept", _question(table, names, oldest.snapshot_id), then)
    table = _expired(lake)
    _collect(table)
    _fill(table, rows(500, 520))
    yield Ask(group, "orphans collected: rows that came in after it", _question(table, names), rows(0, 520))


def _expired(lake: dict) -> Table:
    table = Table(COLUMNS, buckets={"count": 2, "key": ["id"]}, **lake)
    _fill(table, rows(0, 20))
    with catalog().load_table(table.identifier).transaction() as change:
        change.set_properties(**{"history.expire.max-snapshot-age-ms": "1", "history.expire.min-snapshots-to-keep": "5"})
    _fill(table, *(rows(start, start + 20) for start in range(20, 500, 20)))
    kept = len(table.by_path().snapshots())
    if not 1 < kept <= 6:
        raise AssertionError(f"{kept} snapshots are kept, of 25 commits and those that joined their files")
    return table


def _collect(table: Table) -> None:
    before = {path for path in table.lake.rglob("*") if path.is_file()}
    count = table.collect_orphans()
    left = {path for path in table.lake.rglob("*") if path.is_file()}
    if count < 25 or len(before - left) != count or left - before:
        raise AssertionError(f"{count} orphans were collected, {len(before - left)} of {len(before)} files are gone")


def _third() -> Iterator[Ask]:
    """Tables of format version 3, whose joined files have the columns of row lineage."""
    group = "Format version 3"
    samples = [sample for sample in SAMPLES if sample.column.type in ("timestamp(9)", "timestamp_ltz(9)")]
    for sample in samples:
        for ask in _table_of([sample], THIRD):
            yield Ask(group, ask.label, ask.question, ask.expected)
    table = Table(COLUMNS, buckets={"count": 4, "key": ["id"]}, **THIRD)
    _fill(table, *(rows(start, start + 20) for start in range(0, 500, 20)))
    names = ["id", "text"]
    yield Ask(group, "25 commits, manifests merged and files joined", _question(table, names), rows(0, 500))
    yield Ask(group, "the first snapshot of them", _question(table, names, _snapshots(table)[0]), rows(0, 20))
    table = Table(COLUMNS, buckets={"count": 2, "key": ["id"]}, **LAKE)
    _fill(table, rows(0, 20), rows(20, 40))
    table.alter(setOptions={"lake.format-version": "3"})
    _fill(table, rows(40, 60))
    yield from _expiry(group, THIRD)
    yield Ask(group, "upgraded from version 2", _question(table, names), rows(0, 60))
    yield Ask(group, "a snapshot of before the upgrade", _question(table, names, _snapshots(table)[1]), rows(0, 40))


def _pruning() -> Iterator[Ask]:
    """Twelve files: three partitions, two buckets, two commits."""
    columns = [
        Column("id", "bigint", pa.int64(), nullable=False),
        Column("p", "string", pa.string()),
        Column("n", "int", pa.int32()),
    ]
    for label, options in (("", LAKE), (", version 3", THIRD)):
        table = Table(columns, partitionBy=["p"], buckets={"count": 2, "key": ["id"]}, **options)
        for start in (0, 60):
            some = [{"id": i, "p": "abc"[i % 3], "n": i} for i in range(start, start + 60)]
            _fill(table, pa.Table.from_pylist(some, schema=schema_of(columns)))
        files = table.by_path().inspect.files().to_pylist()
        wheres = [
            ("a partition", "p = 'b'", lambda file: file["partition"]["p"] == "b"),
            ("a range of a column with bounds", "n < 50", lambda file: file["readable_metrics"]["n"]["lower_bound"] < 50),
            ("both", "p = 'b' and n < 50", lambda file: file["partition"]["p"] == "b" and file["readable_metrics"]["n"]["lower_bound"] < 50),
            ("what no file has", "n > 1000", lambda file: file["readable_metrics"]["n"]["upper_bound"] > 1000),
        ]
        for name, where, is_needed in wheres:
            needed = sum(1 for file in files if is_needed(file))
            yield Ask("Files that a filter reads", name + label, replace(_question(table, ["id"]), where=where), Files(needed, len(files)))


def _engines() -> Iterator[Ask]:
    names = ["id", "text"]
    # PyIceberg writes no buckets of a key.
    table = Table(COLUMNS, buckets={"count": 2}, **LAKE)
    _fill(table, *(rows(start, start + 20) for start in range(0, 100, 20)))
    rewrite_files(catalog().load_table(table.identifier))
    merge_manifests(catalog().load_table(table.identifier), "deflate")
    rewritten = catalog().load_table(table.identifier)
    old = [each.snapshot_id for each in rewritten.snapshots()[:-1]]
    rewritten.maintenance.expire_snapshots().by_ids(old).commit()
    _fill(table, rows(100, 120))
    yield Ask("Engines' upkeep", "PyIceberg rewrote, merged and expired", _question(table, names), rows(0, 120))
    if python := os.environ.get("SLUICE_SPARK_PYTHON"):
        labels = ("Spark rewrote, merged and expired while rows came in", "Spark rewrote and expired version 3 while rows came in")
        for label, lake in zip(labels, (LAKE, THIRD)):
            table, count = _sparks(python, lake)
            yield Ask("Engines' upkeep", label, _question(table, names), rows(0, count))


def _sparks(python: str, lake: dict) -> tuple[Table, int]:
    """A table that Spark keeps in order while rows come in, and how many it has. Rows of version 3 keep the ids that they had."""
    table = Table(COLUMNS, buckets={"count": 2, "key": ["id"]}, **lake)
    _fill(table, *(rows(start, start + 20) for start in range(0, 100, 20)))
    name = ".".join(f"`{part}`" for part in table.identifier)
    plain = f"table => '{name}'"
    statements = [
        f"call sluice.system.rewrite_data_files({plain}, options => map('rewrite-all', 'true'))",
        f"call sluice.system.rewrite_manifests({plain})",
        f"call sluice.system.expire_snapshots({plain}, retain_last => 1, older_than => timestamp '2100-01-01 00:00:00')",
    ]
    ids = f"select id, _row_id, _last_updated_sequence_number from sluice.{name} where id < 100 order by id"
    if lake is THIRD:
        # This release forgets the first row ids of files when it rewrites manifests, which is refused.
        statements = [statements[0], statements[2], ids]
        (before,) = run_program("spark", python, {"statements": [ids]})
        if len({row["_row_id"] for row in before}) != 100:
            raise AssertionError(f"rows have no ids of their own: {json.dumps(before)}")
    done = threading.Event()
    counted = [100]

    def produce():
        for start in itertools.count(100, 20):
            _fill(table, rows(start, start + 20))
            counted[0] = start + 20
            if done.wait(5):
                return

    producing = threading.Thread(target=produce)
    producing.start()
    try:
        answers = run_program("spark", python, {"statements": statements})
    finally:
        done.set()
        producing.join()
    if answers[0][0]["rewritten_data_files_count"] < 2:
        raise AssertionError(f"Spark rewrote nothing: {json.dumps(answers)}")
    if lake is THIRD and answers[-1] != before:
        raise AssertionError(f"rows got other ids when files were rewritten: {json.dumps(answers[-1])}, not {json.dumps(before)}")
    return table, counted[0]
