"""
A Sluice table over HTTP, as any program would use it. SLUICE_URL names the server, SLUICE_DATA the directory that it keeps
everything in.
"""

import io
import itertools
import json
import os
import pathlib
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

import pyarrow as pa
from pyiceberg.table import StaticTable

ARROW = "application/vnd.apache.arrow.stream"
NDJSON = "application/x-ndjson"

_here = pathlib.Path(__file__).parent
_url = os.environ["SLUICE_URL"]
_data = pathlib.Path(os.environ["SLUICE_DATA"])
_numbers = itertools.count(1)
_timeout_seconds = 30


@dataclass(frozen=True)
class Answer:
    body: bytes
    headers: dict

    @property
    def rows(self) -> int:
        return int(self.headers["Sluice-Rows"])


class Table:
    """A new table, in a database of its own."""

    def __init__(self, columns, server=_url, **specification):
        self.identifier = (f"interop-{os.getpid()}-{next(_numbers)}", "t")
        self._path = f"{server}/v1/databases/{self.identifier[0]}"
        _call("PUT", self._path)
        self._path += "/tables/t"
        body = {"columns": [_column_body(column) for column in columns], **specification}
        self._id = json.loads(_call("PUT", self._path, json.dumps(body)).body)["tableId"]

    def produce(self, rows: pa.Table | bytes | str, **query):
        """As Arrow, an Arrow stream, or NDJSON."""
        body = arrow_stream(rows) if isinstance(rows, pa.Table) else rows
        media = NDJSON if isinstance(body, str) else ARROW
        return json.loads(_call("POST", f"{self._path}/records", body, media, **query).body)

    def fetch(self, accept: str = ARROW, **query) -> Answer:
        """Bucket 0 from its earliest row, where the query says nothing else."""
        if not query.keys() & {"cursor", "offset"}:
            query = {"bucket": 0, "offset": "earliest", **query}
        return _call("GET", f"{self._path}/log", accept=accept, **query)

    def pages(self, accept: str = ARROW, **query):
        """The whole table by cursor, until nothing is new."""
        answer = self.fetch(accept, offset="earliest", **query)
        while answer.rows > 0:
            yield answer
            query = {name: value for name, value in query.items() if name not in ("bucket", "partition")}
            answer = self.fetch(accept, cursor=answer.headers["Sluice-Cursor"], **query)

    def alter(self, **change):
        return json.loads(_call("PATCH", self._path, json.dumps(change)).body)

    def partitions(self) -> list[str]:
        return json.loads(_call("GET", f"{self._path}/partitions").body)["partitions"]

    def drop_partition(self, name: str):
        _call("DELETE", f"{self._path}/partitions/{urllib.parse.quote(name)}")

    def tier(self):
        """Brings every row into the lake."""
        answer = _call("POST", f"{self._path}/tier", wait="20s")
        return json.loads(answer.body)

    def by_path(self) -> StaticTable:
        """The lake as its folder says. A commit is copied to where a folder's reader looks when it is done, so a late copy is waited for."""
        current = json.loads(_call("GET", f"{self._path}/tier").body)["snapshot"]
        hint = self.lake / "metadata" / "version-hint.text"
        until = time.monotonic() + 10
        while True:
            if hint.exists():
                found = StaticTable.from_metadata((self.lake / "metadata" / f"v{hint.read_text()}.metadata.json").as_uri())
                if str(found.current_snapshot().snapshot_id) == current:
                    return found
            if time.monotonic() > until:
                raise AssertionError(f"snapshot {current} did not reach {hint}")
            time.sleep(0.05)

    def collect_orphans(self) -> int:
        """Those of now, as if they were old enough; how many objects went."""
        command = ["node", str(_here / "collect.ts"), str(_data), *self.identifier, self._id]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    @property
    def lake(self) -> pathlib.Path:
        return _data / "objects" / "lake" / self._id


def arrow_stream(table: pa.Table, **options) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _column_body(column):
    return {"name": column.name, "type": column.type, "nullable": column.nullable}


def _call(method, url, body=None, content_type="application/json", accept="*/*", **query) -> Answer:
    asked = urllib.parse.urlencode(query)
    request = urllib.request.Request(
        f"{url}{'?' if asked else ''}{asked}",
        data=body.encode() if isinstance(body, str) else body,
        headers={"Content-Type": content_type, "Accept": accept},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=_timeout_seconds) as answer:
            return Answer(answer.read(), answer.headers)
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{method} {request.full_url}: {error.code} {error.read().decode()}") from None
