"""Which row is used when several providers report the same value for the same time.

The tables contain the rows of all providers, since `source` is part of their keys. Computations
must use each report once, because otherwise two copies of one reading would confirm each other.
Here: this rule. Not here: who settles a day (`settlement.rule`), or which reports count
(`evidence`).
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
    """Of rows with equal `same` the one known first, then the first by source; order is kept.

    A row that becomes known later never replaces an earlier one.
    """
    # Most partitions have one row per instant, in order of time; checking costs less than a query.
    times = microseconds(rows[same[0]])
    if (times[1:] > times[:-1]).all() or strictly_ascending(rows, same):
        return rows
    numbered = rows.select(*same, "known_at", "source").with_row_index("row")
    kept = numbered.sort("known_at", "source", "row").unique(same, keep="first")["row"]
    return rows if len(kept) == rows.height else rows[kept.sort()]
