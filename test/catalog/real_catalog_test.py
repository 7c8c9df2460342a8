"""Lakes in Apache Iceberg's own REST catalog: what PyIceberg reads there, what it commits beside us, and that nothing is lost or twice."""

import collections
import datetime
import decimal
import os
import threading
import unittest

import pyarrow as pa
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import CommitFailedException, RESTError
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField, StringType

from support.columns import Column, schema_of
from support.table import Table

_columns = [Column("id", "bigint", pa.int64(), nullable=False), Column("text", "string", pa.string())]
_there = {"lake.format": "iceberg", "lake.catalog": "real"}


def rows(start: int, end: int) -> pa.Table:
    return pa.Table.from_pylist([{"id": i, "text": f"row {i}"} for i in range(start, end)], schema=schema_of(_columns))


def catalog():
    return load_catalog("real", type="rest", uri=os.environ["CATALOG_URL"])


def texts(table) -> collections.Counter:
    return collections.Counter(table.scan().to_arrow()["text"].to_pylist())


def expected(*ranges) -> collections.Counter:
    return collections.Counter(f"row {i}" for start, end in ranges for i in range(start, end))


_said = ["file_format", "partition", "record_count", "file_size_in_bytes", "column_sizes", "value_counts", "null_value_counts"]
_said += ["nan_value_counts", "lower_bounds", "upper_bounds", "key_metadata", "split_offsets", "equality_ids", "sort_order_id"]


def entries(table) -> dict:
    """Of the files that are live: whose snapshot, which numbers, and all that is said of the file."""
    found = {}
    for manifest in table.current_snapshot().manifests(table.io):
        for entry in manifest.fetch_manifest_entry(table.io):
            file = {name: getattr(entry.data_file, name) for name in _said}
            numbers = (entry.snapshot_id, entry.sequence_number, entry.file_sequence_number)
            assert entry.data_file.file_path not in found
            found[entry.data_file.file_path] = (*numbers, {**file, "partition": str(file["partition"])})
    return found


def note(table, text: str) -> None:
    """An engine's append: a row with values for nothing but what must have one."""
    schema = table.schema().as_arrow()
    values = {"id": -1, "text": text, "__bucket": 0, "__offset": -1, "__timestamp": 0}
    columns = [pa.array([values[field.name]], field.type) for field in schema]
    table.append(pa.Table.from_arrays(columns, schema=schema))


