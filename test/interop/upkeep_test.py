"""
A lake that keeps itself in order, read by engines: after manifests were merged and small files joined every row, value and snapshot is
what it was.
"""

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lake_test import COLUMNS, rows_of
from support.cases import Case
from support.plain import plain_rows
from support.readers import duckdb_connection
from support.table import Table

_commits, _rows = 25, 40


class Upkeep(Case):
    @classmethod
    def setUpClass(cls):
        cls.table = Table(COLUMNS, buckets={"count": 4, "key": ["id"]}, options={"lake.format": "iceberg"})
        cls.rows = rows_of(0, _commits * _rows)
        for commit in range(_commits):
            cls.table.produce(cls.rows.slice(commit * _rows, _rows))
            cls.table.tier()
        cls.iceberg = cls.table.by_path()
        cls.live = [task.file.file_path.removeprefix("file://") for task in cls.iceberg.scan().plan_files()]

    def test_manifests_were_merged_and_files_joined(self):
        manifests = self.iceberg.inspect.manifests().to_pylist()
        self.assertLess(len(manifests), 12)
        self.assertTrue(any(each["deleted_data_files_count"] > 4 for each in manifests))
        self.assertLess(len(self.live), _commits * 4 / 2)
        self.assertEqual(len(self.live), int(self.iceberg.current_snapshot().summary["total-data-files"]))

    def test_pyiceberg_reads_the_rows_that_were_produced(self):
        self._assert_all(self.iceberg.scan().to_arrow())

    def test_polars_reads_the_rows_in_the_joined_files(self):
        self._assert_all(pl.read_parquet(self.live).to_arrow())

    def test_duckdb_reads_the_rows_in_the_joined_files(self):
        with duckdb_connection() as connection:
            self._assert_all(connection.read_parquet(self.live).to_arrow_table())

    def test_joined_files_are_sorted_by_offset_and_hold_what_their_manifest_says(self):
        for task in self.iceberg.scan().plan_files():
            offsets = pq.ParquetFile(task.file.file_path.removeprefix("file://")).read(["__offset"])["__offset"].to_pylist()
            self.assertEqual(offsets, list(range(offsets[0], offsets[0] + task.file.record_count)))

    def test_each_snapshot_reads_what_it_read(self):
        rows = 0
        for snapshot in self.iceberg.snapshots():
            rows += _rows if snapshot.summary.operation.value == "append" else 0
            self.assertEqual(len(self.iceberg.scan(snapshot_id=snapshot.snapshot_id).to_arrow()), rows)
        self.assertEqual(rows, _commits * _rows)

    def test_pruning_by_partition_and_bounds_loses_no_row(self):
        for wanted in (0, 39, 40, 499, 999):
            found = self.iceberg.scan(row_filter=f"id = {wanted * 7}").to_arrow()
            self.assertEqual(found["id"].to_pylist(), [wanted * 7])
        for filter in ("number > 998000", "text = 'grüße 5'", "price >= 1233.0000", "day < '2026-01-03'", "tiny is null", "x < 1"):
            found = len(self.iceberg.scan(row_filter=filter, selected_fields=("id",)).to_arrow())
            all_files = self.iceberg.scan().to_arrow()
            with duckdb_connection() as connection:
                connection.register("lake", all_files)
                wanted = connection.sql(f"select count(*) from lake where {filter}").fetchall()[0][0]
            self.assertEqual((filter, found), (filter, wanted))

    def test_each_file_has_the_snapshot_and_the_sequence_number_of_its_commit(self):
        sequences = {each.snapshot_id: each.sequence_number for each in self.iceberg.snapshots()}
        manifests = self.iceberg.current_snapshot().manifests(self.iceberg.io)
        entries = [
            entry for manifest in manifests for entry in manifest.fetch_manifest_entry(self.iceberg.io) if entry.status.name != "DELETED"
        ]
        for entry in entries:
            self.assertEqual(entry.sequence_number, sequences[entry.snapshot_id])
            self.assertEqual(entry.file_sequence_number, sequences[entry.snapshot_id])
        self.assertEqual(len({entry.data_file.file_path for entry in entries}), len(entries))

    def _assert_all(self, found: pa.Table):
        names = [name for name in found.column_names if not name.startswith("__")]
        self.assert_rows("lake", plain_rows(found.sort_by("id").select(names)), plain_rows(self.rows.select(names)))
