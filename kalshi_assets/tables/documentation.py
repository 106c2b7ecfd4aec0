"""The table contracts as a page of Markdown: docs/tables.md.

Here: rendering of the declarations. The page is generated with
``python -m kalshi_assets.tables.documentation > docs/tables.md``; a test compares the two.
"""

import sys
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import polars as pl

from kalshi_assets.tables import EVERY_TABLE, TABLES, Table

HEAD = """\
# Tables

Generated from the declarations in `kalshi_assets/tables` by
`python -m kalshi_assets.tables.documentation > docs/tables.md`; edit those, not this page.

A partition of a table is one city and one climate day. The views of the catalogue
(`data/kalshi.duckdb`, `kalshi-assets sql`) begin with two columns that the files leave to their
folders' names: `city` (String) and `date` (Date, the climate day). The lake rejects a frame with
missing or extra columns, a wrong type, a value out of range or a duplicate key.

Units: `cc` is 1/10,000 dollar, `f` degrees Fahrenheit, `s` seconds. Times are UTC to the
microsecond. `known_at` is when a row could first be acted on; joins use it.
"""

SCHEMAS = tuple(dict.fromkeys(table.schema for table in EVERY_TABLE))
TABLES_BY_SCHEMA = sorted(EVERY_TABLE, key=lambda table: SCHEMAS.index(table.schema))

_BOUNDS = {
    "greater_than_or_equal_to": "≥ {min_value:,}",
    "less_than_or_equal_to": "≤ {max_value:,}",
    "greater_than": "> {min_value:,}",
    "less_than": "< {max_value:,}",
}


def rendered() -> str:
    """The whole page."""
    sections = [HEAD, _contents()]
    for schema, tables in groupby(TABLES_BY_SCHEMA, key=lambda table: table.schema):
        group = list(tables)
        charter = sys.modules[group[0].model.__module__].__doc__ or ""
        note = charter.partition("\n\n")[2].strip()
        sections.append(f"## {schema}\n" + (f"\n{note}\n" if note else ""))
        sections.extend(_section(table) for table in group)
    return "\n".join(sections)


def _contents() -> str:
    lines = ["| table | contents | key |", "|---|---|---|"]
    for table in TABLES_BY_SCHEMA:
        holds = _cell(table.description.partition(". ")[0].rstrip("."))
        lines.append(f"| {_link(table)} | {holds} | {_names(table.key)} |")
    return "\n".join(lines) + "\n"


def _section(table: Table) -> str:
    parent = _parent(table)
    inherited = set(parent.dtypes) if parent else set()
    intro = [f"### {table.full_name}\n", f"{table.description}\n", *_facts(table)]
    if parent:
        intro.append(f"\nThe columns of {_link(parent)}, and:")
    head = ["", "| column | type | unit | range | null | meaning |", "|---|---|---|---|---|---|"]
    rows = [_column(name, spec) for name, spec in table.columns.items() if name not in inherited]
    return "\n".join(intro + head + rows) + "\n"


def _parent(table: Table) -> Table | None:
    """The table whose contract this one extends."""
    return next((other for other in TABLES if other.model is table.model.__base__), None)


def _facts(table: Table) -> Iterator[str]:
    yield f"- Key: {_names(table.key)}"
    if table.point_in_time:
        yield f"- Uses nothing known after its `{table.point_in_time}`"
    if table.pmfs:
        yield f"- Sums to 1 over the brackets, or is entirely null: {_names(table.pmfs)}"
    if table.may_be_empty:
        yield "- A partition may be empty"


def _column(name: str, spec: Any) -> str:
    cells = (
        f"`{name}`",
        _type(spec.dtype.type),
        (spec.metadata or {}).get("unit") or "",
        _range(spec),
        "yes" if spec.nullable else "",
        _cell(spec.description),
    )
    return "| " + " | ".join(cells) + " |"


def _type(dtype: pl.DataType) -> str:
    return "time" if isinstance(dtype, pl.Datetime) else str(dtype)


def _range(spec: Any) -> str:
    words = []
    for check in spec.checks:
        if check.name == "isin":
            words.append(", ".join(f"`{value}`" for value in check.statistics["allowed_values"]))
        else:
            words.append(_BOUNDS[check.name].format(**check.statistics))
    return ", ".join(words)


def _link(table: Table) -> str:
    return f"[{table.full_name}](#{table.schema}{table.name})"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(rendered(), end="")