class RealCatalog(unittest.TestCase):
    maxDiff = 2_000

    def test_rows_come_there_once_over_many_commits(self):
        table = Table(_columns, buckets={"count": 2, "key": ["id"]}, options=_there)
        for start, end in [(0, 100), (100, 250), (250, 300)]:
            table.produce(rows(start, end))
            self.assertEqual(table.tier()["lagRows"], 0)
        there = catalog().load_table(table.identifier)
        self.assertEqual(texts(there), expected((0, 300)))
        self.assertEqual([s.summary.additional_properties["total-records"] for s in there.snapshots()], ["100", "250", "300"])
        self.assertEqual(there.scan(row_filter="id >= 290").to_arrow().num_rows, 10)
        self.assertEqual(there.scan(snapshot_id=there.snapshots()[0].snapshot_id).count(), 100)

    def test_nested_columns_are_read_there_by_ids_that_the_catalog_gave(self):
        types = {"id": "bigint", "price": "decimal(9,2)", "tags": "array<string>", "at": "timestamp_ltz(3)", "r": "row<x int, m map<string,int>>"}
        table = Table([Column(name, type, None, nullable=name != "id") for name, type in types.items()], options=_there)
        table.produce('{"id":1,"price":"1.25","tags":["a",null],"at":"2026-11-21T09:30:00.123Z","r":{"x":7,"m":[["k",1]]}}\n{"id":2}')
        table.tier()
        found = catalog().load_table(table.identifier).scan().to_arrow().sort_by("id").to_pylist()
        first, second = [{name: row[name] for name in types} for row in found]
        moment = datetime.datetime(2026, 11, 21, 9, 30, 0, 123_000, tzinfo=datetime.timezone.utc)
        nested = {"x": 7, "m": [("k", 1)]}
        self.assertEqual(first, {"id": 1, "price": decimal.Decimal("1.25"), "tags": ["a", None], "at": moment, "r": nested})
        self.assertEqual(second, {"id": 2, "price": None, "tags": None, "at": None, "r": None})

    def test_a_partitioned_table_has_its_partitions_there(self):
        table = Table(_columns, partitionBy=["text"], options=_there)
        table.produce(pa.Table.from_pylist([{"id": i, "text": f"row {i % 3}"} for i in range(30)], schema=schema_of(_columns)))
        table.tier()
        there = catalog().load_table(table.identifier)
        self.assertEqual([field.name for field in there.spec().fields], ["text", "__bucket"])
        self.assertEqual(len(list(there.scan(row_filter="text = 'row 1'").plan_files())), 1)
        self.assertEqual(texts(there), collections.Counter({f"row {i}": 10 for i in range(3)}))

    def test_a_partition_that_is_dropped_takes_its_rows_out_there_and_those_of_engines(self):
        table = Table(_columns, partitionBy=["text"], options=_there)
        some = pa.Table.from_pylist([{"id": i, "text": f"row {i % 3}"} for i in range(30)], schema=schema_of(_columns))
        table.produce(some)
        table.tier()
        for text in ("row 1", "engine"):
            note(catalog().load_table(table.identifier), text)
        before = catalog().load_table(table.identifier).current_snapshot()
        table.drop_partition("text=row 1")
        there = catalog().load_table(table.identifier)
        self.assertEqual(texts(there), collections.Counter({"row 0": 10, "row 2": 10, "engine": 1}))
        summary = there.current_snapshot().summary
        self.assertEqual((summary.operation.value, summary["deleted-records"]), ("delete", "11"))
        self.assertEqual(there.scan(snapshot_id=before.snapshot_id).count(), 32)
        table.produce(some.slice(1, 1))
        self.assertEqual(table.tier()["lagRows"], 0)
        self.assertEqual(texts(catalog().load_table(table.identifier))["row 1"], 1)

    def test_of_an_existing_table_without_partitions_a_partition_goes_by_the_bounds_of_its_files(self):
        namespace = f"plain-{os.getpid()}"
        catalog().create_namespace(namespace)
        schema = Schema(NestedField(1, "id", LongType(), required=True), NestedField(2, "text", StringType()))
        there = catalog().create_table((namespace, "t"), schema)
        options = {**_there, "lake.namespace": namespace, "lake.table": "t"}
        table = Table(_columns, partitionBy=["text"], options=options)
        mixed = pa.table({"id": pa.array([1, 2], pa.int64()), "text": ["m 1", "m 3"]}, schema=schema.as_arrow())
        there.append(mixed)
        table.produce(pa.Table.from_pylist([{"id": i, "text": f"row {i % 3}"} for i in range(30)], schema=schema_of(_columns)))
        table.tier()
        table.drop_partition("text=row 1")
        left = collections.Counter({"row 0": 10, "row 2": 10, "m 1": 1, "m 3": 1})
        self.assertEqual(texts(catalog().load_table((namespace, "t"))), left)
        table.produce(pa.Table.from_pylist([{"id": 1, "text": "m 3"}], schema=schema_of(_columns)))
        with self.assertRaisesRegex(AssertionError, "501.*keepLake=true"):
            table.drop_partition("text=m 3")
        table.tier()
        self.assertEqual(texts(catalog().load_table((namespace, "t"))), left + collections.Counter(["m 3"]))

    def test_an_existing_table_takes_rows_beside_its_own(self):
        namespace = f"theirs-{os.getpid()}"
        catalog().create_namespace(namespace)
        schema = Schema(NestedField(1, "note", StringType()), NestedField(2, "text", StringType()), NestedField(3, "id", LongType(), required=True))
        there = catalog().create_table((namespace, "t"), schema)
        own = pa.schema([pa.field("note", pa.string()), pa.field("text", pa.string()), pa.field("id", pa.int64(), nullable=False)])
        there.append(pa.Table.from_pylist([{"note": "theirs", "text": "own", "id": 1}], schema=own))
        odd = [Column("id", "bigint", pa.int64(), nullable=False), Column("text", "int", pa.int32())]
        with self.assertRaisesRegex(AssertionError, 'column \\\\"text\\\\" is int'):
            Table(odd, options={**_there, "lake.namespace": namespace, "lake.table": "t"})
        table = Table(_columns, options={**_there, "lake.namespace": namespace, "lake.table": "t"})
        table.produce(rows(0, 5))
        table.tier()
        found = catalog().load_table((namespace, "t"))
        self.assertEqual(texts(found), expected((0, 5)) + collections.Counter(["own"]))

    def test_a_table_that_was_made_with_format_version_1_takes_rows_beside_its_own_once_it_is_upgraded(self):
        namespace = f"first-{os.getpid()}"
        catalog().create_namespace(namespace)
        schema = Schema(NestedField(1, "id", LongType(), required=True), NestedField(2, "text", StringType()))
        there = catalog().create_table((namespace, "t"), schema, properties={"format-version": "1"})
        for text in ("own", "row 1", "own"):
            there.append(pa.table({"id": pa.array([1], pa.int64()), "text": [text]}, schema=schema.as_arrow()))
        options = {**_there, "lake.namespace": namespace, "lake.table": "t"}
        with self.assertRaisesRegex(AssertionError, "format version 1.*upgrade it there"):
            Table(_columns, partitionBy=["text"], options=options)
        with there.transaction() as change:
            change.upgrade_table_version(2)
        before = entries(catalog().load_table((namespace, "t")))
        self.assertEqual({(sequence, of_file) for _, sequence, of_file, _ in before.values()}, {(0, 0)})
        table = Table(_columns, partitionBy=["text"], options=options)
        table.produce(pa.Table.from_pylist([{"id": i, "text": f"row {i % 3}"} for i in range(30)], schema=schema_of(_columns)))
        self.assertEqual(table.tier()["lagRows"], 0)
        after = entries(catalog().load_table((namespace, "t")))
        self.assertEqual({path: after[path] for path in before}, before)
        table.drop_partition("text=row 1")
        left = collections.Counter({"own": 2, "row 0": 10, "row 2": 10})
        self.assertEqual(texts(catalog().load_table((namespace, "t"))), left)
        with catalog().load_table((namespace, "t")).transaction() as change:
            change.set_properties({"commit.manifest.min-count-to-merge": "2"})
        for number in range(6):
            table.produce(pa.Table.from_pylist([{"id": number, "text": "row 0"}], schema=schema_of(_columns)))
            table.tier()
        there = catalog().load_table((namespace, "t"))
        self.assertEqual(texts(there), left + collections.Counter({"row 0": 6}))
        own = {path: entry for path, entry in entries(there).items() if path in before}
        self.assertEqual(own, {path: before[path] for path in own})
        self.assertEqual(len(own), 2)
        self.assertLess(len(there.current_snapshot().manifests(there.io)), 6)

    def test_manifests_merge_as_the_table_says_and_entries_of_engines_stay_as_they_were(self):
        for version in ("2", "3"):
            table = Table(_columns, options={**_there, "lake.format-version": version})
            table.produce(rows(0, 10))
            table.tier()
            with catalog().load_table(table.identifier).transaction() as change:
                change.set_properties({"commit.manifest.min-count-to-merge": "3"})
            engines = 0 if version == "3" else 3  # PyIceberg writes no manifests of version 3.
            for number in range(engines):
                note(catalog().load_table(table.identifier), f"engine {number}")
            there = catalog().load_table(table.identifier)
            before = entries(there)
            self.assertEqual(len(before), 1 + engines)
            lists = {manifest.manifest_path for manifest in there.current_snapshot().manifests(there.io)}
            for number in range(1, 13):
                table.produce(rows(10 * number, 10 * number + 10))
                self.assertEqual(table.tier()["lagRows"], 0)
            there = catalog().load_table(table.identifier)
            after = entries(there)
            self.assertEqual({path: after[path] for path in before}, before)
            self.assertEqual(len(after), 13 + engines)
            left = [manifest.manifest_path for manifest in there.current_snapshot().manifests(there.io)]
            self.assertLess(len(left), 8)
            self.assertFalse(lists.intersection(left))
            if engines:
                self.assertTrue(any(file["column_sizes"] and file["split_offsets"] for *_, file in after.values()))
            self.assertEqual(texts(there), expected((0, 130)) + collections.Counter(f"engine {i}" for i in range(engines)))
            self.assertEqual(there.scan(row_filter="id >= 120").to_arrow().num_rows, 10)

    def test_commits_and_expiry_of_an_engine_meanwhile_lose_nothing_and_bring_nothing_twice(self):
        table = Table(_columns, options=_there)
        table.produce(rows(0, 10))
        table.tier()
        done, written, unknown = threading.Event(), [], []

        def engine():
            number = 0
            while not done.is_set():
                text = None
                try:
                    there = catalog().load_table(table.identifier)
                    if number % 4 == 3:
                        old = [s.snapshot_id for s in there.snapshots() if s.snapshot_id != there.current_snapshot().snapshot_id]
                        if old:
                            there.maintenance.expire_snapshots().by_ids(old).commit()
                        continue
                    text = f"note {number}"
                    note(there, text)
                    written.append(text)
                except CommitFailedException:
                    pass
                except RESTError:
                    # A database that is busy is a 500: the row may be there.
                    unknown.append(text)
                finally:
                    number += 1
                    done.wait(0.05)

        beside = threading.Thread(target=engine)
        beside.start()
        try:
            for start in range(10, 210, 10):
                table.produce(rows(start, start + 10))
                for _ in range(10):
                    if table.tier()["lagRows"] == 0:
                        break
        finally:
            done.set()
            beside.join()
        self.assertEqual(table.tier()["lagRows"], 0)
        self.assertGreater(len(written), 3)
        found = texts(catalog().load_table(table.identifier))
        for text in unknown:
            self.assertLessEqual(found.pop(text, 0), 1)
        self.assertEqual(found, expected((0, 210)) + collections.Counter(written))
