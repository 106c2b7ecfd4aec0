"""Results of the backtests in a lake, read by SQL from the catalogue.

Here: the queries. Not here: ratios, paths and tests of them (`measures`).
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import polars as pl

_DAYS = """
select strategy, fill_model, {ladder} as ladder, date, settled_by <> 'unsettled' as settled,
    orders, maker_fills, taker_fills, contracts, gross_cc, fees_cc, net_cc, worst_case_cc
from backtest.daily_pnl where date between ? and ?
order by strategy, fill_model, date, ladder
"""

_SUMS = """
with every as (
    select m.*, {ladder} as ladder,
        case when month(date) in (12, 1, 2) then 'winter'
             when month(date) in (3, 4, 5) then 'spring'
             when month(date) in (6, 7, 8) then 'summer' else 'autumn' end as season
    from backtest.metrics m where date between ? and ?
), buckets as (
    select * exclude (ladder, season) from every where "by" <> 'market_ticker'
    union all
    select * exclude (ladder, season) replace ('ladder' as "by", ladder as bucket)
    from every where "by" = 'all'
    union all
    select * exclude (ladder, season) replace ('season' as "by", season as bucket)
    from every where "by" = 'all'
)
select strategy, fill_model, "by", bucket,
    {sums}
from buckets group by all order by strategy, fill_model, "by", bucket
"""
_ADDED = (
    "orders",
    "orders_filled",
    "ordered",
    "fills",
    "contracts",
    "fees_cc",
    "net_cc",
    "marked",
    "hits",
)
_ADDED_FLOATS = ("mark_out_1m_cc", "mark_out_5m_cc")

_REASONS = """
select strategy, reason, count(*)::bigint as rows
from backtest.decisions where date between ? and ?
group by all order by strategy, rows desc, reason
"""

_EVER = (date(1, 1, 1), date(9999, 12, 31))


@dataclass(frozen=True, kw_only=True)
class Results:
    """What was decided, filled and earned; money in cc.

    Attributes
    ----------
    days
        A row per strategy, fill model, ladder and date, as `backtest.daily_pnl`, with `settled`.
    sums
        `backtest.metrics` added up over days, by strategy, fill model, `by` and `bucket`; also by
        ladder and season. `net_cc` is that of settled days.
    reasons
        Rows of `backtest.decisions` by strategy and reason, the most frequent first.
    """

    days: pl.DataFrame
    sums: pl.DataFrame
    reasons: pl.DataFrame


def results_of(
    catalogue: duckdb.DuckDBPyConnection,
    *,
    ladder: str,
    start: date | None = None,
    end: date | None = None,
) -> Results:
    """Read the results of the days from `start` to `end`, both included.

    Parameters
    ----------
    catalogue
        An open catalogue.
    ladder
        The family's name for a ladder, such as `city`: the column of the views.
    start, end
        First and last date; None: all.
    """
    span = [start or _EVER[0], end or _EVER[1]]
    sums = ",\n    ".join(
        [f"sum({name})::bigint as {name}" for name in _ADDED]
        + [f"sum({name}) as {name}" for name in _ADDED_FLOATS]
    )

    def rows(sql: str, **names: Any) -> pl.DataFrame:
        return catalogue.sql(sql.format(**names), params=span).pl()

    return Results(
        days=rows(_DAYS, ladder=ladder),
        sums=rows(_SUMS, ladder=ladder, sums=sums),
        reasons=rows(_REASONS),
    )


_SURFACES = """
select surface, control, strategy, fill_model, x, y, count(*)::bigint as days,
    sum(orders)::bigint as orders, sum(contracts)::bigint as contracts,
    sum(fees_cc)::bigint as fees_cc, sum(net_cc)::bigint as net_cc
from backtest.sensitivity group by all order by all
"""


def sensitivity_of(catalogue: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """`backtest.sensitivity` added up over all ladder-days, with their number `days`."""
    return catalogue.sql(_SURFACES).pl()
