"""Metrics of a day: orders, fills, gains and mark-outs by circumstance.

Here: sums of one day that add up over days. Not here: ratios and intervals of many days.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from kalshi_assets.instants import microseconds
from kalshi_assets.tables import METRICS
from kalshi_assets.trading.day import TradingDay
from kalshi_assets.trading.engine import Run
from kalshi_assets.units import MINUTE_US

_MARKS = ("mark_out_1m_cc", "mark_out_5m_cc")
_KEY = ("strategy", "fill_model", "by", "bucket")
# Hours since the start of the ladder's day.
_NOON, _THREE = 12.0, 15.0


def metrics(
    day: TradingDay,
    runs: Sequence[Run],
    orders: pl.DataFrame,
    fills: pl.DataFrame,
    stress: Sequence[str] = (),
) -> pl.DataFrame:
    """`backtest.metrics` of a day.

    Parameters
    ----------
    day, runs
        The event's day and its runs.
    orders, fills
        `backtest.orders` and `backtest.fills` of the runs.
    stress
        What tested a trader on the day; a day counts once for each.
    """
    sent = orders.with_columns(_circumstances(day, orders, "decided_at"))
    filled = fills.join(
        sent.select("strategy", "fill_model", "order_id", *_BY), on=_ORDER, maintain_order="left"
    )
    marked = pl.all_horizontal(pl.col(_MARKS).is_not_null())
    size = pl.col("contracts").cast(pl.Int64)
    of_orders = (
        _by_bucket(sent, ("contracts", "filled"), stress)
        .group_by(_KEY)
        .agg(orders=pl.len(), ordered=size.sum(), orders_filled=(pl.col("filled") > 0).sum())
    )
    of_fills = (
        _by_bucket(filled, ("contracts", "fee_cc", "pnl_cc", *_MARKS), stress)
        .group_by(_KEY)
        .agg(
            fills=pl.len(),
            contracts=size.sum(),
            fees_cc=pl.col("fee_cc").sum(),
            net_cc=pl.when(pl.col("pnl_cc").null_count() == 0).then(pl.col("pnl_cc").sum()),
            marked=size.filter(marked).sum(),
            hits=size.filter(marked & (pl.col("mark_out_5m_cc") > 0)).sum(),
            **{name: (size * pl.col(name)).filter(marked).sum() for name in _MARKS},
        )
    )
    quiet = pl.DataFrame(
        [(run.strategy, run.fill_model, "all", "all") for run in runs],
        schema=list(_KEY),
        orient="row",
    )
    found = quiet.join(of_orders, on=_KEY, how="full", coalesce=True).join(
        of_fills, on=_KEY, how="left"
    )
    counts = [name for name in METRICS.dtypes if name not in (*_KEY, "net_cc")]
    return METRICS.arranged(
        found.with_columns(
            pl.col(counts).fill_null(0),
            net_cc=pl.when(pl.col("fills").fill_null(0) == 0).then(0).otherwise("net_cc"),
        ).cast(METRICS.dtypes)  # type: ignore[arg-type]
    )


def _by_bucket(rows: pl.DataFrame, values: Sequence[str], stress: Sequence[str]) -> pl.DataFrame:
    """Every row once for `all` and once for each circumstance: its key and the values."""
    own = (*_ORDER[:2], *values)
    buckets = [
        ("all", pl.lit("all")),
        *((by, pl.col(by)) for by in _BY),
        *(("stress", pl.lit(name)) for name in stress or [ORDINARY]),
    ]
    return pl.concat([rows.select(*own, by=pl.lit(by), bucket=bucket) for by, bucket in buckets])


ORDINARY = "ordinary"
_ORDER = ("strategy", "fill_model", "order_id")
_BY = ("time_of_day", "regime", "execution", "market_ticker")


def _circumstances(day: TradingDay, orders: pl.DataFrame, at: str) -> list[pl.Series]:
    """The time of day and the regime at which orders were decided."""
    m = (microseconds(orders[at]) - day.instants[0]) // MINUTE_US
    bracket_of = {ticker: bracket for bracket, ticker in enumerate(day.markets)}
    bracket = np.array([bracket_of[ticker] for ticker in orders["market_ticker"]], dtype=np.int64)
    rows = pl.Series(day.first[bracket] + m)
    hour = day.panel["hour_lst"].gather(rows).to_numpy()
    named = pl.Series("time_of_day", ["before noon", "noon to three", "after three"])
    time_of_day = named.gather((hour >= _NOON).astype(np.int64) + (hour >= _THREE))
    regime = pl.Series("regime", ["none"]).new_from_index(0, orders.height)
    if "regime" in day.panel.columns:
        regime = day.panel["regime"].gather(rows)
    return [time_of_day, regime]
