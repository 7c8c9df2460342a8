"""
Asks every engine everything, and holds docs/interop.md against the answers; with --write it writes the page. Columns of engines that
are not installed here stay as the page has them, and are counted. Last line: "N passed, N failed, N skipped".
"""

import pathlib
import sys

import pyarrow as pa

from support.plain import plain_rows

from .engines import Answer, Engine, engines
from .page import Cell, read_page, write_page
from .tables import Ask, Files, all_asks

_page = pathlib.Path(__file__).parents[3] / "docs" / "interop.md"


def main() -> int:
    asks = list(all_asks())
    cells = {}
    for engine in engines():
        cells |= _cells(engine, asks)
        print(f"{engine.name} by {engine.way} was asked {len(asks)} things", flush=True)
    known = read_page(_page.read_text()) if _page.exists() else {}
    asked = {key[2:] for key in cells}
    skipped = [engine for engine in dict.fromkeys(key[2:] for key in known) if engine not in asked]
    for name, way in skipped:
        print(f"!!! SKIPPED: {name} by {way} is not here, so its column of docs/interop.md is not checked")
    if "--write" in sys.argv:
        of_asked = {key[:2] for key in cells}
        # In the order of the page's columns; rows that nobody is asked any more go.
        kept = {key: cell for key, cell in known.items() if key[2:] in skipped and key[:2] in of_asked}
        _page.write_text(write_page(_in_order(cells | kept, [*dict.fromkeys(key[2:] for key in known), *asked])))
        known = read_page(_page.read_text())
    wrong = [f"{key}: the page says {known.get(key)}, seen was {cell}" for key, cell in cells.items() if known.get(key) != cell]
    for line in wrong:
        print(line)
    if wrong:
        print("docs/interop.md is not what the engines do: bash test/interop/matrix.sh --write, and look at what changed")
    print(f"{len(cells) - len(wrong)} passed, {len(wrong)} failed, {len(skipped)} skipped")
    return 1 if wrong or not cells else 0


def _cells(engine: Engine, asks: list[Ask]) -> dict[tuple, Cell]:
    answers = engine.ask([ask.question for ask in asks])
    return {(ask.group, ask.label, engine.name, engine.way): _judge(engine, ask, answer) for ask, answer in zip(asks, answers)}


def _in_order(cells: dict[tuple, Cell], engines: list[tuple]) -> dict[tuple, Cell]:
    """Rows as they are asked, columns as the page has them."""
    rows = list(dict.fromkeys(key[:2] for key in cells))
    return {(*row, *engine): cells[*row, *engine] for engine in engines for row in rows if (*row, *engine) in cells}


def _judge(engine: Engine, ask: Ask, answer: Answer) -> Cell:
    if isinstance(answer, Exception):
        print(f"  {engine.name} by {engine.way}, {ask.group} {ask.label}: {str(answer)[:200]!r}")
        return "no"
    if isinstance(ask.expected, Files):
        if answer is None:
            return "not told"
        return "yes" if answer == ask.expected.needed else f"{answer} of {ask.expected.all}"
    found, expected = (_rows(table, ask.question.columns) for table in (answer, ask.expected))
    if found == expected:
        return "yes"
    if len(found) != len(expected) or [row[0] for row in found] != [row[0] for row in expected]:
        print(f"  {engine.name} by {engine.way}, {ask.group} {ask.label}: {len(found)} rows, not {len(expected)}")
        return "other rows"
    differing = [pair for pair in zip(found, expected) if pair[0] != pair[1]]
    print(f"  {engine.name} by {engine.way}, {ask.group} {ask.label}: {differing[0][0]} is read, {differing[0][1]} written")
    return "nulls differ" if all(None in want for _, want in differing) else "values differ"


def _rows(table: pa.Table, columns: tuple[str, ...]) -> list[tuple]:
    """In the order of the first column, which is a key."""
    # Bytes that an engine gives as text need not be any.
    rows = plain_rows(pa.table({name: _bytes(table[name]) for name in columns}))
    return sorted((tuple(_loose(row[name]) for name in columns) for row in rows), key=lambda row: row[0])


def _bytes(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.binary()) if pa.types.is_string(column.type) else column


def _loose(value):
    """Text is its bytes, for engines that have one type for both."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, list):
        return [_loose(each) for each in value]
    return {name: _loose(each) for name, each in value.items()} if isinstance(value, dict) else value


sys.exit(main())
