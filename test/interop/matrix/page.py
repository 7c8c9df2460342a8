"""docs/interop.md: a table a group, a row a thing that is asked, a column an engine; written, and read back."""

Cell = str
# Group, label, engine, way.
Key = tuple[str, str, str, str]

_head = """# What engines read of our lakes

Made by `bash test/interop/matrix.sh --write`; without `--write` the suite asks every engine anew and fails where this page says
otherwise. PyIceberg, polars and DuckDB are those of `test/interop/requirements.txt`, the others of the lists beside it.

**yes**: every value and every null came back. **nulls differ**: only rows that hold a null came back otherwise (engines without
nulls of that type). **values differ**: a value came back as another. **no**: the engine refused. **n of m**: so many files are read where
**yes** would be fewer. **not told**: the engine does not say which files it reads. **not asked**: it was not there when the row was
made. What exactly: the suite's output.
"""


def write_page(cells: dict[Key, Cell]) -> str:
    lines = [_head]
    engines = list(dict.fromkeys((engine, way) for _, _, engine, way in cells))
    for group in dict.fromkeys(key[0] for key in cells):
        names = [f"{engine}, {way}" for engine, way in engines]
        lines += [f"## {group}\n", _row(["", *names]), _row(["---"] * (len(names) + 1))]
        for label in dict.fromkeys(key[1] for key in cells if key[0] == group):
            lines.append(_row([label, *(cells.get((group, label, *engine), "not asked") for engine in engines)]))
        lines.append("")
    return "\n".join(lines)


def read_page(text: str) -> dict[Key, Cell]:
    cells: dict[Key, Cell] = {}
    group, engines = "", []
    for line in text.splitlines():
        if line.startswith("## "):
            group, engines = line.removeprefix("## "), []
        elif line.startswith("|") and group:
            label, *row = [part.strip() for part in line.strip("|").split("|")]
            if not engines:
                engines = [tuple(name.split(", ")) for name in row]
            elif label != "---":
                cells |= {(group, label, *engine): cell for engine, cell in zip(engines, row)}
    return cells


def _row(parts: list[str]) -> str:
    return f"| {' | '.join(parts)} |".replace("|  |", "| |")
