"""How values stand in a markdown page: intervals, differences, lines of a table, paragraphs.

Here: what several tables write alike. Not here: a table, or how a plain number is said (`words`).
"""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from kalshi_assets.pages.words import number


def interval(row: Mapping[str, float | None], digits: int = 3) -> str:
    """The 95 % interval of a mean."""
    return f"[{number(row['lo'], digits)}, {number(row['hi'], digits)}]"


def signed(row: Mapping[str, float], digits: int = 3) -> str:
    """A difference with its sign and its interval; nought is not negative."""
    value, lo, hi = (f"{row[name]:+.{digits}f}" for name in ("value", "lo", "hi"))
    return f"{value} [{lo}, {hi}]".replace(f"-{0:.{digits}f}", f"+{0:.{digits}f}").replace("-", "−")


def p_value(p: float | None) -> str:
    """A p-value; small ones are only said to be small."""
    return "<0.001" if p is not None and p < 0.001 else number(p)


def line(cells: Sequence[str]) -> str:
    """A row of a table."""
    return f"| {' | '.join(cells)} |"


def table(frame: pl.DataFrame) -> str:
    """A frame as a table: floats with four digits, null as nothing."""
    rows = [frame.columns, ["---"] * frame.width, *frame.iter_rows()]
    return "\n".join(line([_cell(value) for value in row]) for row in rows)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def paragraph(words: str, indent: str = "") -> str:
    """Words in lines of at most 100 characters."""
    return textwrap.fill(
        words, 100, break_long_words=False, break_on_hyphens=False, subsequent_indent=indent
    )
