"""Which row counts where several providers report the same instant.

The tables keep all rows, since `source` is part of their keys. Computations must see each report
once, or two relays of one reading would confirm each other. Here: that rule. Not here: who settles
a day (`settlement`), or which reports count at all (`evidence`).
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
    """Of rows with equal `same` the one known first; of those known at once, the first by source.

    A row that became known later never replaces an earlier one, so a late row changes nothing
    before it.

    Returns
    -------
    DataFrame
        The remaining rows, in their order.
    """
    # Most partitions have one row per instant, in order of time; checking costs less than a query.
    times = microseconds(rows[same[0]])
    if (times[1:] > times[:-1]).all() or strictly_ascending(rows, same):
        return rows
    numbered = rows.select(*same, "known_at", "source").with_row_index("row")
    kept = numbered.sort("known_at", "source", "row").unique(same, keep="first")["row"]
    return rows if len(kept) == rows.height else rows[kept.sort()]
