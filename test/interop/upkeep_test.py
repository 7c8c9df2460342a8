"""A lake that keeps itself in order, read by PyIceberg: after manifests were merged every row, file and snapshot is what it was."""

import pyarrow as pa

from support.cases import Case
from support.columns import Column, schema_of
from support.table import Table

COLUMNS = [Column("id", "bigint", pa.int64(), nullable=False), Column("text", "string", pa.string())]
_commits, _rows = 25, 40


class Upkeep(Case):
    @classmethod
    def setUpClass(cls):
        cls.table = Table(COLUMNS, buckets={"count": 4, "key": ["id"]}, options={"lake.format": "iceberg"})
        for commit in range(_commits):
            ids = range(commit * _rows, (commit + 1) * _rows)
            cls.table.produce(pa.Table.from_pylist([{"id": i, "text": f"t{i}" if i % 3 else None} for i in ids], schema=schema_of(COLUMNS)))
            cls.table.tier()
        cls.iceberg = cls.table.by_path()

    def test_manifests_were_merged(self):
        manifests = self.iceberg.inspect.manifests().to_pylist()
        self.assertLess(len(manifests), 12)
        self.assertTrue(any(each["existing_data_files_count"] > 4 for each in manifests))

    def test_every_row_is_read_once(self):
        self.assertEqual(sorted(self.iceberg.scan().to_arrow()["id"].to_pylist()), list(range(_commits * _rows)))

    def test_each_snapshot_reads_what_it_read(self):
        counts = [len(self.iceberg.scan(snapshot_id=each.snapshot_id).to_arrow()) for each in self.iceberg.snapshots()]
        self.assertEqual(counts, [_rows * (commit + 1) for commit in range(_commits)])

    def test_pruning_by_partition_and_bounds_loses_no_row(self):
        for wanted in (0, 39, 40, 499, 999):
            found = self.iceberg.scan(row_filter=f"id = {wanted}").to_arrow()
            self.assertEqual(found["id"].to_pylist(), [wanted])
        files = [task.file.file_path for task in self.iceberg.scan(row_filter="id >= 960").plan_files()]
        self.assertLessEqual(len(files), 4)

    def test_each_file_has_the_snapshot_and_the_sequence_number_of_its_commit(self):
        sequences = {each.snapshot_id: each.sequence_number for each in self.iceberg.snapshots()}
        manifests = self.iceberg.current_snapshot().manifests(self.iceberg.io)
        entries = [entry for manifest in manifests for entry in manifest.fetch_manifest_entry(self.iceberg.io)]
        self.assertEqual({entry.status.name for entry in entries}, {"EXISTING", "ADDED"})
        for entry in entries:
            self.assertEqual(entry.sequence_number, sequences[entry.snapshot_id])
            self.assertEqual(entry.file_sequence_number, sequences[entry.snapshot_id])
        self.assertEqual(len({entry.data_file.file_path for entry in entries}), len(entries))
        self.assertEqual(len(entries), int(self.iceberg.current_snapshot().summary["total-data-files"]))
