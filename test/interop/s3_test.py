"""
A lake on S3: PyIceberg and polars read it through our catalog, which tells them endpoint, region and path style, with keys that they have
from their environment; PyIceberg expires snapshots there.
"""

import os
import unittest

import polars as pl
from pyiceberg.catalog import load_catalog

from support.cases import Case
from support.simple import COLUMNS, LAKE, rows
from support.table import Table

_url = os.environ.get("SLUICE_S3_URL")


@unittest.skipUnless(_url, "the S3 server of test/wire could not be installed here")
class OnS3(Case):
    def setUp(self):
        self.table = Table(COLUMNS, server=_url, buckets={"count": 2}, **LAKE)
        for start in (0, 100, 200):
            self.table.produce(rows(start, start + 100))
            self.table.tier()

    def test_the_catalog_tells_how_to_reach_the_objects_and_no_key(self):
        loaded = self._load()
        self.assertTrue(loaded.metadata_location.startswith("s3://interop/lakes/lake/"))
        told = {name: text for name, text in loaded.config.items() if name.startswith(("s3.", "client."))}
        self.assertEqual(
            {name: text for name, text in told.items() if name != "s3.endpoint"},
            {"s3.region": "us-east-1", "client.region": "us-east-1", "s3.path-style-access": "true"},
        )
        self.assertRegex(told["s3.endpoint"], "^http://127.0.0.1:[0-9]+/cdn-cgi/local/r2/s3$")

    def test_pyiceberg_reads_rows_filters_and_snapshots(self):
        loaded = self._load()
        self._assert_rows(loaded.scan().to_arrow(), 300)
        filtered = loaded.scan(row_filter="id >= 290 and text is not null").to_arrow()
        self.assertEqual(sorted(filtered["id"].to_pylist()), list(range(290, 300)))
        counts = [loaded.scan(snapshot_id=each.snapshot_id).count() for each in loaded.history()]
        self.assertEqual(counts, [100, 200, 300])

    def test_polars_reads_it_with_the_options_of_the_catalog(self):
        # It does not look into what PyIceberg was told, so it is told the same; and that this server speaks plain HTTP.
        loaded = self._load()
        options = {**loaded.config, "aws_allow_http": "true"}
        self._assert_rows(pl.scan_iceberg(loaded, storage_options=options).collect().to_arrow(), 300)

    def test_pyiceberg_expires_there(self):
        # A commit of metadata: this S3 server takes no data files from PyIceberg, which sends them in parts without a length.
        old = [each.snapshot_id for each in self._load().snapshots()[:-1]]
        self._load().maintenance.expire_snapshots().by_ids(old).commit()
        self.table.produce(rows(300, 400))
        self.table.tier()
        self._assert_rows(self._load().scan().to_arrow(), 400)
        self.assertNotIn(old[0], [each.snapshot_id for each in self._load().snapshots()])

    def _load(self):
        return load_catalog("sluice", type="rest", uri=f"{_url}/iceberg").load_table(self.table.identifier)

    def _assert_rows(self, found, count: int):
        self.assertEqual(found.select(["id", "text"]).sort_by("id").to_pylist(), rows(0, count).to_pylist())
