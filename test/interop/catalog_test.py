"""
The Iceberg REST catalog as PyIceberg uses it: what it lists, loads, scans and reads again, before the first commit and after each;
and what it commits to keep a table in order, while rows come in.
"""

import os
import threading

from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import BadRequestError, CommitFailedException, NoSuchNamespaceError, NoSuchTableError

from support.cases import Case
from support.engine import merge_manifests, rewrite_files
from support.simple import COLUMNS, LAKE, rows
from support.table import Table


def catalog(**properties):
    return load_catalog("sluice", type="rest", uri=f"{os.environ['SLUICE_URL']}/iceberg", **properties)


class Catalog(Case):
    @classmethod
    def setUpClass(cls):
        cls.table = Table(COLUMNS, buckets={"count": 2, "key": ["id"]}, **LAKE)
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


class Maintenance(Case):
    def setUp(self):
        self.table = Table(COLUMNS, buckets={"count": 2}, **LAKE)
        self.end = 0
        for _ in range(3):
            self.grow()

    def grow(self, count: int = 50):
        self.table.produce(rows(self.end, self.end + count))
        self.end += count
        self.table.tier()

    def load(self):
        return catalog().load_table(self.table.identifier)

    def assert_whole(self):
        found = self.load().scan().to_arrow().select(["id", "text"]).sort_by("id")
        self.assertEqual(found.to_pylist(), rows(0, self.end).to_pylist())

    def test_snapshots_expire_through_the_catalog(self):
        before = self.load()
        before.maintenance.expire_snapshots().by_ids([each.snapshot_id for each in before.snapshots()[:-1]]).commit()
        self.assertEqual(len(self.load().snapshots()), 1)
        self.assert_whole()
        self.grow()
        self.assertEqual(len(self.load().snapshots()), 2)
        self.assert_whole()

    def test_snapshots_expire_while_rows_come_in(self):
        failed = []

        def expire():
            for _ in range(10):
                try:
                    iceberg = self.load()
                    iceberg.maintenance.expire_snapshots().by_ids([each.snapshot_id for each in iceberg.snapshots()[:-1]]).commit()
                except CommitFailedException:
                    pass
                except Exception as error:
                    failed.append(error)

        expiring = threading.Thread(target=expire)
        expiring.start()
        for _ in range(10):
            self.grow(20)
        expiring.join()
        self.assertEqual(failed, [])
        self.assert_whole()
        self.grow()
        self.assert_whole()

    def test_tags_and_properties_outlive_what_we_commit(self):
        iceberg = self.load()
        iceberg.manage_snapshots().create_tag(iceberg.current_snapshot().snapshot_id, "monday").commit()
        with self.load().transaction() as transaction:
            transaction.set_properties(owner="ops")
        count = self.end
        self.grow()
        iceberg = self.load()
        self.assertEqual(iceberg.properties["owner"], "ops")
        self.assertEqual(iceberg.scan(snapshot_id=iceberg.metadata.refs["monday"].snapshot_id).count(), count)
        self.assert_whole()

    def test_manifests_that_pyiceberg_merged_are_built_on(self):
        for codec in ("null", "deflate", "zstandard"):
            with self.subTest(codec=codec):
                snapshot = merge_manifests(self.load(), codec)
                self.assertEqual(self.load().current_snapshot().snapshot_id, snapshot.snapshot_id)
                self.assert_whole()
                self.grow()
                self.assert_whole()

    def test_data_files_that_pyiceberg_rewrote_are_built_on(self):
        before = self.load().current_snapshot().snapshot_id
        rewrite_files(self.load())
        iceberg = self.load()
        self.assertLessEqual(iceberg.inspect.data_files().num_rows, 2)
        self.assertEqual(iceberg.scan(snapshot_id=before).count(), self.end)
        self.assert_whole()
        self.grow()
        self.assert_whole()

    def test_what_would_change_rows_orCOLUMNS_is_refused(self):
        with self.assertRaises(BadRequestError):
            rewrite_files(self.load(), lose=1)
        with self.assertRaises(BadRequestError):
            self.load().append(self.load().scan().to_arrow())
        with self.assertRaises(BadRequestError):
            self.load().delete("id = 1")
        with self.assertRaises(BadRequestError), self.load().update_schema() as update:
            update.delete_column("text")
        with self.assertRaises(BadRequestError), self.load().transaction() as transaction:
            transaction.remove_properties("sluice.points")
        self.assert_whole()

    def test_a_commit_over_an_older_table_is_a_conflict(self):
        old = self.load()
        self.grow()
        with self.assertRaises(CommitFailedException):
            merge_manifests(old, "deflate")
        self.assert_whole()
