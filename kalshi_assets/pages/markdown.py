"""Values in Markdown: tables, intervals, differences.

Here: the only writer of Markdown tables. Not here: documents (`documents`), the format of plain
numbers (`words`).
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import polars as pl

from kalshi_assets.pages.words import number

Row = Mapping[Any, Any]
Cell = str | Callable[[Row], str]
"""The content of a cell: a format string for the row, "{value:.3f}", or a function of the row."""


def interval(row: Row, digits: int = 3) -> str:
    """The 95 % interval of a mean."""
    return f"[{number(row['lo'], digits)}, {number(row['hi'], digits)}]"


def estimate(row: Row) -> str:
    """A mean with its interval."""
    return f"{number(row['value'])} {interval(row)}"


def signed(row: Row, digits: int = 3) -> str:
    """A difference with its sign and interval; zero never has a minus sign."""
    value, lo, hi = (f"{row[name]:+.{digits}f}" for name in ("value", "lo", "hi"))
    return f"{value} [{lo}, {hi}]".replace(f"-{0:.{digits}f}", f"+{0:.{digits}f}").replace("-", "−")


def p_value(p: float | None) -> str:
    """A p-value; below 0.001 only "<0.001"."""
    return "<0.001" if p is not None and p < 0.001 else number(p)


def table(rows: pl.DataFrame | Iterable[Row], columns: Mapping[str, Cell] | None = None) -> str:
    """Rows as a table.

    Parameters
    ----------
    rows
        A frame, or mappings.
    columns
        Cells by title; a title that ends in a colon marks numbers, aligned to the right. None: the
        frame's own columns, floats with four significant digits, null as an empty cell.
    """
    if isinstance(rows, pl.DataFrame):
        columns = columns or {name: partial(_plain, name) for name in rows.columns}
    columns = columns or {}
    lines = [
        [title.removesuffix(":") for title in columns],
        ["---:" if title.endswith(":") else "---" for title in columns],
        *([_said(cell, row) for cell in columns.values()] for row in _each(rows)),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cross_table(
    rows: pl.DataFrame | Iterable[Row],
    first: Mapping[str, Cell],
    across: str,
    cell: Cell,
    last: Mapping[str, Cell],
) -> str:
    """A pivot table: a column per value of a key, a line per combination of the first cells.

    Parameters
    ----------
    rows
        In the order of lines and columns; missing combinations are shown as a dash.
    first, last
        Columns before and after, as in `table`; `last` is filled from the line's last row.
    across
        The key whose values become column titles.
    cell
        The content of these columns.
    """
    lines: dict[tuple[str, ...], dict[Any, Any]] = {}
    titles: dict[str, Cell] = {}
    for row in _each(rows):
        here = across, row[across]
        titles[f"{row[across]}:"] = partial(_crossing, here)
        line = lines.setdefault(tuple(_said(part, row) for part in first.values()), {})
        line.update(row)
        line[here] = _said(cell, row)
    return table(lines.values(), {**first, **titles, **last})


def _crossing(here: tuple[str, Any], line: Row) -> str:
    return line.get(here, "–")


def _plain(name: str, row: Row) -> str:
    value = row[name]
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _said(cell: Cell, row: Row) -> str:
    return cell.format_map(row) if isinstance(cell, str) else cell(row)


def _each(rows: pl.DataFrame | Iterable[Row]) -> Iterable[Row]:
    return rows.to_dicts() if isinstance(rows, pl.DataFrame) else rows
