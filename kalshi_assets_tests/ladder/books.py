"""Panels of a few minutes with the columns that the market PMF reads."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl

NOON = datetime(2025, 4, 25, 17, tzinfo=UTC)

Quotes = Sequence[tuple[float | None, float | None]]


def in_cc(dollars: float | None) -> int | None:
    return None if dollars is None else round(dollars * 10_000)


def book(
    *minutes: Quotes,
    last: Sequence[float | None] | None = None,
    last_age_s: float = 0.0,
    source: str = "recorded",
    quote_age_s: float = 0.0,
) -> pl.DataFrame:
    """One row per bracket and minute, from (bid, ask) of every bracket; None: there is none."""
    n = len(minutes[0])
    traded = last or [None] * n
    return pl.DataFrame(
        [
            {
                "market_ticker": f"B{i}",
                "bracket": i,
                "minute": NOON + timedelta(minutes=t),
                "known_at": NOON,
                "bid_cc": in_cc(bid),
                "ask_cc": in_cc(ask),
                "last_price_cc": in_cc(traded[i]),
                "last_trade_age_s": None if traded[i] is None else last_age_s,
                "quote_source": source,
                "quote_age_s": quote_age_s,
            }
            for t, quotes in enumerate(minutes)
            for i, (bid, ask) in enumerate(quotes)
        ],
        schema={
            "market_ticker": pl.String,
            "bracket": pl.Int8,
            "minute": pl.Datetime("us", "UTC"),
            "known_at": pl.Datetime("us", "UTC"),
            "bid_cc": pl.Int32,
            "ask_cc": pl.Int32,
            "last_price_cc": pl.Int32,
            "last_trade_age_s": pl.Float64,
            "quote_source": pl.String,
            "quote_age_s": pl.Float64,
        },
    )
