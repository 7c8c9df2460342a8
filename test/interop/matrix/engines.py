"""
How each engine is asked for some columns of a table, of now or of a snapshot, by the catalog or by the table's folder. An answer is
an Arrow table, or the error. Or it is asked which files it reads for a filter, and the answer is how many, or None where it does not
tell. Engines in environments of their own are programs of this folder: questions on standard input as JSON, answers in Parquet files,
errors and counts on standard output.
"""

import json
import os
import pathlib
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog import load_catalog
from pyiceberg.table import StaticTable

from support.readers import duckdb_connection

_here = pathlib.Path(__file__).parent
_timeout_seconds = 300


@dataclass(frozen=True)
class Question:
    namespace: str
    table: str
    folder: str
    # The file of the current metadata.
    metadata: str
    columns: tuple[str, ...]
    snapshot: int | None = None
    # SQL that every engine here understands, PyIceberg too; then it is asked how many files it reads.
    where: str | None = None


Answer = pa.Table | int | None | Exception


@dataclass(frozen=True)
class Engine:
    name: str
    way: str
    ask: Callable[[list[Question]], list[Answer]]


def catalog():
    return load_catalog("sluice", type="rest", uri=f"{os.environ['SLUICE_URL']}/iceberg")


def _loaded(question: Question, way: str):
    if way == "catalog":
        return catalog().load_table((question.namespace, question.table))
    return StaticTable.from_metadata(pathlib.Path(question.metadata).as_uri())


def _pyiceberg(question: Question, way: str) -> Answer:
    if question.where is not None:
        return len(list(_loaded(question, way).scan(row_filter=question.where).plan_files()))
    return _loaded(question, way).scan(snapshot_id=question.snapshot, selected_fields=question.columns).to_arrow()


def _polars(question: Question, way: str) -> Answer:
    if question.where is not None:
        return None
    return pl.scan_iceberg(_loaded(question, way), snapshot_id=question.snapshot).select(question.columns).collect().to_arrow()


def _duckdb_files(question: Question, way: str) -> Answer:
    if question.where is not None:
        return None
    tasks = _loaded(question, way).scan(snapshot_id=question.snapshot).plan_files()
    paths = [task.file.file_path.removeprefix("file://").removeprefix("file:") for task in tasks]
    with duckdb_connection() as connection:
        return connection.read_parquet(paths, union_by_name=True).to_arrow_table().select(question.columns)


def _each(read, way: str) -> Callable[[list[Question]], list[Answer]]:
    def answer(question: Question) -> Answer:
        try:
            return read(question, way)
        except Exception as error:
            return error

    return lambda questions: [answer(question) for question in questions]


def _program(name: str, way: str, python: str) -> Callable[[list[Question]], list[Answer]]:
    def ask(questions: list[Question]) -> list[Answer]:
        out = pathlib.Path(os.environ["SLUICE_DATA"]).parent
        asked = [asdict(question) | {"out": str(out / f"{name}-{way}-{at}.parquet")} for at, question in enumerate(questions)]
        told = run_program(name, python, {"way": way, "questions": asked})
        return [_told(each, answer) for each, answer in zip(asked, told)]

    return ask


def _told(question: dict, answer: str | int | None) -> Answer:
    if isinstance(answer, str):
        return RuntimeError(answer)
    return pq.read_table(question["out"]) if question["where"] is None else answer


def run_program(name: str, python: str, request: dict):
    ran = subprocess.run(
        [python, _here / f"{name}.py"], input=json.dumps(request), capture_output=True, text=True, timeout=_timeout_seconds
    )
    if ran.returncode != 0:
        told = [line for line in ran.stderr.splitlines() if not line.lstrip().startswith("at ")]
        raise RuntimeError("\n".join([f"{name} ended with {ran.returncode}:", *told[-20:]]))
    return json.loads(ran.stdout.splitlines()[-1])


def _foreign(name: str, program: str, ways: tuple[str, ...]) -> list[Engine]:
    python = os.environ.get(f"SLUICE_{program.upper()}_PYTHON")
    return [Engine(name, way, _program(program, way, python)) for way in ways] if python else []


def engines() -> list[Engine]:
    """Those that are installed here."""
    return [
        *(Engine("PyIceberg", way, _each(_pyiceberg, way)) for way in ("catalog", "path")),
        *(Engine("polars", way, _each(_polars, way)) for way in ("catalog", "path")),
        *_foreign("DuckDB Iceberg", "duckdb", ("catalog", "path")),
        Engine("DuckDB 2", "Parquet", _each(_duckdb_files, "path")),
        *_foreign("ClickHouse", "chdb", ("path",)),
        *_foreign("Spark", "spark", ("catalog", "path")),
    ]
