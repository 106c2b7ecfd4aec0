"""Results of the backtests in a lake, read by SQL from the catalogue.

Here: the queries. Not here: ratios, paths and tests of them (`measures`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import polars as pl

_DAYS = """
select strategy, fill_model, {ladder} as ladder, date, settled_by <> 'unsettled' as settled,
    orders, maker_fills, taker_fills, contracts, gross_cc, fees_cc, net_cc, worst_case_cc
from backtest.daily_pnl where {days}
order by strategy, fill_model, date, ladder
"""

_SUMS = """
with every as (
    select m.*, {ladder} as ladder,
        case when month(date) in (12, 1, 2) then 'winter'
             when month(date) in (3, 4, 5) then 'spring'
             when month(date) in (6, 7, 8) then 'summer' else 'autumn' end as season
    from backtest.metrics m
    semi join (from backtest.daily_pnl where settled_by <> 'unsettled') p
        using ({ladder}, date, strategy, fill_model)
    where {days}
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
from backtest.decisions where {days}
group by all order by strategy, rows desc, reason
"""

_EVER = (date(1, 1, 1), date(9999, 12, 31))


@dataclass(frozen=True, kw_only=True)
class Span:
    """Which ladder-days are read.

    Attributes
    ----------
    dimension
        The family's name for a ladder, such as `city`: the column of the views.
    start, end
        First and last date; None: all.
    ladders
        Names of ladders; None: all.
    """

    dimension: str
    start: date | None = None
    end: date | None = None
    ladders: Sequence[str] | None = None

    def rows(self, catalogue: duckdb.DuckDBPyConnection, sql: str, **names: Any) -> pl.DataFrame:
        """The rows of a query in which `{days}` stands for the condition, `{ladder}` for a column.

        Parameters
        ----------
        catalogue
            An open catalogue.
        sql
            The query; the condition occurs once.
        names
            What else is filled in.
        """
        days, values = "date between ? and ?", [self.start or _EVER[0], self.end or _EVER[1]]
        if self.ladders is not None:
            days += f" and list_contains(?, {self.dimension})"
            values.append(list(self.ladders))  # type: ignore[arg-type]
        filled = sql.format(days=days, ladder=self.dimension, **names)
        return catalogue.sql(filled, params=values).pl()


@dataclass(frozen=True, kw_only=True)
class Results:
    """What was decided, filled and earned; money in cc.

    Attributes
    ----------
    days
        A row per strategy, fill model, ladder and date, as `backtest.daily_pnl`, with `settled`.
    sums
        `backtest.metrics` of settled days added up by strategy, fill model, `by` and `bucket`; also
        by ladder and season.
    reasons
        Rows of `backtest.decisions` by strategy and reason, the most frequent first.
    """

    days: pl.DataFrame
    sums: pl.DataFrame
    reasons: pl.DataFrame


def results_of(catalogue: duckdb.DuckDBPyConnection, span: Span) -> Results:
    """Read the results of ladder-days.

    Parameters
    ----------
    catalogue
        An open catalogue.
    span
        Which.
    """
    sums = ",\n    ".join(
        [f"sum({name})::bigint as {name}" for name in _ADDED]
        + [f"sum({name}) as {name}" for name in _ADDED_FLOATS]
    )
    return Results(
        days=span.rows(catalogue, _DAYS),
        sums=span.rows(catalogue, _SUMS, sums=sums),
        reasons=span.rows(catalogue, _REASONS),
    )


_SURFACES = """
with known as (
    -- Days whose points are all settled, with as many controls as any day of the surface has.
    select surface, {ladder}, date, count(distinct control) as controls
    from backtest.sensitivity where {days}
    group by all having count(*) = count(net_cc)
), compared as (
    select surface, {ladder}, date from known
    qualify controls = max(controls) over (partition by surface)
)
select surface, control, strategy, fill_model, x, y, count(*)::bigint as days,
    sum(orders)::bigint as orders, sum(contracts)::bigint as contracts,
    sum(fees_cc)::bigint as fees_cc, sum(net_cc)::bigint as net_cc
from backtest.sensitivity semi join compared using (surface, {ladder}, date)
group by all order by all
"""


def sensitivity_of(catalogue: duckdb.DuckDBPyConnection, span: Span) -> pl.DataFrame:
    """`backtest.sensitivity` added up over the ladder-days that have every control and are settled.

    A surface and its controls are sums over the same `days`.

    Parameters
    ----------
    catalogue
        An open catalogue.
    span
        Which ladder-days are looked at.
    """
    return span.rows(catalogue, _SURFACES)
