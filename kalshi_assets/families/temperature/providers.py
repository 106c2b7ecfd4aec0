"""Whose row counts where providers say the same thing of the same instant.

The tables keep all of them, since `source` is part of their keys; what is computed must see one
report once, or two relays of one reading would bear each other out. Here: that rule. Not here: who
settles a day (`ladder.settlement`), or which reports count at all (`evidence`).
"""

import polars as pl

from kalshi_assets.instants import microseconds
from kalshi_assets.tables.limits import strictly_ascending

REPORT = ("event_time", "kind")
FORECAST = ("event_time", "variable", "valid_time")


def one_report_each(observations: pl.DataFrame) -> pl.DataFrame:
    """Rows of `weather.observations`, one per instant and kind; see `first_known`."""
    return first_known(observations, REPORT)


def one_forecast_each(forecasts: pl.DataFrame) -> pl.DataFrame:
    """Rows of `weather.forecasts`, one per basis, variable and instant; see `first_known`."""
    return first_known(forecasts, FORECAST)


def first_known(rows: pl.DataFrame, same: tuple[str, ...]) -> pl.DataFrame:
    """Of rows with equal `same` the one known first, of equal ones the first by source.

    What became known later never displaces what was known, so that a row which arrives changes
    nothing before it.

    Returns
    -------
    DataFrame
        The rows that are left, in their order.
    """
    # Rows of a partition with one provider are in order: looking costs less than a query, and most
    # partitions have one row per instant.
    times = microseconds(rows[same[0]])
    if (times[1:] > times[:-1]).all() or strictly_ascending(rows, same):
        return rows
    numbered = rows.select(*same, "known_at", "source").with_row_index("row")
    kept = numbered.sort("known_at", "source", "row").unique(same, keep="first")["row"]
    return rows if len(kept) == rows.height else rows[kept.sort()]
