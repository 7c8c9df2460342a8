"""The Iceberg REST catalog as PyIceberg uses it: what it lists, loads, scans and reads again, before the first commit and after each."""

import os

import pyarrow as pa
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError

from support.cases import Case
from support.columns import Column, schema_of
from support.table import Table

_columns = [Column("id", "bigint", pa.int64(), nullable=False), Column("text", "string", pa.string())]
_lake = {"options": {"lake.format": "iceberg"}}


def rows(start: int, end: int) -> pa.Table:
    return pa.Table.from_pylist([{"id": i, "text": f"row {i}"} for i in range(start, end)], schema=schema_of(_columns))


def catalog(**properties):
    return load_catalog("sluice", type="rest", uri=f"{os.environ['SLUICE_URL']}/iceberg", **properties)


class Catalog(Case):
    @classmethod
    def setUpClass(cls):
        cls.table = Table(_columns, buckets={"count": 2, "key": ["id"]}, **_lake)
        cls.empty = catalog().load_table(cls.table.identifier)
        cls.counts = [100, 250, 300]
        for start, end in zip([0, *cls.counts], cls.counts):
            cls.table.produce(rows(start, end))
            cls.table.tier()

    def test_a_table_is_there_before_its_first_commit(self):
        self.assertEqual(self.empty.scan().to_arrow().num_rows, 0)
        self.assertEqual(self.empty.refresh().scan().count(), self.counts[-1])

    def test_namespaces_and_tables_are_listed(self):
        namespace, name = self.table.identifier
        self.assertIn((namespace,), catalog().list_namespaces())
        self.assertIn((namespace,), catalog(**{"rest-page-size": "1"}).list_namespaces())
        self.assertEqual(catalog().list_tables(namespace), [(namespace, name)])
        self.assertTrue(catalog().table_exists(self.table.identifier))

    def test_rows_are_those_that_were_produced(self):
        found = catalog().load_table(self.table.identifier).scan().to_arrow().select(["id", "text"]).sort_by("id")
        self.assertEqual(found.to_pylist(), rows(0, self.counts[-1]).to_pylist())

    def test_a_filter_reads_what_it_asks_for(self):
        found = catalog().load_table(self.table.identifier).scan(row_filter="id >= 290 and text is not null").to_arrow()
        self.assertEqual(sorted(found["id"].to_pylist()), list(range(290, 300)))

    def test_every_snapshot_can_be_read_again(self):
        iceberg = catalog().load_table(self.table.identifier)
        self.assertEqual([iceberg.scan(snapshot_id=each.snapshot_id).count() for each in iceberg.history()], self.counts)

    def test_a_table_loads_with_the_snapshots_of_refs_alone(self):
        iceberg = catalog(**{"snapshot-loading-mode": "refs"}).load_table(self.table.identifier)
        self.assertEqual((len(iceberg.snapshots()), iceberg.scan().count()), (1, self.counts[-1]))

    def test_what_is_not_there_has_the_errors_that_engines_know(self):
        namespace, _ = self.table.identifier
        with self.assertRaises(NoSuchTableError):
            catalog().load_table((namespace, "none"))
        with self.assertRaises(NoSuchNamespaceError):
            catalog().list_tables("none")
        self.assertFalse(catalog().table_exists((namespace, "none")))
