"""Best bid and ask per bracket and minute: recorded where candles are, inferred from trades else.

A trade that lifted the offer shows the ask; one that hit the bid shows the bid. Such quotes are
marked `inferred`. Every join is on `known_at`.
"""

import polars as pl

CC = 10_000.0
NO_BID, NO_ASK = 0, 10_000


def quotes_as_of(grid: pl.DataFrame, candles: pl.DataFrame, trades: pl.DataFrame) -> pl.DataFrame:
    """Quotes known at every row of the grid.

    Parameters
    ----------
    grid
        `market_ticker`, `minute`; sorted by minute within market.
    candles, trades
        Frames of `market.candles` and `market.trades`; either may be empty.

    Returns
    -------
    DataFrame
        The grid with `bid`, `ask` (dollars, null: none), `quote_source`, `quote_age_s` and
        `quote_known_at`, in the grid's order.
    """
    recorded = grid.join_asof(
        _recorded(candles),
        left_on="minute",
        right_on="known_at",
        by="market_ticker",
        coalesce=False,
        check_sortedness=False,
    ).rename({"known_at": "recorded_known_at"})
    both = recorded
    for side, taker in (("ask", "yes"), ("bid", "no")):
        both = both.join_asof(
            _inferred(trades, side, taker),
            left_on="minute",
            right_on=f"{side}_known_at",
            by="market_ticker",
            coalesce=False,
            check_sortedness=False,
        )
    both = both.with_columns(
        pl.when(_crossed("bid")).then(None).otherwise(pl.col("bid_inferred")).alias("bid_inferred"),
        pl.when(_crossed("ask")).then(None).otherwise(pl.col("ask_inferred")).alias("ask_inferred"),
    )
    is_recorded = pl.col("recorded_known_at").is_not_null()
    is_inferred = pl.col("bid_inferred").is_not_null() | pl.col("ask_inferred").is_not_null()
    inferred_time = pl.min_horizontal(
        pl.when(pl.col("bid_inferred").is_not_null()).then(pl.col("bid_time")),
        pl.when(pl.col("ask_inferred").is_not_null()).then(pl.col("ask_time")),
    )
    quote_time = pl.when(is_recorded).then(pl.col("quote_time")).otherwise(inferred_time)
    return both.select(
        *grid.columns,
        bid=pl.when(is_recorded).then(pl.col("bid")).otherwise(pl.col("bid_inferred")),
        ask=pl.when(is_recorded).then(pl.col("ask")).otherwise(pl.col("ask_inferred")),
        quote_source=pl.when(is_recorded)
        .then(pl.lit("recorded"))
        .when(is_inferred)
        .then(pl.lit("inferred"))
        .otherwise(pl.lit("none")),
        quote_age_s=(pl.col("minute") - quote_time).dt.total_microseconds() / 1e6,
        quote_known_at=pl.when(is_recorded)
        .then(pl.col("recorded_known_at"))
        .otherwise(pl.max_horizontal("bid_known_at", "ask_known_at")),
    )


def _recorded(candles: pl.DataFrame) -> pl.DataFrame:
    bid, ask = pl.col("yes_bid_close_cc"), pl.col("yes_ask_close_cc")
    return candles.sort("known_at").select(
        "market_ticker",
        "known_at",
        bid=pl.when(bid > NO_BID).then(bid / CC),
        ask=pl.when(ask < NO_ASK).then(ask / CC),
        quote_time=pl.col("event_time"),
    )


def _inferred(trades: pl.DataFrame, side: str, taker: str) -> pl.DataFrame:
    return (
        trades.filter((pl.col("taker_side") == taker) & ~pl.col("is_block_trade"))
        .sort("known_at", "event_time", "trade_id")
        .select(
            "market_ticker",
            (pl.col("yes_price_cc") / CC).alias(f"{side}_inferred"),
            pl.col("event_time").alias(f"{side}_time"),
            pl.col("known_at").alias(f"{side}_known_at"),
        )
    )


def _crossed(side: str) -> pl.Expr:
    """Whether the side is the older one of a crossed pair: it cannot stand any more."""
    other = "ask" if side == "bid" else "bid"
    crossed = pl.col("bid_inferred") >= pl.col("ask_inferred")
    older = pl.col(f"{side}_time") < pl.col(f"{other}_time")
    if side == "bid":  # at the very same instant one of them has to go
        older = pl.col("bid_time") <= pl.col("ask_time")
    return crossed & older
