"""A program for the environment of requirements-chdb.txt: ClickHouse reads the table's folder (engines.py)."""

import json
import os
import pathlib
import sys

sys.path.pop(0)  # This folder, where this file has the name of the package.
from chdb.session import Session  # noqa: E402


_pruned = "select sum(value) from system.events where event in ('IcebergPartitionPrunedFiles', 'IcebergMinMaxIndexPrunedFiles')"


def _files(session: Session, question: dict) -> int:
    """Those of the table without those that its counters say were left out."""
    before, asked = (
        int(session.query(query, "TSV").data() or 0)
        for query in (_pruned, f"select countDistinct(_path) from icebergLocal('{question['folder']}')")
    )
    session.query(f"select count(`{question['columns'][0]}`) from icebergLocal('{question['folder']}') where {question['where']}", "TSV")
    return asked - (int(session.query(_pruned, "TSV").data() or 0) - before)


def _answer(session: Session, question: dict) -> str | int | None:
    columns = ", ".join(f"`{name}`" for name in question["columns"])
    snapshot = question["snapshot"]
    past = "" if snapshot is None else f" settings iceberg_snapshot_id = {snapshot}"
    try:
        if question["where"] is not None:
            return _files(session, question)
        result = session.query(f"select {columns} from icebergLocal('{question['folder']}'){past}", "Parquet")
        pathlib.Path(question["out"]).write_bytes(result.bytes())
    except Exception as error:
        return str(error)[:500]
    return None


request = json.load(sys.stdin)
os.chdir("/")
with Session(":memory:?user_files_path=/") as session:
    print(json.dumps([_answer(session, question) for question in request["questions"]]))
