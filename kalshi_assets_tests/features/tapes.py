"""Candles and trades of a small event, from a few words each."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache

import numpy as np
import polars as pl

from kalshi_assets.ladder.terms import latest_terms
from kalshi_assets.tables import CANDLES, EVENTS, TRADES
from kalshi_assets_tests.lake.handmade import TICKERS, events, frame_of

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


def told_of(event: pl.DataFrame, at: float, **terms: object) -> pl.DataFrame:
    """The event with one version more, known some minutes after the open."""
    known_at = pl.lit(OPEN + timedelta(minutes=at)).cast(event.schema["known_at"])
    changed = {
        name: pl.lit(value).cast(event.schema[name]).alias(name) for name, value in terms.items()
    }
    version = latest_terms(event).with_columns(known_at=known_at, **changed)
    return EVENTS.conform(pl.concat([event, version]))


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


@lru_cache
def busy_tape(seed: int, minutes: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Candles and trades of the four brackets, as a generator of that seed draws them.

    The last bracket is never quoted and never trades.
    """
    rng = np.random.default_rng(seed)
    quotes: list[Quote] = []
    made: list[Trade] = []
    for market in TICKERS[:-1]:
        mid = rng.integers(20, 60)
        for minute in range(1, minutes):
            mid = int(np.clip(mid + rng.integers(-1, 2) * rng.integers(0, 2), 3, 96))
            if rng.random() < 0.6:
                quotes.append((market, minute, mid - 1, mid + int(rng.integers(1, 4))))
            for second in np.sort(rng.choice(60, rng.poisson(0.8), replace=False)):
                side = "yes" if rng.random() < 0.5 else "no"
                price = mid + (1 if side == "yes" else -1)
                made.append((market, minute + second / 60, side, price, float(rng.integers(1, 50))))
    return candles(*quotes), trades(*made)


def past(frame: pl.DataFrame, minutes: float) -> pl.DataFrame:
    """What was known some minutes after the open."""
    return frame.filter(pl.col("known_at") <= OPEN + timedelta(minutes=minutes))


def spliced(early: pl.DataFrame, late: pl.DataFrame, minutes: float) -> pl.DataFrame:
    """`early` up to some minutes after the open and `late` from then on."""
    until = pl.col("known_at") <= OPEN + timedelta(minutes=minutes)
    return pl.concat([early.filter(until), late.filter(~until)])
