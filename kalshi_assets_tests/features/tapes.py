"""Candles and trades of a small event, from a few words each."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from kalshi_assets.tables import CANDLES, TRADES
from kalshi_assets_tests.lake.handmade import events, frame_of

EVENT = events()
OPEN: datetime = EVENT["open_time"][0]
LAG = timedelta(seconds=2)

Quote = tuple[str, float, int, int]
"""Market, minutes since the open, bid and ask in cents."""
Trade = tuple[str, float, str, int, float]
"""Market, minutes since the open, what the taker bought, price in cents, size."""


def short_event(minutes: int) -> pl.DataFrame:
    """The event of four brackets, closing some minutes after its open."""
    return EVENT.with_columns(
        close_time=pl.lit(OPEN + timedelta(minutes=minutes)).cast(EVENT.schema["close_time"])
    )


def candles(*quotes: Quote, volume: float = 0.0, traded: bool = False) -> pl.DataFrame:
    """Candles that end at the minutes given, each known two seconds later."""
    if not quotes:
        return CANDLES.empty()
    times = [OPEN + timedelta(minutes=at) for _, at, _, _ in quotes]
    price = [round((bid + ask) * 50) for _, _, bid, ask in quotes] if traded else None
    return frame_of(
        CANDLES,
        market_ticker=[market for market, _, _, _ in quotes],
        event_time=times,
        known_at=[time + LAG for time in times],
        **{f"yes_bid_{p}_cc": [q[2] * 100 for q in quotes] for p in OHLC},
        **{f"yes_ask_{p}_cc": [q[3] * 100 for q in quotes] for p in OHLC},
        **{f"price_{p}_cc": price for p in OHLC},
        volume=volume,
        open_interest=0.0,
    )


OHLC = ("open", "high", "low", "close")


def trades(*made: Trade, block: Sequence[int] = ()) -> pl.DataFrame:
    """Trades at the minutes given, each known two seconds later; those numbered are blocks."""
    if not made:
        return TRADES.empty()
    times = [OPEN + timedelta(minutes=trade[1]) for trade in made]
    return frame_of(
        TRADES,
        trade_id=[f"id-{n:03d}" for n in range(len(made))],
        market_ticker=[trade[0] for trade in made],
        event_time=times,
        known_at=[time + LAG for time in times],
        yes_price_cc=[trade[3] * 100 for trade in made],
        count=[float(trade[4]) for trade in made],
        taker_side=[trade[2] for trade in made],
        is_block_trade=[n in block for n in range(len(made))],
    )
