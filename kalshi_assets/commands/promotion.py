"""`kalshi-assets promotion`: whether weeks of shadow allow an account to trade live."""

from datetime import date

import polars as pl
from rich.console import Console
from rich.table import Table

from kalshi_assets.defs.lake_io import the_lake
from kalshi_assets.performance.promotion import may_trade_live
from kalshi_assets.pipeline.promotion import judge_shadow


def run_promotion(console: Console, *, strategy: str, end: date) -> bool:
    """Judge, print the tests, and return whether the verdict is GO.

    Parameters
    ----------
    console
        For the table.
    strategy
        The one that would trade.
    end
        Last date of the window.
    """
    rows = judge_shadow(the_lake(), strategy=strategy, end=end)
    go = may_trade_live(rows)
    console.print(_table(rows, f"{'GO' if go else 'NO-GO'}: {strategy}, shadow until {end}"))
    return go


def _table(rows: pl.DataFrame, title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for name in ("test", "", "found", "bar", "missing"):
        table.add_column(name, justify="right" if name in ("found", "bar") else "left")
    for row in rows.iter_rows(named=True):
        found = "unknown" if row["found"] is None else f"{row['found']:,.4g}"
        mark = "[green]passed[/green]" if row["passed"] else "[red]not passed[/red]"
        table.add_row(row["test"], mark, found, f"{row['bar']:,.4g}", row["missing"])
    return table
