"""
PyIceberg as an engine that maintains a table through the catalog. It has no rewriting of its own yet, so its writers of data files,
manifests and lists are put together here as its commits do: what reaches Sluice is Parquet, Avro and JSON that PyIceberg wrote.
"""

import time
import uuid

from pyiceberg.io.pyarrow import _dataframe_to_data_files
from pyiceberg.manifest import ManifestContent, ManifestEntry, ManifestEntryStatus, write_manifest, write_manifest_list
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation, Snapshot, Summary
from pyiceberg.table.update import AddSnapshotUpdate, AssertRefSnapshotId, AssertTableUUID, SetSnapshotRefUpdate


def merge_manifests(table: Table, codec: str) -> Snapshot:
    """One manifest of all files, in Avro of this codec."""
    return _replace(table, codec, _entries(table), [])


def rewrite_files(table: Table, codec: str = "deflate", lose: int = 0) -> Snapshot:
    """All rows into new data files, one a partition; `lose`: so many rows are left out, which must be refused."""
    rows = table.scan().to_arrow().sort_by("__offset")
    files = list(_dataframe_to_data_files(table.metadata, rows.slice(lose), table.io))
    return _replace(table, codec, [], files)


def _entries(table: Table) -> list[ManifestEntry]:
    manifests = table.current_snapshot().manifests(table.io)
    return [entry for manifest in manifests for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True)]


def _replace(table: Table, codec: str, kept: list[ManifestEntry], added: list) -> Snapshot:
    metadata = table.metadata
    current = table.current_snapshot()
    snapshot_id = uuid.uuid4().int % 2**62 + 2**62
    name = uuid.uuid4()
    output = table.io.new_output(f"{metadata.location}/metadata/{name}-m0.avro")
    with write_manifest(2, table.spec(), table.schema(), output, snapshot_id, codec) as writer:
        for entry in kept:
            writer.existing(entry)
        for file in added:
            writer.add(ManifestEntry.from_args(status=ManifestEntryStatus.ADDED, snapshot_id=snapshot_id, data_file=file))
    manifest = writer.to_manifest_file()
    assert manifest.content == ManifestContent.DATA
    sequence = metadata.last_sequence_number + 1
    place = f"{metadata.location}/metadata/snap-{snapshot_id}-0-{name}.avro"
    lists = write_manifest_list(2, table.io.new_output(place), snapshot_id, current.snapshot_id, sequence, codec)
    with lists as writer:
        writer.add_manifests([manifest])
    snapshot = Snapshot(
        snapshot_id=snapshot_id,
        parent_snapshot_id=current.snapshot_id,
        sequence_number=sequence,
        timestamp_ms=max(int(time.time() * 1000), metadata.last_updated_ms),
        manifest_list=place,
        summary=Summary(operation=Operation.REPLACE),
        schema_id=metadata.current_schema_id,
    )
    table.catalog.commit_table(
        table,
        (
            AssertTableUUID(uuid=metadata.table_uuid),
            AssertRefSnapshotId(ref="main", snapshot_id=current.snapshot_id),
        ),
        (
            AddSnapshotUpdate(snapshot=snapshot),
            SetSnapshotRefUpdate(ref_name="main", type="branch", snapshot_id=snapshot_id),
        ),
    )
    return snapshot
