"""DuckDB's Iceberg extension on the catalog: it lists, reads, goes back in time, and is refused what would change rows."""

import json
import os
import pathlib
import subprocess
import unittest

from support.cases import Case
from support.simple import COLUMNS, LAKE, rows
from support.table import Table

_python = os.environ.get("SLUICE_DUCKDB_PYTHON")
_program = pathlib.Path(__file__).parent / "support" / "duckdb_iceberg.py"


def _duckdb(*statements: str) -> list[dict]:
    ran = subprocess.run([_python, _program], input=json.dumps(statements), capture_output=True, text=True, timeout=60)
    if ran.returncode != 0:
        raise AssertionError(ran.stderr)
    return json.loads(ran.stdout)


@unittest.skipUnless(_python, "DuckDB with its Iceberg extension could not be installed here")
class DuckDBIceberg(Case):
    @classmethod
    def setUpClass(cls):
        cls.table = Table(COLUMNS, buckets={"count": 2, "key": ["id"]}, **LAKE)
        namespace, name = cls.table.identifier
        cls.name = f'lake."{namespace}"."{name}"'

    def test_it_reads_what_we_wrote_and_is_refused_what_we_would_not(self):
        [empty] = _duckdb(f"select count(*) from {self.name}")
        self.assertEqual(empty, {"rows": [[0]]})
        for start in (0, 100):
            self.table.produce(rows(start, start + 100))
            self.table.tier()
        namespace, name = self.table.identifier
        tables, all_rows, filtered, first = _duckdb(
            f"select name from (show all tables) where schema = '{namespace}'",
            f"select id, text from {self.name} order by id",
            f"select count(*), min(id), sum(__offset) from {self.name} where id >= 150 and text like 'row%'",
            f"select snapshot_id from iceberg_snapshots({self.name}) order by sequence_number limit 1",
        )
        self.assertEqual(tables["rows"], [[name]])
        self.assertEqual(all_rows["rows"], [[row["id"], row["text"]] for row in rows(0, 200).to_pylist()])
        self.assertEqual(filtered["rows"][0][:2], [50, 150])
        past, deleted, left = _duckdb(
            f"select count(*) from {self.name} at (version => {first['rows'][0][0]})",
            f"delete from {self.name} where id = 1",
            f"select count(*) from {self.name}",
        )
        self.assertEqual(past["rows"], [[100]])
        self.assertIn("BadRequest", deleted.get("error", "it was not refused"))
        self.assertEqual(left["rows"], [[200]])
